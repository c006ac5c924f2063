import { callServer, SERVER_OPTIONS } from './call-server.js';
import type { CommandSpec } from './command.js';
import { EXIT } from './exit-codes.js';

export const delCommand: CommandSpec = {
  name: 'del',
  summary: 'Remove the value of a key; no error when it has none',
  arguments: [{ name: 'key', help: 'the key, UTF-8' }],
  options: SERVER_OPTIONS,
  examples: ["stormkv del '{patient-17}/visit-1/q3'"],
  async run(io, [key = ''], options) {
    await callServer(io, options, (client) => client.delete(key));
    return EXIT.ok;
  },
};
