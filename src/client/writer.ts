/**
 * Takes writes one by one or in batches, sends them in flights over all connections, and sends
 * again what failed and may be repeated, until its deadline.
 *
 * Single writes gather until the turn of the event loop ends (or for `lingerMs`), and longer while
 * every connection has its share of flights on the way: the busier the client, the larger its
 * batches. A flight is never in two places, so no write is sent twice while an answer may come.
 */
import { StormError } from '../base/errors.js';
import { RunBuilder } from '../base/run-builder.js';
import type { BatchAnswer } from '../rpc/client-codec.js';
import { Flight, type FlightOwner } from './flight.js';
import type { ClientTimers } from './timers.js';
import { deadlineError, type WriteLane } from './write-lane.js';

const RETRY_MS_FIRST = 10;
const RETRY_MS_MAX = 1000;

export interface WriterOptions {
  batchEntriesMax: number;
  batchBytesMax: number;
  lingerMs: number;
  backlogEntriesMax: number;
  deadlineMs: number;
  /** Whether a write may be repeated that perhaps was applied. */
  retryUnknown: boolean;
}

type Settle = (error: StormError | undefined) => void;

/** Single writes that travel together. */
class Gathered implements FlightOwner {
  readonly builder = new RunBuilder();
  readonly settles: Settle[] = [];
  readonly #onSettled: (entries: number) => void;

  constructor(onSettled: (entries: number) => void) {
    this.#onSettled = onSettled;
  }

  wrote(flight: Flight, isFailed: (index: number) => boolean): void {
    let written = 0;
    for (let i = 0; i < flight.count; i++) {
      if (isFailed(i)) continue;
      written++;
      this.settles[flight.ownersIndex(i)]?.(undefined);
    }
    this.#onSettled(written);
  }

  failed(index: number, error: StormError): void {
    this.settles[index]?.(error);
    this.#onSettled(1);
  }
}

export class Writer {
  /** Writes that are not settled, and the bytes of the flights that carry them. */
  backlogEntries = 0;
  readonly #options: WriterOptions;
  readonly #timers: ClientTimers;
  #lanes: WriteLane[] = [];
  #gathered: Gathered | undefined;
  #isSoon = false;
  /** Ready to go, but every connection is busy. */
  readonly #ready: Flight[] = [];
  /** Failed, waiting for their time. */
  readonly #resting = new Set<Flight>();
  #roomWaiters: (() => void)[] = [];
  #next = 0;
  #isClosed = false;

  constructor(options: WriterOptions, timers: ClientTimers) {
    this.#options = options;
    this.#timers = timers;
  }

  useLanes(lanes: WriteLane[]): void {
    this.#lanes = lanes;
  }

  /** `value` undefined deletes. Settles when the write is durable or has failed for good. */
  write(key: Uint8Array, value: Uint8Array | undefined, ttlMs: number, settle: Settle): void {
    const refusal = this.#refusal(1);
    if (refusal !== undefined) {
      settle(refusal);
      return;
    }
    this.#gathered ??= new Gathered((entries) => this.#settled(entries));
    const { builder, settles } = this.#gathered;
    if (value === undefined) builder.delete(key);
    else builder.put(key, value, ttlMs);
    settles.push(settle);
    this.backlogEntries++;
    const { batchEntriesMax, batchBytesMax } = this.#options;
    if (builder.count >= batchEntriesMax || builder.length >= batchBytesMax) this.#launch();
    else this.#launchSoon();
  }

  /** A batch of its own; `owner` is told of its entries. Throws RESOURCE_EXHAUSTED. */
  writeRun(run: Uint8Array, count: number, owner: FlightOwner, deadlineMs: number): void {
    const refusal = this.#refusal(count);
    if (refusal !== undefined) throw refusal;
    this.backlogEntries += count;
    const counting: FlightOwner = {
      wrote: (flight, isFailed) => {
        let written = flight.count;
        for (let i = 0; i < flight.count; i++) if (isFailed(i)) written--;
        owner.wrote(flight, isFailed);
        this.#settled(written);
      },
      failed: (index, error) => {
        owner.failed(index, error);
        this.#settled(1);
      },
    };
    this.#ready.push(new Flight(run, count, counting, this.#timers.monotonicMs() + deadlineMs));
    this.#dispatch();
  }

  /** The backlog is below half of its bound. */
  get hasRoom(): boolean {
    return this.backlogEntries < this.#options.backlogEntriesMax / 2;
  }

  /** Resolves when it has room. */
  room(): Promise<void> {
    if (this.hasRoom) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  answered(flight: Flight, answer: BatchAnswer): void {
    const repeat = flight.settle(answer, (error) => this.#mayRepeat(error));
    if (repeat !== undefined) this.#rest(repeat.flight, repeat.retryAfterMs, repeat.because);
  }

  lost(flight: Flight, error: StormError): void {
    if (flight.isOver) return;
    if (this.#mayRepeat(error)) this.#rest(flight.repeat(), error.retryAfterMs ?? 0, error);
    else flight.fail(error);
  }

  /** Sends what waits, as far as connections have room. */
  dispatch(): void {
    this.#dispatch();
    if (this.#gathered !== undefined && this.#ready.length === 0) this.#launchSoon();
  }

  /** Call every few milliseconds. */
  expire(nowMs: number): void {
    for (const lane of this.#lanes) lane.expire(nowMs);
    const late = this.#ready.filter(({ deadlineMs }) => nowMs >= deadlineMs);
    for (const flight of late) {
      this.#ready.splice(this.#ready.indexOf(flight), 1);
      flight.fail(deadlineError(false));
    }
    this.#dispatch();
  }

  /** Resolves when everything is settled. */
  async drained(): Promise<void> {
    while (this.backlogEntries > 0) {
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
    }
  }

  close(): void {
    this.#isClosed = true;
    const closed = new StormError('UNAVAILABLE', 'The client was closed before the write was sent');
    const gathered = this.#takeGathered();
    const flights = [...this.#ready.splice(0), ...this.#resting];
    this.#resting.clear();
    for (const flight of gathered === undefined ? flights : [gathered, ...flights]) {
      flight.fail(closed);
    }
  }

  #refusal(count: number): StormError | undefined {
    if (this.#isClosed) return new StormError('FAILED_PRECONDITION', 'The client is closed');
    const { backlogEntriesMax } = this.#options;
    if (this.backlogEntries + count <= backlogEntriesMax) return undefined;
    const text =
      `${this.backlogEntries} writes wait already, at most ${backlogEntriesMax} may ` +
      '(backlogEntriesMax): await some, or use writable()';
    return new StormError('RESOURCE_EXHAUSTED', text);
  }

  #launchSoon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    const go = (): void => {
      this.#isSoon = false;
      // With every connection busy it gathers on, until `dispatch`.
      if (this.#ready.length === 0 && this.#freeLane() !== undefined) this.#launch();
    };
    if (this.#options.lingerMs > 0) this.#timers.after(this.#options.lingerMs, go);
    else this.#timers.soon(go);
  }

  #launch(): void {
    const flight = this.#takeGathered();
    if (flight === undefined) return;
    this.#ready.push(flight);
    this.#dispatch();
  }

  #takeGathered(): Flight | undefined {
    const gathered = this.#gathered;
    if (gathered === undefined) return undefined;
    this.#gathered = undefined;
    const { builder } = gathered;
    const deadlineMs = this.#timers.monotonicMs() + this.#options.deadlineMs;
    return new Flight(builder.runView(), builder.count, gathered, deadlineMs);
  }

  #dispatch(): void {
    while (this.#ready.length > 0) {
      const lane = this.#freeLane();
      if (lane === undefined) return;
      const flight = this.#ready.shift();
      if (flight !== undefined) lane.send(flight);
    }
  }

  /** The usable connection with the least on its way; in turn among equals. */
  #freeLane(): WriteLane | undefined {
    const now = this.#timers.monotonicMs();
    let best: WriteLane | undefined;
    this.#next++;
    for (let i = 0; i < this.#lanes.length; i++) {
      const lane = this.#lanes[(this.#next + i) % this.#lanes.length];
      if (lane === undefined || !lane.takesMore || !lane.isUsable(now)) continue;
      if (best === undefined || lane.load < best.load) best = lane;
    }
    return best;
  }

  #mayRepeat({ code, outcome }: StormError): boolean {
    if (this.#isClosed) return false;
    if (outcome === 'unknown' && !this.#options.retryUnknown) return false;
    return code === 'UNAVAILABLE' || code === 'RESOURCE_EXHAUSTED' || code === 'WRONG_SHARD';
  }

  /** Sends it again after a pause, unless its deadline comes first. */
  #rest(flight: Flight, retryAfterMs: number, because: StormError): void {
    const backoff = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** (flight.attempt - 1));
    const pauseMs = Math.max(retryAfterMs, backoff) * (0.5 + this.#timers.random());
    if (this.#timers.monotonicMs() + pauseMs >= flight.deadlineMs) {
      flight.fail(because);
      return;
    }
    this.#resting.add(flight);
    this.#timers.after(pauseMs, () => {
      if (!this.#resting.delete(flight)) return;
      this.#ready.push(flight);
      this.#dispatch();
    });
  }

  #settled(entries: number): void {
    this.backlogEntries -= entries;
    if (this.#roomWaiters.length === 0) return;
    if (!this.hasRoom) return;
    for (const go of this.#roomWaiters.splice(0)) go();
  }
}
