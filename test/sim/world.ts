/**
 * The service within one process's life: a cluster as the supervisor builds it, its threads
 * simulated. It ends by a stop in order, or because the process or the machine goes down; the disk
 * and the scheduler stay for the next one.
 */
import { messageOf, systemCodeOf } from '../../src/base/errors.js';
import type { FromShard } from '../../src/rpc/control.js';
import { openOrCreateRoot, type Root } from '../../src/storage/root-manifest.js';
import { RunningCluster } from '../../src/supervisor/cluster.js';
import type { ShardReport } from '../../src/supervisor/cluster-face.js';
import type { ClusterPlan } from '../../src/supervisor/cluster-plan.js';
import { SeededRandom } from '../harness/seeded-random.js';
import type { SimulatedDisk } from '../harness/simulated-disk.js';
import { SimulatedCrash } from '../harness/simulated-operations.js';
import type { Scheduler, SimThread } from './scheduler.js';
import { SimChannels } from './sim-channels.js';
import { SimPool } from './sim-pool.js';
import { SimRouter } from './sim-router.js';
import { SimShard } from './sim-shard.js';
import type { Trace } from './trace.js';

/** What goes wrong by chance, and how long things take. */
export interface Odds {
  /** A shard's thread dies at the end of a turn, before its answers are seen. */
  diesInTurn: number;
  jobDies: number;
  jobDelay(): number;
  turnDelay(): number;
}

export const COUNTERS = [
  'kills',
  'killsInCalls',
  'openings',
  'processKills',
  'powerLosses',
  'stops',
  'flush',
  'merge',
  'fill-segment',
  'touch-arena',
  'copy',
  'scrub',
  'remove',
  'diskErrors',
  'stalls',
  'jumps',
  'fullDisks',
  'slowDisks',
] as const;
export type Counter = (typeof COUNTERS)[number];

/** Who watches over all lives of the service. */
export interface Watcher {
  violation(text: string): void;
  count(what: Counter): void;
  /** A shard's thread begins: returns the number of its life, over all processes. */
  lifeBegins(shard: number): number;
  lifeReady(shard: number, life: number, lastSequence: number): void;
}

export interface WorldParts {
  scheduler: Scheduler;
  disk: SimulatedDisk;
  plan: ClusterPlan;
  odds: Odds;
  watcher: Watcher;
  onDown: () => void;
}

export class World {
  readonly scheduler: Scheduler;
  readonly main: SimThread;
  readonly disk: SimulatedDisk;
  readonly channels: SimChannels;
  readonly trace: Trace;
  readonly odds: Odds;
  readonly pool: SimPool;
  /** Alive, by shard. */
  readonly shards: (SimShard | undefined)[];
  readonly routers: SimRouter[] = [];
  cluster: RunningCluster | undefined;
  isClosed = false;
  isDown = false;
  #isReported = false;
  readonly #parts: WorldParts;
  readonly #lives = new Map<string, number>();

  constructor(parts: WorldParts) {
    this.#parts = parts;
    this.scheduler = parts.scheduler;
    this.main = parts.scheduler.thread('main', true);
    this.disk = parts.disk;
    this.trace = parts.scheduler.trace;
    this.odds = parts.odds;
    this.channels = new SimChannels(parts.scheduler);
    this.shards = Array.from({ length: parts.plan.shardCount }, () => undefined);
    this.pool = new SimPool(this);
  }

  begin(): void {
    this.scheduler.after(this.main, 0.1, () => this.#start());
  }

  #start(): void {
    const root = this.#openRoot();
    if (root === undefined) return;
    const { plan, scheduler } = this.#parts;
    RunningCluster.start({
      plan,
      root,
      host: {
        version: '0',
        pid: 1,
        rssBytes: () => 0,
        space: () => ({ freeBytes: 0, totalBytes: 0 }),
      },
      pool: this.pool,
      releaseLock: () => Promise.resolve(),
      spawnShard: (boot) => this.#spawnShard(new SimShard(this, boot)),
      spawnRouter: (boot) => {
        const router = new SimRouter(this, boot);
        this.routers.push(router);
        return router;
      },
      clock: scheduler,
      timers: {
        after: (ms, task) => {
          const event = scheduler.after(this.main, ms, task);
          return () => scheduler.cancel(event);
        },
        every: (ms, task) => scheduler.every(this.main, ms, task),
      },
      log: { write: (level, text, fields) => this.#log(level, text, fields) },
      onFatal: (message) => this.violation(`Fatal: ${message}`),
      onShardChange: (report) => this.#shardChanged(report),
      channels: this.channels,
    }).then(
      (cluster) => {
        this.cluster = cluster;
      },
      (error: unknown) => {
        if (!this.isDown) this.violation(`The service does not start: ${messageOf(error)}`);
      },
    );
  }

  stop(): void {
    void this.cluster?.close().then(() => {
      this.isClosed = true;
    });
  }

  /** Ends every thread where it is; who waits for it is told by `reportDown`, between events. */
  goDown(): void {
    if (this.isDown) return;
    this.isDown = true;
    this.main.isDead = true;
    for (const shard of this.shards) if (shard !== undefined) shard.thread.isDead = true;
    for (const router of this.routers) router.thread.isDead = true;
  }

  reportDown(): void {
    if (!this.isDown || this.#isReported) return;
    this.#isReported = true;
    this.#parts.onDown();
  }

  /** Wakes the threads whose bell was rung. */
  poke(): void {
    for (const shard of this.shards) shard?.poke();
  }

  lifeOf(shard: number, epoch: number): number {
    return this.#lives.get(`${shard}.${epoch}`) ?? 0;
  }

  shardReady(shard: number, epoch: number, lastSequence: number): void {
    this.#parts.watcher.lifeReady(shard, this.lifeOf(shard, epoch), lastSequence);
  }

  shardGone(shard: SimShard): void {
    if (this.shards[shard.shard] === shard) this.shards[shard.shard] = undefined;
  }

  shardSaid(shard: number, message: FromShard & { kind: 'refused' | 'poisoned' }): void {
    if (message.kind === 'poisoned') return;
    if (message.code === 'UNAVAILABLE' || message.code === 'RESOURCE_EXHAUSTED') return;
    this.violation(`Shard ${shard} refuses its data: ${message.code} ${message.message}`);
  }

  violation(text: string): void {
    this.#parts.watcher.violation(text);
  }

  count(what: Counter): void {
    this.#parts.watcher.count(what);
  }

  #openRoot(): Root | undefined {
    const { plan, scheduler } = this.#parts;
    const random = new SeededRandom(scheduler.random.uint32());
    const shardCountIfNew = plan.shardCount;
    try {
      return openOrCreateRoot(this.disk, plan.dataDir, {
        shardCount: plan.shardCount,
        shardCountIfNew,
        random,
      });
    } catch (error) {
      // A process that cannot read its root ends, and is started again.
      if (error instanceof SimulatedCrash || systemCodeOf(error) !== undefined) this.goDown();
      else this.violation(`The root cannot be read: ${messageOf(error)}`);
      return undefined;
    }
  }

  #spawnShard(shard: SimShard): SimShard {
    const other = this.shards[shard.shard];
    if (other !== undefined && !other.isOver) {
      this.violation(`${shard.thread.name} begins while ${other.thread.name} lives`);
    }
    this.shards[shard.shard] = shard;
    const life = this.#parts.watcher.lifeBegins(shard.shard);
    this.#lives.set(`${shard.shard}.${shard.epoch}`, life);
    return shard;
  }

  #shardChanged({ shard, phase, epoch, reason }: ShardReport): void {
    this.trace.line(() => `supervisor: shard ${shard}.${epoch} ${phase} ${reason}`);
    if (phase === 'refused' && !this.isDown) {
      this.violation(`Shard ${shard} stays refused: ${reason}`);
    }
  }

  #log(level: string, text: string, fields: unknown): void {
    if (level === 'warn' || level === 'error') {
      this.trace.line(() => `log ${level}: ${text} ${JSON.stringify(fields)}`);
    }
  }
}
