/** What the commands that work on the data dir of a stopped server share. */
import { resolve } from 'node:path';
import { StormError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { systemClock } from '../base/system-clock.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { DataDirLock } from '../supervisor/data-dir-lock.js';
import { systemTimers } from '../supervisor/timers.js';

/** Calls `body` with the absolute path of an existing data dir while its lock is held. */
export async function withLockedDataDir<T>(
  given: string,
  body: (dir: string) => T | Promise<T>,
): Promise<T> {
  const dir = resolve(given);
  if (nodeFileSystem.stat(dir)?.kind !== 'directory') {
    throw new StormError('INVALID_ARGUMENT', `There is no data dir ${dir}`);
  }
  const env = { clock: systemClock, random: systemRandom, timers: systemTimers };
  const lock = await DataDirLock.acquire(dir, env);
  try {
    return await body(dir);
  } finally {
    await lock.release();
  }
}
