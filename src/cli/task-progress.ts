/** Waits for work that the server does, and says how far it is. */
import { ERROR_CODES, type ErrorCode, StormError } from '../base/errors.js';
import { systemClock } from '../base/system-clock.js';
import type { TaskStatus } from '../rpc/admin-tasks.js';
import { systemTimers } from '../supervisor/timers.js';
import type { CommandIo } from './command.js';
import type { KvClient } from './kv-client.js';
import { ProgressLine } from './progress-line.js';
import { bytes } from './stats-view.js';

const LOOK_MS = 100;
/** A server that is busy or gone for a moment still does the work. */
const MISSES_MAX = 20;

/** Resolves with the status at the end; rejects with what the work failed with. */
export async function waitForTask(
  io: CommandIo,
  client: KvClient,
  begun: TaskStatus,
): Promise<TaskStatus> {
  const line = new ProgressLine(io, systemClock);
  let status = begun;
  let misses = 0;
  while (status.state === 'running') {
    await pause(LOOK_MS);
    try {
      status = await client.task(begun.id);
      misses = 0;
    } catch (error) {
      if (!isPassing(error) || ++misses > MISSES_MAX) throw error;
    }
    const { kind, doneBytes, totalBytes } = status;
    line.show(
      () =>
        `${kind}: ${bytes(doneBytes)} of ${bytes(totalBytes)}` +
        line.timeLeft(doneBytes, totalBytes),
    );
  }
  if (status.state === 'failed') throw new StormError(codeOf(status.code), status.message);
  return status;
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof StormError)) return false;
  return error.code === 'DEADLINE_EXCEEDED' || error.code === 'RESOURCE_EXHAUSTED';
}

function codeOf(text: string): ErrorCode {
  return ERROR_CODES.find((code) => code === text) ?? 'INTERNAL';
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => {
    systemTimers.after(ms, done);
  });
}
