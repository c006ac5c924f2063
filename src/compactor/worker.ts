/** The task file of the piscina pool, thread side. Wiring only: the real disk, then the job. */
import { systemClock } from '../base/system-clock.js';
import type { Job, JobResult } from '../rpc/jobs.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import type { PaceClock } from './merge-pace.js';
import { runJob } from './run-job.js';

const clock: PaceClock = {
  monotonicMs: systemClock.monotonicMs,
  rest: (control, ms) => control.rest(ms),
};

// biome-ignore lint/style/noDefaultExport: piscina calls a task file's default export.
export default function work(job: Job): JobResult {
  return runJob(nodeFileSystem, job, clock);
}
