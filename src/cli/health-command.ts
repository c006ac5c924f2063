/** Asks a server whether it serves, for container health checks and scripts. */
import { callServer, SERVER_OPTIONS } from './call-server.js';
import { type CommandSpec, textOption } from './command.js';
import { EXIT } from './exit-codes.js';

export const healthCommand: CommandSpec = {
  name: 'health',
  summary: 'Ask whether a server serves; exit 0 if it does, 4 if not or if it cannot be reached',
  arguments: [],
  options: [
    ...SERVER_OPTIONS,
    { flags: '--service <name>', help: 'kv.Kv, kv.Admin or kv.Feed (default: the whole server)' },
    { flags: '--json', help: 'print a JSON document' },
  ],
  examples: ['stormkv health', 'stormkv health --target 127.0.0.1:8081 --timeout-ms 2000'],
  async run(io, _args, options) {
    const service = textOption(options, 'service') ?? '';
    const status = await callServer(io, options, (client) => client.health(service));
    io.out(options['json'] === true ? `${JSON.stringify({ service, status })}\n` : `${status}\n`);
    return status === 'SERVING' ? EXIT.ok : EXIT.unavailable;
  },
};
