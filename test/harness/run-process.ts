import { spawn } from 'node:child_process';

export interface ProcessEnd {
  code: number | null;
  /** stdout and stderr as they came. */
  output: string;
}

/** Runs a program to its end, without blocking this process meanwhile. */
export function runProcess(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<ProcessEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
  });
}
