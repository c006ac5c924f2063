/**
 * An engine as a shard has it, with the shipped options, on the real disk, its jobs on real pool
 * threads. It lives on the main thread: the caller writes in turns and lets the event loop run in
 * between, which is how results of jobs come back.
 */

import { systemRandom } from '../../src/base/random.js';
import { systemClock } from '../../src/base/system-clock.js';
import { CompactorPool } from '../../src/compactor/compactor-pool.js';
import { configWith } from '../../src/config/load-config.js';
import type { EngineOptions } from '../../src/rpc/control.js';
import type { Job, JobResult } from '../../src/rpc/jobs.js';
import { Engine } from '../../src/shard/engine.js';
import type { ArenaPort, JobPort } from '../../src/shard/engine-env.js';
import type { FileHandle, FileSystem } from '../../src/storage/file-system.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { planCluster } from '../../src/supervisor/plan-cluster.js';

/** What a new store with one shard and no configuration of its own runs with. */
export function shippedOptions(dir: string): { engine: EngineOptions; arenaCount: number } {
  const { engine, arenaCount } = planCluster(configWith({ shards: { count: 1 } }), dir, 1);
  return { engine: { ...engine, shard: 0, dir, storeUuid: '0'.repeat(32) }, arenaCount };
}

/** Jobs on the pool's threads, as many at a time as a lane has, as the compaction desk does it. */
export class PoolJobs implements JobPort {
  readonly #pool: CompactorPool;
  readonly #onSubmit: (job: Job) => void;
  readonly #waiting: Record<'quick' | 'merge', { job: Job; done: (r: JobResult) => void }[]> = {
    quick: [],
    merge: [],
  };
  readonly #running = { quick: 0, merge: 0 };
  readonly durationsMs: Record<Job['kind'], number[]> = {
    flush: [],
    merge: [],
    remove: [],
    'fill-segment': [],
    'touch-arena': [],
    copy: [],
    scrub: [],
  };

  constructor(pool: CompactorPool, onSubmit: (job: Job) => void = () => {}) {
    this.#pool = pool;
    this.#onSubmit = onSubmit;
  }

  get idle(): boolean {
    const { quick, merge } = this.#waiting;
    return this.#running.quick + this.#running.merge + quick.length + merge.length === 0;
  }

  submit(job: Job, done: (result: JobResult) => void): void {
    this.#onSubmit(job);
    const lane = job.kind === 'merge' ? 'merge' : 'quick';
    const waiting = this.#waiting[lane];
    // As at the desk: a small merge passes the parts of a large one.
    const at = isPart(job) ? -1 : waiting.findIndex((order) => isPart(order.job));
    waiting.splice(at < 0 ? waiting.length : at, 0, { job, done });
    if (this.#running[lane] < this.#pool.threads(lane)) void this.#work(lane);
  }

  async #work(lane: 'quick' | 'merge'): Promise<void> {
    this.#running[lane]++;
    for (let next = this.#waiting[lane].shift(); next; next = this.#waiting[lane].shift()) {
      const started = performance.now();
      const result = await this.#pool.run(lane, next.job);
      this.durationsMs[next.job.kind].push(performance.now() - started);
      // A merge that runs when the engine is closed.
      if (!result.ok && result.code !== 'CANCELLED') {
        throw new Error(`A ${next.job.kind} job failed: ${result.message}`);
      }
      next.done(result);
    }
    this.#running[lane]--;
  }
}

function isPart(job: Job): boolean {
  return job.kind === 'merge' && job.part !== undefined;
}

/** Arenas that were touched beforehand, as the pool of a running server has them. */
export class TouchedArenas implements ArenaPort {
  readonly #free: SharedArrayBuffer[] = [];

  constructor(count: number, bytes: number) {
    for (let i = 0; i < count; i++) {
      const arena = new SharedArrayBuffer(bytes);
      new Uint8Array(arena).fill(0);
      this.#free.push(arena);
    }
  }

  get atHand(): boolean {
    return this.#free.length > 0;
  }

  take(): SharedArrayBuffer | undefined {
    return this.#free.pop();
  }

  give(arena: SharedArrayBuffer): void {
    this.#free.push(arena);
  }
}

/** The real file system, with what the engine itself writes and how long its syncs take noted. */
export class TimedDisk {
  readonly syncMs: number[] = [];
  writtenBytes = 0;
  readonly fs: FileSystem = { ...nodeFileSystem, open: (path, mode) => this.#open(path, mode) };

  #open(path: string, mode: Parameters<FileSystem['open']>[1]): FileHandle {
    const handle = nodeFileSystem.open(path, mode);
    const { syncMs } = this;
    const sync = handle.syncData.bind(handle);
    handle.syncData = () => {
      const started = performance.now();
      sync();
      syncMs.push(performance.now() - started);
    };
    const write = handle.writeAt.bind(handle);
    handle.writeAt = (source, offset, length, position) => {
      this.writtenBytes += length;
      write(source, offset, length, position);
    };
    return handle;
  }
}

export function newPool(): CompactorPool {
  return new CompactorPool({
    quickThreads: 2,
    mergeThreads: 1,
    niceIncrement: 5,
    onError: (message) => {
      throw new Error(message);
    },
  });
}

export function openEngine(
  options: EngineOptions,
  jobs: JobPort,
  arenas: ArenaPort,
  fs: FileSystem = nodeFileSystem,
  distrust = false,
): Engine {
  nodeFileSystem.makeDir(options.dir);
  const env = { fs, clock: systemClock, random: systemRandom, jobs, arenas };
  return Engine.open(env, options, distrust);
}

/** Lets callbacks of jobs run. */
export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Lets housekeeping go on until nothing is left to do. */
export async function settle(engine: Engine, jobs: PoolJobs): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet = jobs.idle ? quiet + 1 : 0) {
    engine.maintain();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
