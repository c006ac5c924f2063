/** A task file for tests: counts in shared memory what it is doing, and does as it is told. */
import type { Job, JobResult } from '../../src/rpc/jobs.js';

export const WORD_STARTED = 0;
export const WORD_GO = 1;

// biome-ignore lint/style/noDefaultExport: piscina calls a task file's default export.
export default function work(job: Job): JobResult {
  if (job.kind === 'fill-segment') throw new Error(job.name);
  if (job.kind === 'touch-arena') {
    const words = new Int32Array(job.arena);
    Atomics.add(words, WORD_STARTED, 1);
    Atomics.notify(words, WORD_STARTED);
    Atomics.wait(words, WORD_GO, 0);
  }
  return { ok: true, output: { tables: [], bytesRead: 1, bytesWritten: 2 } };
}
