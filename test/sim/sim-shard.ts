/** A shard's thread in the simulation: the shard's own code, turn by turn, parked in between. */
import { EventEmitter } from 'node:events';
import { messageOf, systemCodeOf } from '../../src/base/errors.js';
import type { FromShard, ShardBoot } from '../../src/rpc/control.js';
import { ThreadDoorbell } from '../../src/rpc/doorbell.js';
import { WORD_HEAD, WORD_TAIL } from '../../src/rpc/ring-layout.js';
import { ShardRunner } from '../../src/shard/shard-runner.js';
import type { ShardThread } from '../../src/supervisor/shard-life.js';
import { SeededRandom } from '../harness/seeded-random.js';
import type { SimEvent, SimThread } from './scheduler.js';
import { asSimPort } from './sim-channels.js';
import { ThreadDisk, ThreadKilled } from './thread-disk.js';
import type { World } from './world.js';

const PARK_MS_MAX = 50;
const ROUTER_ASLEEP_WORD = 32;

export class SimShard extends EventEmitter implements ShardThread {
  readonly shard: number;
  readonly epoch: number;
  readonly thread: SimThread;
  readonly disk: ThreadDisk;
  readonly #world: World;
  readonly #boot: ShardBoot;
  readonly #bell: ThreadDoorbell;
  readonly #runner: ShardRunner;
  /** Control words of all rings. */
  readonly #requests: Int32Array[];
  readonly #replies: Int32Array[];
  /** While parked: what the bell said, and the event that ends it. */
  #parkedOn = -1;
  #alarm: SimEvent | undefined;
  #headsAtPark: number[] = [];
  #isOver = false;
  #onGone: () => void = () => {};
  readonly #gone: Promise<void>;
  /** Control words that other threads see, as they were before what must not be seen. */
  #frozen: [words: Int32Array, index: number, value: number][] = [];

  constructor(world: World, boot: ShardBoot) {
    super();
    this.#world = world;
    this.#boot = boot;
    const [link] = boot.links;
    if (link === undefined) throw new Error('A shard has a link');
    this.#requests = boot.links
      .flatMap(({ writeRequests, readRequests }) => [writeRequests, readRequests])
      .map(({ control }) => new Int32Array(control));
    this.#replies = boot.links
      .flatMap(({ writeReplies, readReplies }) => [writeReplies, readReplies])
      .map(({ control }) => new Int32Array(control));
    this.shard = link.shard;
    this.epoch = link.epoch;
    const { scheduler } = world;
    this.thread = scheduler.thread(`shard ${this.shard}.${this.epoch}`);
    this.disk = new ThreadDisk(world.disk, scheduler, this.thread, () => this.#freeze());
    this.#bell = new ThreadDoorbell(link.shardBell);
    const random = new SeededRandom(scheduler.random.uint32());
    const { channels } = world;
    this.#runner = new ShardRunner(boot, { fs: this.disk, clock: scheduler, random, channels });
    this.#gone = new Promise((resolve) => {
      this.#onGone = resolve;
    });
    asSimPort(boot.control).tap = (message) => this.#said(message as FromShard);
    scheduler.after(this.thread, scheduler.between(0.1, 2), () => this.#open());
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  terminate(): Promise<void> {
    if (this.#isOver) return this.#gone;
    this.kill(this.#world.scheduler.random.nextInt(8));
    return this.#gone;
  }

  /** At the n-th call to the disk from now on, or, for 0, between two turns. */
  kill(n: number): void {
    const { scheduler } = this.#world;
    if (n > 0) this.disk.killAt(n);
    // At the latest after a while: a thread that waits makes no calls.
    scheduler.after(this.thread, n === 0 ? 0 : scheduler.between(0, 5), () => {
      this.thread.isDead = true;
      this.#over(1);
    });
  }

  /** Keeps the thread from running for a while. */
  stall(ms: number): void {
    this.thread.freeAt = Math.max(this.thread.freeAt, this.#world.scheduler.now + ms);
  }

  /** Call when somebody may have rung the bell. */
  poke(): void {
    if (this.#parkedOn < 0 || this.#bell.prepare() === this.#parkedOn) return;
    this.#wake();
  }

  /** Whether it sleeps although there are requests that came after it had looked. */
  get sleepsThroughRequests(): boolean {
    if (this.#parkedOn < 0 || this.thread.isDead) return false;
    if (this.#bell.prepare() !== this.#parkedOn) return false;
    return this.#requests.some((words, i) => headOf(words) !== this.#headsAtPark[i]);
  }

  #open(): void {
    this.#world.count('openings');
    this.#guard(() => {
      const isOpen = this.#runner.open();
      if (this.thread.isDead) return;
      if (isOpen) this.#later();
      else this.#over(0);
    });
  }

  #step(): void {
    const { scheduler } = this.#world;
    const seen = this.#bell.prepare();
    const heads = this.#requestHeads();
    const repliesBefore = this.#replyHeads();
    this.#guard(() => {
      const step = this.#runner.step();
      if (this.thread.isDead) return;
      if (step.kind === 'ended') {
        this.#over(0);
        return;
      }
      this.#runner.publishFigures();
      if (scheduler.random.chance(this.#world.odds.diesInTurn)) {
        this.#world.count('kills');
        this.#dieAnswering(repliesBefore);
        return;
      }
      this.thread.freeAt = scheduler.now + scheduler.between(0.005, 0.06);
      const wait = step.kind === 'until' ? Math.min(PARK_MS_MAX, step.ms - scheduler.now) : 0;
      if (wait <= 0) this.#later();
      else this.#park(seen, heads, wait);
    });
  }

  #later(): void {
    const { scheduler, odds } = this.#world;
    scheduler.after(this.thread, odds.turnDelay(), () => this.#step());
  }

  #park(seen: number, heads: number[], ms: number): void {
    this.#parkedOn = seen;
    this.#headsAtPark = heads;
    this.#alarm = this.#world.scheduler.after(this.thread, ms, () => this.#wake());
    this.poke();
  }

  #wake(): void {
    this.#parkedOn = -1;
    if (this.#alarm !== undefined) this.#world.scheduler.cancel(this.#alarm);
    this.#alarm = undefined;
    this.#later();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof ThreadKilled) && !this.disk.isDown && !this.thread.isDead) {
        this.#threw(error);
        return;
      }
    }
    if (this.disk.isDown) this.#world.goDown();
    else if (this.thread.isDead && !this.#isOver) {
      for (const [words, index, value] of this.#frozen) Atomics.store(words, index, value);
      this.#over(1);
    }
  }

  #threw(error: unknown): void {
    const { scheduler } = this.#world;
    if (systemCodeOf(error) === undefined) {
      this.#world.violation(`${this.thread.name} threw: ${stackOf(error)}`);
    }
    scheduler.after(this.#world.main, 0, () => this.emit('error', error));
    this.thread.isDead = true;
    this.#over(1);
  }

  /** After its turn: of what it answered in it nothing was published, unless it was read. */
  #dieAnswering(heads: number[]): void {
    this.thread.isDead = true;
    this.#replies.forEach((words, i) => {
      const head = heads[i] ?? 0;
      if (((Atomics.load(words, WORD_TAIL) - head) | 0) <= 0) Atomics.store(words, WORD_HEAD, head);
    });
  }

  #freeze(): void {
    this.#world.count('killsInCalls');
    this.#frozen = [];
    for (const link of this.#boot.links) {
      this.#keep(link.writeReplies.control, WORD_HEAD);
      this.#keep(link.readReplies.control, WORD_HEAD);
      this.#keep(link.writeRequests.control, WORD_TAIL);
      this.#keep(link.readRequests.control, WORD_TAIL);
      this.#keep(link.routerBell, ROUTER_ASLEEP_WORD);
    }
  }

  #keep(memory: SharedArrayBuffer, index: number): void {
    const words = new Int32Array(memory);
    this.#frozen.push([words, index, Atomics.load(words, index)]);
  }

  #over(exitCode: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.thread.isDead = true;
    this.disk.closeAll();
    const { scheduler } = this.#world;
    this.#world.trace.line(() => `${this.thread.name} is gone (${exitCode})`);
    scheduler.after(this.#world.main, scheduler.between(0.05, 2), () => {
      this.#world.shardGone(this);
      this.emit('exit', exitCode);
      this.#onGone();
    });
  }

  #said(message: FromShard): void {
    const { trace } = this.#world;
    if (message.kind === 'ready') {
      trace.line(() => `${this.thread.name} is ready at sequence ${message.lastSequence}`);
      this.#world.shardReady(this.shard, this.epoch, message.lastSequence);
    } else if (this.disk.isDown) {
      // Nobody is there to hear it.
    } else if (message.kind === 'refused' || message.kind === 'poisoned') {
      trace.line(() => `${this.thread.name} ${message.kind}: ${message.message}`);
      this.#world.shardSaid(this.shard, message);
    }
  }

  #requestHeads(): number[] {
    return this.#requests.map(headOf);
  }

  #replyHeads(): number[] {
    return this.#replies.map(headOf);
  }
}

function headOf(words: Int32Array): number {
  return Atomics.load(words, WORD_HEAD);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
}
