/**
 * Measures what a shard's flushes and merges can do, from the outside: a job port that notes how
 * many bytes its jobs carry and for how long any of a kind was under way. So it is what they could
 * do, whatever the load, with waiting for other shards' jobs counted in.
 */
import type { Job, JobResult, MergeJob } from '../rpc/jobs.js';
import type { JobPort } from './engine-env.js';
import type { Drain } from './write-pressure.js';

/** What is assumed of a flush and of a merge before the first one: an ordinary disk. */
const ASSUMED_BYTES_PER_SECOND = 32 * 1024 * 1024;
/** How much of the past counts after each job. */
const MEMORY = 0.7;
/** How often a merge reads each byte, before there is experience, and how much that weighs. */
const ASSUMED_MERGE_PASSES = 2;
const ASSUMED_BYTES = 64 * 1024 * 1024;

/** The rate of one kind of job, several of which may run at once. */
class Rate {
  #bytes = ASSUMED_BYTES_PER_SECOND / 10;
  #busyMs = 100;
  #running = 0;
  #runningBytes = 0;
  #sinceMs = 0;

  /** A job that takes longer than the ones before tells so before it ends. */
  bytesPerSecond(nowMs: number): number {
    const done = perSecond(this.#bytes, this.#busyMs);
    if (this.#running === 0) return done;
    const bytes = this.#bytes * MEMORY + this.#runningBytes;
    return Math.min(done, perSecond(bytes, this.#busyMs * MEMORY + nowMs - this.#sinceMs));
  }

  begin(nowMs: number, bytes: number): void {
    if (this.#running++ === 0) this.#sinceMs = nowMs;
    this.#runningBytes += bytes;
  }

  /** `expected` as it began, and what came of it. */
  end(nowMs: number, expected: number, bytes: number): void {
    this.#running--;
    this.#runningBytes -= expected;
    this.#bytes = this.#bytes * MEMORY + bytes;
    this.#busyMs = this.#busyMs * MEMORY + nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
  }
}

function perSecond(bytes: number, ms: number): number {
  return (bytes * 1000) / Math.max(1, ms);
}

export class DrainMeter implements JobPort {
  readonly #jobs: JobPort;
  readonly #monotonicMs: () => number;
  /** Bytes of writes that the flush to be submitted takes off. */
  readonly #flushBytes: () => number;
  readonly #flush = new Rate();
  readonly #merge = new Rate();
  #mergedBytes = 0;

  constructor(jobs: JobPort, monotonicMs: () => number, flushBytes: () => number) {
    this.#jobs = jobs;
    this.#monotonicMs = monotonicMs;
    this.#flushBytes = flushBytes;
  }

  submit(job: Job, done: (result: JobResult) => void): void {
    if (job.kind === 'flush') this.#measure(this.#flush, this.#flushBytes(), job, done);
    else if (job.kind === 'merge') this.#measure(this.#merge, inputBytes(job), job, done);
    else this.#jobs.submit(job, done);
  }

  #measure(rate: Rate, expected: number, job: Job, done: (result: JobResult) => void): void {
    const isFlush = job.kind === 'flush';
    rate.begin(this.#monotonicMs(), expected);
    this.#jobs.submit(job, (result) => {
      const bytes = !result.ok ? 0 : isFlush ? expected : result.output.bytesRead;
      if (!isFlush) this.#mergedBytes += bytes;
      rate.end(this.#monotonicMs(), expected, bytes);
      done(result);
    });
  }

  /** `writtenBytes`: what was written since the engine was opened. */
  drain(writtenBytes: number): Drain {
    const assumed = this.#mergedBytes + ASSUMED_MERGE_PASSES * ASSUMED_BYTES;
    // Each byte is merged once at the least, though its merge may be yet to come.
    const passes = Math.max(1, assumed / (writtenBytes + ASSUMED_BYTES));
    const now = this.#monotonicMs();
    return {
      flush: this.#flush.bytesPerSecond(now),
      merge: this.#merge.bytesPerSecond(now) / passes,
    };
  }
}

/** What the merge reads at the most; a part of one reads less. */
function inputBytes(job: MergeJob): number {
  let bytes = 0;
  for (const tables of job.runs) for (const { sizeBytes } of tables) bytes += sizeBytes;
  return bytes;
}
