import type { ReloadReport } from '../rpc/admin-operations.js';
import { callServer, SERVER_OPTIONS } from './call-server.js';
import type { CommandSpec } from './command.js';
import { EXIT } from './exit-codes.js';

export const reloadCommand: CommandSpec = {
  name: 'reload',
  summary: 'Have a running server read its configuration, certificates and principals again',
  arguments: [],
  options: [
    { flags: '--json', help: 'print what came of it as one JSON object' },
    ...SERVER_OPTIONS,
  ],
  examples: ['stormkv reload', 'stormkv reload --target 10.0.0.2:8081 --json', 'kill -HUP PID'],
  async run(io, _args, options) {
    const report = await callServer(io, options, (client) => client.reload());
    if (options['json'] === true) io.out(`${JSON.stringify(report)}\n`);
    else io.out(`${reloadLines(report).join('\n')}\n`);
    return report.securityError === '' ? EXIT.ok : EXIT.failure;
  },
};

/** For people. */
export function reloadLines(report: ReloadReport): string[] {
  const { applied, needRestart, securityChanged, securityError } = report;
  const lines: string[] = [];
  if (applied.length > 0) lines.push(`In effect now: ${applied.join(', ')}`);
  if (needRestart.length > 0) lines.push(`With the next start: ${needRestart.join(', ')}`);
  if (securityChanged) lines.push('In effect now: certificates or principals');
  if (securityError !== '')
    lines.push(`The former certificates and principals go on: ${securityError}`);
  return lines.length > 0 ? lines : ['Nothing has changed'];
}
