/**
 * Simulated time and threads. Everything that happens is an event on a thread; events run in the
 * order of their times, which are drawn, so the seed decides the interleaving. A thread runs one
 * event at a time; while one runs, others may run inside of it at yield points, as threads do.
 */
import type { Clock } from '../../src/base/clock.js';
import { SeededRandom } from '../harness/seeded-random.js';
import type { Trace } from './trace.js';

export interface SimThread {
  readonly name: string;
  readonly id: number;
  /** It runs no event any more. */
  isDead: boolean;
  /** It is busy or stalled until then. */
  freeAt: number;
  /** An event of it runs. */
  isActive: boolean;
  /** Promises run after each of its events, so it is never nested. */
  readonly hasPromises: boolean;
}

export interface SimEvent {
  at: number;
  readonly order: number;
  readonly thread: SimThread;
  task: (() => void) | undefined;
}

/** So far ahead a nested event may lie. */
const NESTED_AHEAD_MS = 0.1;
const NESTED_DEPTH_MAX = 2;
/** Enough for every chain of promises in the supervisor. */
const MICROTASK_ROUNDS = 40;

export class Scheduler implements Clock {
  readonly random: SeededRandom;
  readonly trace: Trace;
  current: SimThread;
  now = 0;
  eventCount = 0;
  /** How often the wall clock was set. */
  jumps = 0;
  /** Chance of another thread running at a yield point. */
  nestChance = 0;
  #wallOffsetMs = Date.UTC(2024, 0, 1);
  #heap: SimEvent[] = [];
  #orders = 0;
  #threads = 0;
  #depth = 0;

  constructor(seed: number, trace: Trace) {
    this.random = new SeededRandom(seed);
    this.trace = trace;
    this.current = this.thread('nobody');
  }

  wallMs(): number {
    return Math.floor(this.#wallOffsetMs + this.now);
  }

  monotonicMs(): number {
    return this.now;
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
    this.jumps++;
  }

  thread(name: string, hasPromises = false): SimThread {
    const id = this.#threads++;
    return { name, id, isDead: false, freeAt: 0, isActive: false, hasPromises };
  }

  /** A number of milliseconds between the two. */
  between(from: number, to: number): number {
    return from + this.random.float() * (to - from);
  }

  after(thread: SimThread, ms: number, task: () => void): SimEvent {
    const event = { at: this.now + ms, order: this.#orders++, thread, task };
    this.#push(event);
    return event;
  }

  cancel(event: SimEvent): void {
    event.task = undefined;
  }

  every(thread: SimThread, ms: number, task: () => void): () => void {
    let event: SimEvent;
    const again = () => {
      event = this.after(thread, ms, again);
      task();
    };
    event = this.after(thread, ms, again);
    return () => this.cancel(event);
  }

  /** Runs events until `isDone`, which is asked after each of them. */
  async run(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      const event = this.#pop();
      if (event === undefined) throw new Error('Nothing will ever happen again');
      if (!this.#execute(event)) continue;
      if (!event.thread.hasPromises) continue;
      const nobody = this.current;
      this.current = event.thread;
      for (let i = 0; i < MICROTASK_ROUNDS; i++) await undefined;
      this.current = nobody;
    }
  }

  /** Other threads may run here, in the middle of what the current one does. */
  yieldPoint(): void {
    if (this.#depth >= NESTED_DEPTH_MAX || !this.random.chance(this.nestChance)) return;
    const outer = this.current;
    this.#depth++;
    for (let left = 1 + this.random.nextInt(4); left > 0; left--) {
      const next = this.#heap[0];
      if (next === undefined || next.at > this.now + NESTED_AHEAD_MS) break;
      if (next.task !== undefined && (next.thread.isActive || next.thread.hasPromises)) break;
      this.#pop();
      this.#execute(next);
    }
    this.#depth--;
    this.current = outer;
  }

  /** False when the event was no longer wanted, or its thread is busy until later. */
  #execute(event: SimEvent): boolean {
    const { thread, task } = event;
    if (task === undefined || thread.isDead) return false;
    if (thread.freeAt > event.at) {
      event.at = thread.freeAt;
      this.#push(event);
      return false;
    }
    if (event.at > this.now) this.now = event.at;
    this.eventCount++;
    this.trace.event(this.now, thread.id);
    const outer = this.current;
    this.current = thread;
    thread.isActive = true;
    try {
      task();
    } finally {
      thread.isActive = false;
      this.current = outer;
    }
    return true;
  }

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as SimEvent;
      if (!isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): SimEvent | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as SimEvent)) child++;
      const below = heap[child] as SimEvent;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
