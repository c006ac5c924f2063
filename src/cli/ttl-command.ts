import { callServer, SERVER_OPTIONS } from './call-server.js';
import type { CommandSpec } from './command.js';
import { EXIT } from './exit-codes.js';

export const ttlCommand: CommandSpec = {
  name: 'ttl',
  summary:
    'Print how many milliseconds are left until the value of a key expires; 0 = it never does',
  arguments: [{ name: 'key', help: 'the key, UTF-8' }],
  options: SERVER_OPTIONS,
  examples: ['stormkv ttl session-9'],
  async run(io, [key = ''], options) {
    const ttlMs = await callServer(io, options, (client) => client.ttl(key));
    if (ttlMs === undefined) {
      io.say(`No value under ${JSON.stringify(key)}`);
      return EXIT.notFound;
    }
    io.out(`${ttlMs}\n`);
    return EXIT.ok;
  },
};
