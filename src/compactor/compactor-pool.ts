/**
 * The threads that flush and merge. Main thread; the only importer of piscina.
 *
 * Two pools, so that a long merge never delays a flush: `quick` for flushes, segment fills and
 * touching arenas; `merge` for merges, which yield the processor to everyone else where the system
 * lets threads be niced. Jobs queue at the compaction desk, never in piscina.
 */
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { messageOf } from '../base/errors.js';
import type { Job, JobResult } from '../rpc/jobs.js';

export type PoolLane = 'quick' | 'merge';

export interface CompactorPoolOptions {
  quickThreads: number;
  mergeThreads: number;
  /** Added to the niceness of merge threads, 0–19. */
  niceIncrement: number;
  /** A pool thread died outside of a job, for instance while it loaded its code. */
  onError: (message: string) => void;
  /** The task file; another one in tests. */
  workerUrl?: URL;
}

export class CompactorPool {
  readonly #lanes: Record<PoolLane, LanePool>;
  #isClosed = false;

  constructor(options: CompactorPoolOptions) {
    this.#lanes = {
      quick: new LanePool(options, options.quickThreads, 0),
      merge: new LanePool(options, options.mergeThreads, options.niceIncrement),
    };
  }

  threads(lane: PoolLane): number {
    return this.#lanes[lane].pool.maxThreads;
  }

  /** Never rejects. A job whose thread dies ends with the code WORKER_DIED; it may be retried. */
  async run(lane: PoolLane, job: Job): Promise<JobResult> {
    // Piscina itself would start new threads after it was closed.
    if (this.#isClosed) return failure('UNAVAILABLE', 'The compactor pool is closed');
    try {
      return await this.#lanes[lane].run(job);
    } catch (error) {
      return failure('WORKER_DIED', messageOf(error));
    }
  }

  /** For chaos tests: ends one thread of the lane in the middle of whatever it does. */
  async killThread(lane: PoolLane): Promise<void> {
    await this.#lanes[lane].pool.threads[0]?.terminate();
  }

  /** Ends all threads, also in the middle of a job; resolves when they are gone. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([this.#lanes.quick.pool.destroy(), this.#lanes.merge.pool.destroy()]);
  }
}

class LanePool {
  readonly pool: Piscina<Job, JobResult>;
  readonly #running = new Set<AbortController>();

  constructor(options: CompactorPoolOptions, threads: number, niceIncrement: number) {
    const workerUrl = options.workerUrl ?? new URL('./worker.js', import.meta.url);
    this.pool = new Piscina<Job, JobResult>({
      filename: fileURLToPath(workerUrl),
      minThreads: threads,
      maxThreads: threads,
      idleTimeout: Infinity,
      // Used only while a dead thread is being replaced.
      maxQueue: threads + 1,
      // A thread idles in its event loop: parked in Atomics.wait it would keep the disk space of
      // files that it mapped, because mappings are released by the collector in the loop.
      atomics: 'disabled',
      niceIncrement,
    });
    // Without a listener the process would die.
    this.pool.on('error', (error) => options.onError(messageOf(error)));
    this.pool.on('workerDestroy', () => setImmediate(() => this.#failStranded()));
  }

  async run(job: Job): Promise<JobResult> {
    const abort = new AbortController();
    this.#running.add(abort);
    try {
      return await this.pool.run(job, { signal: abort.signal });
    } finally {
      this.#running.delete(abort);
    }
  }

  /**
   * Piscina does not replace a thread that died before it was ready, and leaves what waits for it
   * waiting for ever. The next job starts a thread again.
   */
  #failStranded(): void {
    if (this.pool.threads.length > 0) return;
    for (const abort of this.#running) abort.abort(new Error('The pool thread did not start'));
  }
}

function failure(code: string, message: string): JobResult {
  return { ok: false, code, message };
}
