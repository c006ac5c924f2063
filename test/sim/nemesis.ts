/** What goes wrong, by seed: which faults a seed has, how often, and how they look. */

import type { SimulatedDisk } from '../harness/simulated-disk.js';
import { CRASH_MODES } from '../harness/simulated-file.js';
import type { OperationKind } from '../harness/simulated-operations.js';
import type { Scheduler, SimThread } from './scheduler.js';
import type { Counter, World } from './world.js';

export interface NemesisOptions {
  scheduler: Scheduler;
  disk: SimulatedDisk;
  world: () => World | undefined;
  /** The process starts again. */
  restart: () => void;
  count: (what: Counter) => void;
  /** Codes that calls may fail with while the disk fails. */
  excuse: (codes: readonly string[]) => void;
}

const FAULTS = [
  'killShard',
  'killJob',
  'killProcess',
  'losePower',
  'stop',
  'failDisk',
  'failSync',
  'fillDisk',
  'slowDisk',
  'stallShard',
  'stallRouter',
  'jumpWall',
] as const;
type Fault = (typeof FAULTS)[number];

const DISK_KINDS: readonly OperationKind[] = [
  'open',
  'write',
  'read',
  'sync',
  'rename',
  'remove',
  'syncDir',
  'list',
  'link',
];
const DISK_CODES = ['EIO', 'ENOSPC', 'EMFILE'];
/** Answers that were made while the disk failed are there by then. */
const ANSWERS_MS = 3000;

export class Nemesis {
  readonly #options: NemesisOptions;
  readonly #thread: SimThread;
  readonly #faults: Fault[];
  readonly #everyMs: number;
  #isOver = false;
  #isRetired = false;
  #slowUntil = 0;
  #isSlow = 0;
  /** What the disk keeps when the machine goes down. */
  #keepsPageCache = false;
  #isGoingDown = false;
  #stopping: World | undefined;
  /** Each order of a machine to go down, and what may answer to it. */
  #orders = 0;
  #troubles = 0;

  constructor(options: NemesisOptions) {
    this.#options = options;
    const { scheduler } = options;
    const { random } = scheduler;
    this.#thread = scheduler.thread('nemesis');
    this.#faults = FAULTS.filter(() => random.chance(0.5));
    this.#everyMs = random.pick([15, 60, 250]);
  }

  start(): void {
    const { scheduler } = this.#options;
    if (this.#faults.length > 0) this.#next();
    this.#trace(() => `faults: ${this.#faults.join(' ')} every ${this.#everyMs} ms`);
    void scheduler;
  }

  /** No more faults, and the end of those that are there. */
  stop(): void {
    this.#isOver = true;
    this.#isSlow = 0;
    this.#isGoingDown = false;
    this.#orders++;
    this.#endOfDiskTrouble();
  }

  /** From now on somebody else says when the service ends and begins. */
  retire(): void {
    this.#isRetired = true;
  }

  /** How much longer something takes because of the disk. */
  diskDelay(): number {
    const { scheduler } = this.#options;
    if (this.#isSlow === 0 || scheduler.now > this.#slowUntil) return 0;
    return scheduler.random.chance(0.2) ? scheduler.between(0, this.#isSlow) : 0;
  }

  /** After each event. */
  look(): void {
    const world = this.#stopping;
    if (world === undefined || !world.isClosed || world.isDown) return;
    this.#stopping = undefined;
    this.#keepsPageCache = true;
    world.goDown();
  }

  /** The process or the machine went down: what is left of the disk, and a new start. */
  wentDown(): void {
    const { scheduler, disk } = this.#options;
    const { random } = scheduler;
    this.#isGoingDown = false;
    this.#stopping = undefined;
    this.#orders++;
    if (this.#isRetired) return;
    if (this.#keepsPageCache) disk.processCrash();
    else {
      const mode = random.chance(0.5) ? 'subset' : random.pick(CRASH_MODES);
      this.#trace(() => `the power fails: ${mode}`);
      disk.crash(random, mode);
    }
    this.#endOfDiskTrouble();
    scheduler.after(this.#thread, scheduler.between(0.5, 20), () => this.#options.restart());
  }

  #next(): void {
    const { scheduler } = this.#options;
    const ms = scheduler.between(0, 2 * this.#everyMs);
    scheduler.after(this.#thread, ms, () => {
      if (this.#isOver) return;
      this.#strike(scheduler.random.pick(this.#faults));
      this.#next();
    });
  }

  #strike(fault: Fault): void {
    const { scheduler } = this.#options;
    const { random } = scheduler;
    const world = this.#options.world();
    if (world === undefined || world.isDown || this.#isGoingDown) return;
    this.#trace(() => `fault: ${fault}`);
    switch (fault) {
      case 'killShard':
        this.#killShard(world);
        return;
      case 'killJob':
        void world.pool.killThread(random.pick(['quick', 'merge'] as const));
        return;
      case 'killProcess':
        this.#goDown(world, true);
        return;
      case 'losePower':
        this.#goDown(world, false);
        return;
      case 'stop':
        this.#stop(world);
        return;
      case 'failDisk':
        this.#failDisk(random.pick(DISK_KINDS), random.pick(DISK_CODES));
        return;
      case 'failSync':
        this.#failDisk(random.pick(['sync', 'syncDir', 'write'] as const), 'EIO');
        return;
      default:
        this.#disturb(world, fault);
    }
  }

  #disturb(world: World, fault: Fault): void {
    const { scheduler, disk, count } = this.#options;
    const { random } = scheduler;
    if (fault === 'fillDisk') {
      count('fullDisks');
      disk.quotaBytes = disk.usedBytes + random.nextInt(64) * 1024;
      scheduler.after(this.#thread, scheduler.between(5, 300), () => {
        disk.quotaBytes = 2 ** 40;
      });
    } else if (fault === 'slowDisk') {
      count('slowDisks');
      this.#isSlow = random.pick([1, 10, 100]);
      this.#slowUntil = scheduler.now + scheduler.between(10, 300);
    } else if (fault === 'stallShard') {
      count('stalls');
      const shard = random.pick(world.shards);
      shard?.stall(random.chance(0.2) ? scheduler.between(1000, 3000) : scheduler.between(1, 300));
    } else if (fault === 'stallRouter') {
      count('stalls');
      if (world.routers.length === 0) return;
      random.pick(world.routers).thread.freeAt = scheduler.now + scheduler.between(1, 200);
    } else {
      count('jumps');
      const days = 86_400_000;
      scheduler.jumpWall(
        random.chance(0.5) ? random.nextInt(500) - 250 : random.pick([days, -days]),
      );
    }
  }

  #killShard(world: World): void {
    const { scheduler, count } = this.#options;
    const shard = scheduler.random.pick(world.shards);
    if (shard === undefined) return;
    count('kills');
    shard.kill(scheduler.random.chance(0.7) ? 1 + scheduler.random.nextInt(16) : 0);
  }

  /** Between two events, or within a call that changes the disk. */
  #goDown(world: World, keepsPageCache: boolean): void {
    const { scheduler, disk, count } = this.#options;
    count(keepsPageCache ? 'processKills' : 'powerLosses');
    this.#keepsPageCache = keepsPageCache;
    if (scheduler.random.chance(0.2)) {
      world.goDown();
      return;
    }
    this.#isGoingDown = true;
    const order = ++this.#orders;
    disk.crashBeforeChange(1 + scheduler.random.nextInt(12));
    // An idle service changes nothing.
    scheduler.after(this.#thread, 20, () => {
      if (order === this.#orders) world.goDown();
    });
  }

  #stop(world: World): void {
    if (world.cluster === undefined || this.#stopping !== undefined) return;
    this.#options.count('stops');
    this.#stopping = world;
    world.scheduler.after(world.main, 0, () => world.stop());
  }

  #failDisk(kind: OperationKind, code: string): void {
    const { scheduler, disk, count, excuse } = this.#options;
    const { random } = scheduler;
    count('diskErrors');
    const sticky = random.chance(0.2);
    const isShort = kind === 'write' && random.chance(0.3);
    disk.fail({ kind, code: isShort ? 'SHORT' : code, nth: 1 + random.nextInt(20), sticky });
    this.#troubles++;
    excuse(['INTERNAL']);
    scheduler.after(this.#thread, scheduler.between(5, 200), () => this.#endOfDiskTrouble());
  }

  #endOfDiskTrouble(): void {
    const { disk, excuse, scheduler } = this.#options;
    disk.quotaBytes = 2 ** 40;
    if (this.#isGoingDown) return;
    disk.clearFaults();
    const trouble = this.#troubles;
    scheduler.after(this.#thread, ANSWERS_MS, () => {
      if (trouble === this.#troubles) excuse([]);
    });
  }

  #trace(text: () => string): void {
    this.#options.scheduler.trace.line(text);
  }
}
