/**
 * Takes the shards' jobs, has the pool do them, brings the results back. Main thread only.
 *
 * - Jobs wait here, not in the pool: a lane of the pool gets a job only when it has a thread free.
 *   So order and bounds are decided in one place.
 * - Two lanes: flushes and segment fills free memory and log, and never wait for a long merge.
 *   Within a lane, touching arenas, copies and parts of large merges come last, so that a small
 *   merge waits for one part at the most; otherwise first come, first served.
 * - A client has a bounded number of jobs waiting; one more is refused at once.
 * - A job whose client is gone: dropped if it waits; if it runs, its result is dropped (its output
 *   files are orphans, whose numbers are never used again, and the next opening sweeps them). A
 *   running merge is told to end: nobody waits for minutes for what will not count.
 */
import { messageOf } from '../base/errors.js';
import type { Job, JobResult } from '../rpc/jobs.js';
import { MergeControl } from '../rpc/merge-control.js';

export const LANES = ['quick', 'merge'] as const;
export type Lane = (typeof LANES)[number];

/** The threads that do jobs; see compactor/compactor-pool.ts. */
export interface JobPool {
  threads(lane: Lane): number;
  /** At most `threads(lane)` at a time. Resolves also when the job fails or its thread dies. */
  run(lane: Lane, job: Job): Promise<JobResult>;
}

/** One life of a shard, as a client. */
export interface JobClient {
  jobDone(id: number, result: JobResult): void;
}

export interface CompactionDeskOptions {
  pool: JobPool;
  /** Jobs of one client that may wait. */
  queueMax: number;
  /**
   * A flush is about to read the arena: keeps it from being lent until the returned function is
   * called. Undefined for an arena that needs no such care.
   */
  pinArena: (client: JobClient, arena: SharedArrayBuffer) => (() => void) | undefined;
}

interface Order {
  readonly client: JobClient;
  readonly id: number;
  readonly job: Job;
}

interface LaneState {
  waiting: Order[];
  readonly running: Set<Order>;
}

export class CompactionDesk {
  readonly #options: CompactionDeskOptions;
  readonly #lanes: Record<Lane, LaneState> = {
    quick: { waiting: [], running: new Set() },
    merge: { waiting: [], running: new Set() },
  };
  readonly #gone = new WeakSet<JobClient>();
  #isClosed = false;

  constructor(options: CompactionDeskOptions) {
    this.#options = options;
  }

  /** Waiting and running jobs of a lane. */
  load(lane: Lane): { waiting: number; running: number } {
    const { waiting, running } = this.#lanes[lane];
    return { waiting: waiting.length, running: running.size };
  }

  submit(client: JobClient, id: number, job: Job): void {
    if (this.#gone.has(client)) return;
    if (this.#isClosed) {
      client.jobDone(id, refusal('UNAVAILABLE', 'The compactor pool is closed'));
      return;
    }
    if (this.#waitingOf(client) >= this.#options.queueMax) {
      const text = `${this.#options.queueMax} jobs wait already for this shard`;
      client.jobDone(id, refusal('RESOURCE_EXHAUSTED', text));
      return;
    }
    const lane = laneOf(job);
    const { waiting } = this.#lanes[lane];
    const at = waiting.findIndex((order) => rank(order.job) > rank(job));
    waiting.splice(at < 0 ? waiting.length : at, 0, { client, id, job });
    this.#dispatch(lane);
  }

  /** As `submit`, for the main thread's own jobs. */
  run(job: Job): Promise<JobResult> {
    return new Promise((resolve) => {
      this.submit({ jobDone: (_, result) => resolve(result) }, 0, job);
    });
  }

  /** The client is dead: it hears of no job any more. Running merges are cancelled. */
  drop(client: JobClient): void {
    this.#gone.add(client);
    for (const lane of LANES) {
      const state = this.#lanes[lane];
      state.waiting = state.waiting.filter((order) => order.client !== client);
      for (const order of state.running) if (order.client === client) cancel(order.job);
    }
  }

  /**
   * Waiting jobs are refused, also new ones; running merges are cancelled, other jobs end before
   * the pool is closed.
   */
  close(): void {
    this.#isClosed = true;
    for (const lane of LANES) {
      const { waiting, running } = this.#lanes[lane];
      this.#lanes[lane].waiting = [];
      for (const { job } of running) cancel(job);
      for (const { client, id } of waiting) {
        client.jobDone(id, refusal('UNAVAILABLE', 'The compactor pool is closed'));
      }
    }
  }

  #waitingOf(client: JobClient): number {
    let count = 0;
    for (const lane of LANES) {
      for (const order of this.#lanes[lane].waiting) if (order.client === client) count++;
    }
    return count;
  }

  #dispatch(lane: Lane): void {
    const state = this.#lanes[lane];
    while (state.running.size < this.#options.pool.threads(lane)) {
      const order = state.waiting.shift();
      if (order === undefined) return;
      this.#start(lane, order);
    }
  }

  #start(lane: Lane, order: Order): void {
    const { client, id, job } = order;
    const { pool, pinArena } = this.#options;
    const unpin = job.kind === 'flush' ? pinArena(client, job.arena) : undefined;
    const done = (result: JobResult) => {
      this.#lanes[lane].running.delete(order);
      if (!this.#gone.has(client)) client.jobDone(id, result);
      unpin?.();
      this.#dispatch(lane);
    };
    this.#lanes[lane].running.add(order);
    pool.run(lane, job).then(done, (error) => done(refusal('INTERNAL', messageOf(error))));
  }
}

function laneOf(job: Job): Lane {
  return ['merge', 'copy', 'scrub'].includes(job.kind) ? 'merge' : 'quick';
}

/** Lower goes first. */
function rank(job: Job): number {
  if (['touch-arena', 'copy', 'scrub'].includes(job.kind)) return 1;
  return job.kind === 'merge' && job.part !== undefined ? 1 : 0;
}

function cancel(job: Job): void {
  if (job.kind === 'merge' && job.control !== undefined) new MergeControl(job.control).cancel();
}

function refusal(code: string, message: string): JobResult {
  return { ok: false, code, message };
}
