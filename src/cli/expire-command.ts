import { TTL_MS_MAX } from '../base/entry-run.js';
import { callServer, SERVER_OPTIONS } from './call-server.js';
import type { CommandSpec } from './command.js';
import { EXIT } from './exit-codes.js';
import { parseNumber } from './parse-number.js';

export const expireCommand: CommandSpec = {
  name: 'expire',
  summary: 'Set when the value of a key expires',
  arguments: [
    { name: 'key', help: 'the key, UTF-8' },
    { name: 'ms', help: 'milliseconds from now; 0 = never' },
  ],
  options: SERVER_OPTIONS,
  examples: ['stormkv expire session-9 60000', 'stormkv expire session-9 0'],
  async run(io, [key = '', text = ''], options) {
    const ttlMs = parseNumber('The time to live', text, 0, TTL_MS_MAX);
    const isFound = await callServer(io, options, (client) => client.expire(key, ttlMs));
    if (isFound) return EXIT.ok;
    io.say(`No value under ${JSON.stringify(key)}`);
    return EXIT.notFound;
  },
};
