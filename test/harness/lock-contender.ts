/**
 * A process that takes and releases a data dir's lock on command, for data-dir-lock.test.ts.
 * Usage: node lock-contender.js DIR; then lines on stdin: `acquire`, `release`.
 * Answers with one line each: `won`, `lost PID-OR-? MESSAGE`, `released`.
 */
import { createInterface } from 'node:readline';
import { systemRandom } from '../../src/base/random.js';
import { systemClock } from '../../src/base/system-clock.js';
import { DataDirLock } from '../../src/supervisor/data-dir-lock.js';
import { systemTimers } from '../../src/supervisor/timers.js';

const dir = process.argv[2] ?? '';
const env = { clock: systemClock, random: systemRandom, timers: systemTimers };
let lock: DataDirLock | undefined;
process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await obey(line)}\n`);
}

async function obey(command: string): Promise<string> {
  if (command === 'release') {
    await lock?.release();
    return 'released';
  }
  try {
    lock = await DataDirLock.acquire(dir, env);
    return 'won';
  } catch (error) {
    return `lost ${error instanceof Error ? error.message : 'with no error'}`;
  }
}
