/**
 * Tells systemd when the server is ready and when it stops. Node cannot send to a unix datagram
 * socket, so systemd's own `systemd-notify` does; a unit must therefore allow it NotifyAccess=all.
 */
import { spawn } from 'node:child_process';
import { messageOf } from '../base/errors.js';

export type ServiceState = 'READY=1' | 'STOPPING=1';

/** What is used of a child process. */
export interface NotifyProcess {
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'exit', listener: (code: number | null) => void): unknown;
  unref(): void;
}

/** Undefined where no service manager asks to be told. */
export function notifierOf(
  env: Readonly<Record<string, string | undefined>>,
  say: (message: string) => void,
  run: (args: string[]) => NotifyProcess = runSystemdNotify,
): ((state: ServiceState) => void) | undefined {
  if ((env['NOTIFY_SOCKET'] ?? '') === '') return undefined;
  return (state) => {
    const fail = (why: string) =>
      say(`The service manager cannot be told ${state}: systemd-notify ${why}`);
    const child = run([state]);
    child.on('error', (error) => fail(messageOf(error)));
    child.on('exit', (code) => {
      if (code !== 0) fail(`ended with ${code}`);
    });
    // The last message must not keep a server that has stopped.
    child.unref();
  };
}

function runSystemdNotify(args: string[]): NotifyProcess {
  return spawn('systemd-notify', args, { stdio: 'ignore' });
}
