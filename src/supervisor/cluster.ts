/**
 * A running cluster: routers, shards, the desk and the arenas, started together and stopped in
 * order. Main thread; owns no data.
 *
 * Start: shards and router threads at once; the doors answer UNAVAILABLE (and /readyz 503) for a
 * shard that is still recovering. Ready when the doors listen and every shard serves, refuses, or
 * keeps dying.
 * Stop: doors drain → shards seal → pool ends → lock released. What does not end in time is ended
 * by force, which is safe: nothing was acknowledged that is not durable.
 */
import { assert } from '../base/assert.js';
import { messageOf, StormError } from '../base/errors.js';
import { shardId } from '../base/ids.js';
import type { ClusterStats, ReloadReport, Victim } from '../rpc/admin-operations.js';
import { OPEN_DOORS } from '../rpc/door-security.js';
import { PortDoorbell } from '../rpc/doorbell.js';
import { ShardStats, type StatName } from '../rpc/shard-stats.js';
import { TrafficMemory, type TrafficSettings } from '../rpc/traffic.js';
import { shardDirName } from '../storage/file-names.js';
import { answerAdmin } from './admin-desk.js';
import { ArenaPool } from './arena-pool.js';
import type { Cluster, ShardReport } from './cluster-face.js';
import type { ClusterParts } from './cluster-parts.js';
import { CompactionDesk, type Lane } from './compaction-desk.js';
import { OperatorWork } from './operator-work.js';
import { type RouterAddresses, RouterGroup, RouterKeeper } from './router-keeper.js';
import { ShardKeeper } from './shard-keeper.js';
import { ShardLife } from './shard-life.js';
import type { ShardPhase, ShardState } from './shard-state.js';
import { slotOwnerOf } from './slot-owners.js';

/** What a stop leaves for sealing when draining took all the time. */
const SEAL_MS_MIN = 1_000;
/** Threads that were told to end by force have so long to be gone. */
const FORCE_MS = 5_000;
const SETTLED: readonly ShardPhase[] = ['serving', 'refused', 'waiting', 'stopped'];

export class RunningCluster implements Cluster {
  readonly closed: Promise<void>;
  readonly #parts: ClusterParts;
  readonly #arenas: ArenaPool;
  readonly #desk: CompactionDesk;
  readonly work: OperatorWork | undefined;
  readonly #routers: RouterKeeper[];
  /** Counters of each shard, for its thread to write and for the routers to read. */
  readonly #shardStats: SharedArrayBuffer[];
  readonly #shards: ShardKeeper[];
  readonly #trafficMemory = TrafficMemory.allocate();
  #addresses: RouterAddresses[] = [];
  #startedMs = 0;
  readonly #beganMs: number;
  #closing: Promise<void> | undefined;
  #onClosed: () => void = () => {};
  /** Runs after every change of a shard. */
  #onShardChange: () => void = () => {};

  private constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.#beganMs = parts.clock.monotonicMs();
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    this.#desk = new CompactionDesk({
      pool: parts.pool,
      queueMax: parts.plan.compaction.queueMax,
      pinArena: (client, arena) =>
        client instanceof ShardLife ? this.#arenas.pin(client, arena) : undefined,
    });
    this.#arenas = new ArenaPool({
      count: parts.plan.arenaCount,
      arenaBytes: parts.plan.engine.arenaBytes,
      shardCount: parts.plan.shardCount,
      touch: (arena) => this.#desk.run({ kind: 'touch-arena', arena }),
    });
    this.#shardStats = Array.from({ length: parts.plan.shardCount }, ShardStats.allocate);
    this.work = this.#makeWork(parts);
    const bells = parts.plan.doors.map(() => PortDoorbell.allocate());
    this.#routers = bells.map((bell, router) => this.#makeRouter(router, bell));
    const board = new RouterGroup(this.#routers);
    this.#shards = Array.from({ length: parts.plan.shardCount }, (_, shard) =>
      this.#makeShard(shard, board, bells),
    );
  }

  /** Resolves when the cluster is ready; when it cannot be, stops it all again and rejects. */
  static async start(parts: ClusterParts): Promise<RunningCluster> {
    const startMs = parts.clock.monotonicMs();
    const cluster = new RunningCluster(parts);
    try {
      await cluster.#start();
    } catch (error) {
      await cluster.close();
      throw error;
    }
    cluster.#startedMs = parts.clock.monotonicMs() - startMs;
    return cluster;
  }

  get grpcAddress(): string {
    return this.#addresses[0]?.grpcAddress ?? '';
  }

  get grpcAddresses(): string[] {
    return [...new Set(this.#addresses.map(({ grpcAddress }) => grpcAddress))];
  }

  get httpAddress(): string {
    return this.#addresses[0]?.httpAddress ?? '';
  }

  get shardCount(): number {
    return this.#shards.length;
  }

  get dataDir(): string {
    return this.#parts.plan.dataDir;
  }

  get recoveredRecords(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.recoveredRecords, 0);
  }

  get startedMs(): number {
    return this.#startedMs;
  }

  get refusedShards(): { shard: number; reason: string }[] {
    return this.#shards
      .filter(({ state }) => state.phase === 'refused' || state.phase === 'waiting')
      .map(({ shard, state }) => ({ shard, reason: state.reason }));
  }

  close(): Promise<void> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  shardState(shard: number): ShardReport {
    return reportOf(shard, this.#shard(shard).state);
  }

  shardStats(shard: number): Record<StatName, number> {
    return this.#shard(shard).stats();
  }

  /** What an operator is told of it. */
  adminStats(): ClusterStats {
    const { plan, host, clock } = this.#parts;
    const { freeBytes, totalBytes } = host.space(plan.dataDir);
    return {
      process: {
        version: host.version,
        pid: host.pid,
        uptimeMs: clock.monotonicMs() - this.#beganMs,
        rssBytes: host.rssBytes(),
      },
      bounds: {
        memTableBytesMax: plan.engine.arenaBytes,
        walLiveBytesMax: plan.engine.walLiveBytesMax,
        diskFreeBytes: freeBytes,
        diskTotalBytes: totalBytes,
      },
      routers: this.#routers.map((router) => router.situation()),
      shards: this.#shards.map((shard) => shard.situation()),
    };
  }

  reload(): ReloadReport {
    const { reloader } = this.#parts;
    if (reloader !== undefined) return reloader.reload();
    throw new StormError('UNIMPLEMENTED', 'This cluster has no configuration to read again');
  }

  /** Calls are governed by these from now on. */
  setTraffic(settings: TrafficSettings): void {
    for (const router of this.#routers) router.send({ kind: 'traffic', settings });
  }

  get isChaosAllowed(): boolean {
    return this.#parts.plan.isChaosAllowed;
  }

  async killWorker(victim: Victim): Promise<void> {
    const { log } = this.#parts;
    log.write('warn', 'An operator kills a worker', { component: 'supervisor', ...victim });
    if (victim.kind === 'shard') return this.killShard(victim.shard);
    return this.killCompactor(victim.kind === 'flusher' ? 'quick' : 'merge');
  }

  killShard(shard: number): Promise<void> {
    return this.#shard(shard).kill();
  }

  killCompactor(lane: Lane): Promise<void> {
    return this.#parts.pool.killThread(lane);
  }

  async #start(): Promise<void> {
    const settled = this.#whenAllShards((phase) => SETTLED.includes(phase));
    for (const shard of this.#shards) shard.start();
    this.#arenas.startTouching();
    const addresses = await Promise.all(this.#routers.map((router) => router.start()));
    await settled;
    this.#addresses = addresses;
    this.#parts.security?.start((settings) => {
      for (const router of this.#routers) router.send({ kind: 'security', settings });
    });
  }

  async #stop(): Promise<void> {
    const { plan, pool, clock, log, releaseLock } = this.#parts;
    const { drainMsMax, drainDelayMs } = plan.supervision;
    const startMs = clock.monotonicMs();
    log.write('info', 'The cluster stops', { component: 'supervisor' });
    // A cluster that has not been ready is known to nobody.
    const delayMs = this.#addresses.length > 0 ? drainDelayMs : 0;
    await this.#drainRouters(delayMs, drainMsMax);
    const rest = delayMs + drainMsMax - (clock.monotonicMs() - startMs);
    const areGone = await this.#sealShards(Math.max(SEAL_MS_MIN, rest));
    this.work?.close();
    this.#parts.security?.close();
    this.#arenas.close();
    this.#desk.close();
    await this.#attempt('The compactor pool cannot be ended', () => pool.close());
    // A thread that still lives may still write; the lock then ends with the process.
    if (areGone) await this.#attempt('The data dir cannot be unlocked', releaseLock);
    const stoppedMs = Math.round(clock.monotonicMs() - startMs);
    log.write('info', 'The cluster has stopped', { component: 'supervisor', stoppedMs });
    this.#onClosed();
  }

  async #drainRouters(delayMs: number, drainMsMax: number): Promise<void> {
    const { timers, log } = this.#parts;
    let cancel: () => void = () => {};
    const giveUp = new Promise<void>((resolve) => {
      cancel = timers.after(delayMs + drainMsMax + FORCE_MS, resolve);
    });
    const drained = await Promise.all(
      this.#routers.map((router) => router.drain(delayMs, drainMsMax, giveUp)),
    );
    cancel();
    if (drained.every((inOrder) => inOrder)) return;
    log.write('warn', 'A router did not drain in order', { component: 'supervisor' });
  }

  /** True when every shard's thread is gone. */
  async #sealShards(deadlineMs: number): Promise<boolean> {
    const { timers, log } = this.#parts;
    const gone = this.#whenAllShards((phase) => phase === 'stopped').then(() => true);
    for (const shard of this.#shards) shard.stop(deadlineMs);
    let cancel: () => void = () => {};
    const late = new Promise<boolean>((resolve) => {
      cancel = timers.after(deadlineMs + FORCE_MS, () => resolve(false));
    });
    const areGone = await Promise.race([gone, late]);
    cancel();
    if (!areGone) {
      log.write('error', 'A shard thread does not end: is the disk stuck?', {
        component: 'supervisor',
      });
    }
    return areGone;
  }

  /** Resolves once every shard is in such a phase at the same time. */
  #whenAllShards(isIn: (phase: ShardPhase) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#onShardChange = () => {
        if (this.#shards.every(({ state }) => isIn(state.phase))) resolve();
      };
      this.#onShardChange();
    });
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log.write('error', what, { component: 'supervisor', error: messageOf(error) });
    }
  }

  #makeRouter(router: number, routerBell: SharedArrayBuffer): RouterKeeper {
    const { plan, root, spawnRouter, log, onFatal, channels } = this.#parts;
    const doors = plan.doors[router];
    assert(doors !== undefined, 'there is a router for each of the doors');
    return new RouterKeeper({
      boot: {
        ...plan.router,
        ...doors,
        router,
        shardCount: plan.shardCount,
        slotOwner: slotOwnerOf(root),
        slotMapEpoch: root.slotMapEpoch,
        routerBell,
        security: this.#parts.security?.settings ?? OPEN_DOORS,
        trafficMemory: this.#trafficMemory,
        trafficSeed: Number.parseInt(root.storeUuid.slice(0, 8), 16),
        shardStats: this.#shardStats,
      },
      spawn: spawnRouter,
      log,
      channels,
      onFatal,
      onAudit: (record) => this.#parts.security?.audit(record, router),
      onAsk: (question) => answerAdmin(question, this),
      onDamage: (shard, epoch, message) => this.#shard(shard).reportDamage(epoch, message),
    });
  }

  #makeWork({ plan, root, host, log, timers, clock }: ClusterParts): OperatorWork | undefined {
    const { fs, version: program } = host;
    if (fs === undefined) return undefined;
    const { dataDir } = plan;
    return new OperatorWork({
      ...{ fs, root, dataDir, program, log, timers, wallMs: () => clock.wallMs() },
      ask: (shard, question) => this.#shard(shard).ask(question),
      runJob: (job) => this.#desk.run(job),
    });
  }

  #makeShard(shard: number, routers: RouterGroup, routerBells: SharedArrayBuffer[]): ShardKeeper {
    const { plan, root, spawnShard, clock, timers, log, channels, onShardChange } = this.#parts;
    const dir = `${plan.dataDir}/${shardDirName(shardId(shard))}`;
    return new ShardKeeper({
      engine: { ...plan.engine, shard, dir, storeUuid: root.storeUuid },
      slotMapEpoch: root.slotMapEpoch,
      linkSizes: plan.linkSizes,
      routerBells,
      stats: this.#shardStats[shard],
      policy: plan.supervision,
      routers,
      arenas: this.#arenas,
      desk: this.#desk,
      spawn: spawnShard,
      clock,
      timers,
      log,
      channels,
      onChange: (_, state) => {
        this.#onShardChange();
        onShardChange(reportOf(shard, state));
      },
    });
  }

  #shard(shard: number): ShardKeeper {
    const keeper = this.#shards[shard];
    if (keeper !== undefined) return keeper;
    throw new StormError('INVALID_ARGUMENT', `There is no shard ${shard}`);
  }
}

function reportOf(shard: number, { phase, epoch, reason }: ShardState): ShardReport {
  return { shard, phase, epoch, reason };
}
