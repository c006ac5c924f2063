/**
 * One seed: a service, its clients, and everything that goes wrong with it. First the storm, in
 * which faults come and go and nothing that was answered may turn out untrue; then no more faults,
 * and the service must answer all that is open, serve every shard, take writes, and still know
 * everything.
 */
import { messageOf } from '../../src/base/errors.js';
import { SLOT_COUNT, slotOfKey } from '../../src/base/slot.js';
import { equalSlotRanges } from '../../src/storage/root-manifest.js';
import type { ClusterPlan } from '../../src/supervisor/cluster-plan.js';
import { smallOptions } from '../harness/engine-rig.js';
import { OPEN_DOOR_BOOT } from '../harness/open-doors.js';
import type { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { Clients } from './clients.js';
import { encodeValue, type Key, Model, nameOf, Violation } from './model.js';
import { Nemesis } from './nemesis.js';
import { Scheduler } from './scheduler.js';
import type { SimRouter } from './sim-router.js';
import { Trace } from './trace.js';
import { COUNTERS, type Counter, type Odds, World } from './world.js';

export interface SimulationOptions {
  operations: number;
  /** Gets lines to read. */
  print?: ((line: string) => void) | undefined;
}

export interface SimulationResult {
  seed: number;
  digest: string;
  operations: number;
  acknowledged: number;
  refusals: number;
  unknowns: number;
  events: number;
  simulatedMs: number;
  counters: Record<Counter, number>;
  /** What turned out untrue, and after how many operations; undefined = all is well. */
  violation: { text: string; operation: number; simulatedMs: number } | undefined;
}

const TAGS = 20;
const KEYS_PER_TAG = 6;
const DATA_DIR = '/data';
/** Simulated time within which a healed service must be whole again. */
/** Longer than a write's deadline. */
const TRY_AGAIN_MS = 5000;
const HEAL_MS_MAX = 20_000;
const STORM_MS_MAX = 600_000;
const IN_FLIGHT_MAX = 256;

export async function simulate(
  seed: number,
  options: SimulationOptions,
): Promise<SimulationResult> {
  const simulation = new Simulation(seed, options);
  return simulation.run();
}

class Simulation {
  readonly #seed: number;
  readonly #trace: Trace;
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #disk: SimulatedDisk;
  readonly #plan: ClusterPlan;
  readonly #odds: Odds;
  readonly #model: Model;
  readonly #clients: Clients;
  readonly #nemesis: Nemesis;
  readonly #counters = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<
    Counter,
    number
  >;
  #world: World | undefined;
  #violation: Violation | undefined;
  #stepsSinceLook = 0;

  constructor(seed: number, { operations, print }: SimulationOptions) {
    this.#seed = seed;
    this.#trace = new Trace(print);
    this.#scheduler = new Scheduler(seed, this.#trace);
    this.#random = this.#scheduler.random;
    const random = this.#random;
    this.#disk = new SimulatedDisk({ powerSafeOverwrite: random.chance(0.3) });
    if (print !== undefined) {
      this.#disk.beforeOperation = ({ kind, path, position = 0, length = 0 }) => {
        const { name } = this.#scheduler.current;
        this.#trace.line(() => `  ${name}: ${kind} ${path} ${position}+${length}`);
      };
    }
    this.#scheduler.nestChance = random.pick([0, 0.02, 0.1, 0.3]);
    const shardCount = 1 + random.nextInt(3);
    this.#plan = planOf(random, shardCount);
    this.#odds = this.#makeOdds();
    const keys = makeKeys(shardCount);
    const fail = (text: string) => this.#fail(text);
    this.#model = new Model(keys, shardCount, fail);
    const groups = Array.from({ length: TAGS }, (_, tag) =>
      this.#model.keys.slice(tag * KEYS_PER_TAG, (tag + 1) * KEYS_PER_TAG),
    );
    this.#clients = new Clients({
      scheduler: this.#scheduler,
      model: this.#model,
      groups,
      mix: random.pick(MIXES),
      clients: random.pick([2, 8, 16]),
      window: random.pick([1, 4, 16]),
      thinkMs: random.pick([0.2, 1, 4]),
      ttlChance: random.pick([0, 0, 0.1, 0.3]),
      hurryChance: random.pick([0, 0.02, 0.2]),
      operations,
      router: (client) => this.#routerFor(client),
      onAnswer: () => this.#scheduler.yieldPoint(),
      isDown: () => this.#world?.isDown ?? true,
      fail,
    });
    this.#nemesis = new Nemesis({
      scheduler: this.#scheduler,
      disk: this.#disk,
      world: () => this.#world,
      restart: () => this.#begin(),
      count: (what) => this.#count(what),
      excuse: (codes) => {
        this.#clients.excuses = codes;
      },
    });
  }

  async run(): Promise<SimulationResult> {
    try {
      this.#begin();
      this.#clients.start();
      this.#nemesis.start();
      await this.#until(() => this.#clients.isDone, STORM_MS_MAX, 'The storm ends');
      await this.#heal();
      await this.#readBack();
      await this.#restartAndReadBack();
    } catch (error) {
      if (!(error instanceof Violation)) this.#noteViolation(error);
    }
    return this.#result();
  }

  #begin(): void {
    const world = new World({
      scheduler: this.#scheduler,
      disk: this.#disk,
      plan: this.#plan,
      odds: this.#odds,
      watcher: {
        violation: (text) => this.#noteViolation(new Violation(text)),
        count: (what) => this.#count(what),
        lifeBegins: (shard) => this.#model.lifeBegins(shard),
        lifeReady: (shard, life, last) => this.#model.lifeReady(shard, life, last),
      },
      onDown: () => {
        this.#trace.line(() => 'the process is gone');
        this.#clients.disconnected();
        this.#nemesis.wentDown();
      },
    });
    this.#world = world;
    world.begin();
  }

  /** No more faults: everything must come to rest. */
  async #heal(): Promise<void> {
    this.#trace.line(() => 'heal');
    this.#nemesis.stop();
    this.#odds.diesInTurn = 0;
    this.#odds.jobDies = 0;
    await this.#until(() => this.#isWhole(), HEAL_MS_MAX, 'Every shard serves, nothing is open');
    for (const shard of this.#model.shards.keys()) await this.#writeTo(shard);
  }

  #isWhole(): boolean {
    const world = this.#world;
    if (world === undefined || world.isDown || world.routers.length === 0) return false;
    const isWhole = world.routers.every(({ router }) => {
      const { ready, inFlight } = router.status();
      return ready && inFlight === 0;
    });
    return isWhole && this.#clients.openCount === 0;
  }

  /** Each client keeps to its router. */
  #routerFor(client: number): SimRouter | undefined {
    const routers = this.#world?.routers ?? [];
    return routers[client % routers.length];
  }

  /** A write to each shard is taken, if need be after some tries. */
  async #writeTo(shard: number): Promise<void> {
    const key = this.#model.keys.find((one) => one.shard === shard);
    if (key === undefined) return;
    let isTaken = false;
    let last = '';
    const attempt = () => {
      const router = this.#routerFor(0);
      if (router === undefined) return;
      const entries = [{ key, isDelete: false }];
      const write = this.#model.send(entries, router.lives[shard] ?? 0, 0, this.#wall());
      router.router.set(key.bytes, encodeValue(write.id, 0), 2000, (error, version) => {
        if (error === undefined) {
          this.#model.applied(write, version, this.#wall());
          isTaken = true;
          return;
        }
        last = error.message;
        if (error.outcome === 'not-applied') this.#model.refused(write);
        else this.#model.unknown(write);
        this.#onRouter(50, attempt);
      });
    };
    let triedMs = this.#scheduler.now;
    this.#onRouter(0.1, attempt);
    await this.#until(
      () => {
        // A router that died with its process took the try along.
        if (this.#scheduler.now - triedMs > TRY_AGAIN_MS) {
          triedMs = this.#scheduler.now;
          this.#onRouter(0.1, attempt);
        }
        return isTaken;
      },
      HEAL_MS_MAX,
      () => `Shard ${shard} takes a write (${last})`,
    );
  }

  async #readBack(): Promise<void> {
    let left = this.#model.keys.length;
    for (const key of this.#model.keys) {
      this.#onRouter(this.#scheduler.between(0, 5), () => this.#readOne(key, () => left--));
    }
    await this.#until(() => left === 0, HEAL_MS_MAX, 'Every key is read back');
  }

  #readOne(key: Key, done: () => void): void {
    const before = this.#model.look(key);
    const sent = this.#wall();
    this.#routerFor(key.index)?.router.get(key.bytes, 2000, (error, value, version) => {
      if (error?.code === 'RESOURCE_EXHAUSTED' || error?.code === 'UNAVAILABLE') {
        this.#onRouter(20, () => this.#readOne(key, done));
        return;
      }
      if (error !== undefined) this.#fail(`${nameOf(key)} cannot be read: ${error.message}`);
      if (value === undefined) this.#model.missing(key, before, this.#wall());
      else this.#model.found(key, value, version, before, sent, this.#wall());
      done();
    });
  }

  /** Once more through the disk alone: in order, or with a last power loss. */
  async #restartAndReadBack(): Promise<void> {
    const world = this.#world;
    if (world === undefined) return;
    this.#nemesis.retire();
    if (this.#random.chance(0.5)) {
      this.#count('stops');
      this.#scheduler.after(world.main, 0, () => world.stop());
      await this.#until(() => world.isClosed, HEAL_MS_MAX, 'The service stops');
      const open = this.#disk.openFileCount;
      if (open > 0) this.#fail(`${open} files are open after the stop`);
    }
    world.goDown();
    world.reportDown();
    this.#count('powerLosses');
    this.#disk.crash(this.#random, 'synced-only');
    this.#begin();
    await this.#until(() => this.#isWhole(), HEAL_MS_MAX, 'The service starts again');
    await this.#readBack();
  }

  /** Runs until it is so; what does not become so in time is a violation. */
  async #until(isSo: () => boolean, msMax: number, what: string | (() => string)): Promise<void> {
    const deadline = this.#scheduler.now + msMax;
    await this.#scheduler.run(() => {
      this.#look();
      if (isSo()) return true;
      if (this.#scheduler.now > deadline) {
        const text = typeof what === 'string' ? what : what();
        const open = `${this.#clients.openCount} calls, ${this.#clients.oldestCall()}`;
        this.#fail(`Not within ${msMax} ms: ${text}; open: ${open}`);
      }
      return false;
    });
  }

  /** After each event: bells that were rung, and what must always be so. */
  #look(): void {
    const violation = this.#violation;
    if (violation !== undefined) throw violation;
    this.#nemesis.look();
    this.#world?.reportDown();
    const world = this.#world;
    if (world === undefined || world.isDown) return;
    world.poke();
    const { routers } = world;
    if (routers.every(({ isIdle }) => isIdle)) {
      for (const shard of world.shards) {
        if (shard?.sleepsThroughRequests) this.#fail(`${shard.thread.name} was not woken`);
      }
    }
    if (++this.#stepsSinceLook < 64) return;
    this.#stepsSinceLook = 0;
    for (const { router } of routers) {
      const { inFlight } = router.status();
      if (inFlight > IN_FLIGHT_MAX) this.#fail(`${inFlight} calls are in flight`);
    }
  }

  #onRouter(ms: number, task: () => void): void {
    const router = this.#routerFor(0);
    if (router !== undefined) this.#scheduler.after(router.thread, ms, task);
  }

  #wall() {
    return { wallMs: this.#scheduler.wallMs(), jumps: this.#scheduler.jumps };
  }

  #count(what: Counter): void {
    this.#counters[what]++;
  }

  /** Throws; where that is caught on the way, the next look throws it again. */
  #fail(text: string): never {
    this.#noteViolation(new Violation(text));
    throw this.#violation;
  }

  #noteViolation(error: unknown): void {
    if (this.#violation !== undefined) return;
    const isOurs = error instanceof Violation;
    const stack = error instanceof Error ? error.stack : undefined;
    const text = isOurs ? error.message : (stack ?? messageOf(error));
    this.#violation = isOurs ? error : new Violation(text);
    this.#trace.line(() => `VIOLATION: ${text}`);
  }

  #makeOdds(): Odds {
    const random = this.#random;
    const scheduler = this.#scheduler;
    const slowest = random.pick([0.05, 0.3, 2]);
    const jobsMs = random.pick([0.2, 5, 50]);
    return {
      diesInTurn: random.pick([0, 0, 0.0005, 0.003]),
      jobDies: random.pick([0, 0.05, 0.2]),
      jobDelay: () => scheduler.between(0.05, jobsMs) + this.#nemesis.diskDelay(),
      turnDelay: () =>
        scheduler.between(0.005, random.chance(0.1) ? slowest : 0.03) + this.#nemesis.diskDelay(),
    };
  }

  #result(): SimulationResult {
    const violation = this.#violation;
    return {
      seed: this.#seed,
      digest: this.#trace.digest,
      operations: this.#clients.issued,
      acknowledged: this.#clients.acknowledged,
      refusals: this.#clients.refusals,
      unknowns: this.#clients.unknowns,
      events: this.#scheduler.eventCount,
      simulatedMs: Math.round(this.#scheduler.now),
      counters: this.#counters,
      violation:
        violation === undefined
          ? undefined
          : {
              text: violation.message,
              operation: this.#clients.issued,
              simulatedMs: Math.round(this.#scheduler.now),
            },
    };
  }
}

const MIXES = [
  { set: 10, delete: 2, get: 5, batch: 2, conditional: 2, multiGet: 1, scan: 1, fullScan: 0 },
  { set: 6, delete: 4, get: 8, batch: 1, conditional: 4, multiGet: 1, scan: 1, fullScan: 1 },
  { set: 2, delete: 1, get: 4, batch: 8, conditional: 1, multiGet: 2, scan: 3, fullScan: 0 },
  { set: 30, delete: 2, get: 3, batch: 1, conditional: 1, multiGet: 0, scan: 0, fullScan: 0 },
];

const DOORS = { grpcAddress: '', httpAddress: '', sharesPorts: false };

function planOf(random: SeededRandom, shardCount: number): ClusterPlan {
  const arenaBytes = random.pick([16, 32]) * 1024;
  const {
    shard: _,
    dir: __,
    storeUuid: ___,
    ...engine
  } = smallOptions({
    arenaBytes,
    walSegmentBytes: random.pick([32, 48]) * 1024,
    walLiveBytesMax: random.pick([96, 192]) * 1024,
    mergeFanIn: random.pick([2, 3]),
  });
  const ring = random.pick([16, 32]) * 1024;
  return {
    dataDir: DATA_DIR,
    shardCount,
    doors: Array.from({ length: random.pick([1, 1, 2]) }, () => DOORS),
    router: {
      ...OPEN_DOOR_BOOT,
      keyBytesMax: engine.keyBytesMax,
      valueBytesMax: engine.valueBytesMax,
      inFlightMax: IN_FLIGHT_MAX,
      deadlineMsDefault: 2000,
      batchBytesMax: engine.batchBytesMax,
      batchEntriesMax: 64,
    },
    engine,
    linkSizes: {
      writeRequestBytes: ring,
      readRequestBytes: ring,
      writeReplyBytes: ring,
      readReplyBytes: ring,
    },
    arenaCount: shardCount * 2 + random.nextInt(3),
    compaction: { quickThreads: 1, mergeThreads: 2, queueMax: 32, niceIncrement: 0 },
    supervision: { restartBackoffMsMax: 400, heartbeatMsMax: 1000, ...DRAIN },
    isChaosAllowed: false,
  };
}

const DRAIN = { drainMsMax: 1000, drainDelayMs: 0 };

function makeKeys(shardCount: number): { bytes: Buffer; shard: number }[] {
  const ranges = equalSlotRanges(shardCount);
  return Array.from({ length: TAGS * KEYS_PER_TAG }, (_, i) => {
    const bytes = Buffer.from(`{tag-${Math.floor(i / KEYS_PER_TAG)}}/key-${i % KEYS_PER_TAG}`);
    const slot = slotOfKey(bytes, 0, bytes.length) % SLOT_COUNT;
    const shard = ranges.findIndex(({ first, last }) => slot >= first && slot <= last);
    return { bytes, shard };
  });
}
