/**
 * The calls that a router has sent and that are not answered by a shard yet. Bounded; owned by the
 * router's thread. A place has a number and a generation; both make the call's id, so that an
 * answer to an earlier user of the place is recognised.
 *
 * A call whose deadline passed is answered at once, but keeps its place until the shard's reply
 * comes or its link dies: that way the table also bounds what shards still have to do.
 */
import { assert } from '../base/assert.js';
import type { StormError } from '../base/errors.js';
import type { ReadDone, WriteDone } from '../rpc/kv-operations.js';
import type { ReplyView } from '../rpc/messages.js';

const FREE = 0;
const WAITING = 1;
/** Answered to the caller (its deadline passed), not yet by the shard. */
const ANSWERED = 2;
export const IN_FLIGHT_MAX = 2 ** 20;

/** Waits for the answer to a call that is neither a plain write nor a plain read. */
export interface CallHandler {
  readonly isWrite: boolean;
  /** Items that the reply has lie in `bytes`, which are the ring's: copy them. */
  reply(reply: ReplyView, bytes: Uint8Array): void;
  /** The last that is heard of the call. */
  fail(error: StormError): void;
}

/** What to call when the answer comes: one of the three is set. */
export interface Waiter {
  write: WriteDone | undefined;
  read: ReadDone | undefined;
  handler: CallHandler | undefined;
}

export class InFlightTable {
  readonly capacity: number;
  readonly #placeBits: number;
  readonly #states: Uint8Array;
  readonly #generations: Uint32Array;
  readonly #shards: Uint16Array;
  readonly #deadlines: Float64Array;
  readonly #writes: (WriteDone | undefined)[];
  readonly #reads: (ReadDone | undefined)[];
  readonly #handlers: (CallHandler | undefined)[];
  readonly #freePlaces: Uint32Array;
  #freeCount: number;
  /** No waiting call's deadline is earlier than this. */
  #earliestDeadlineMs = Infinity;

  constructor(capacity: number) {
    assert(capacity >= 1 && capacity <= IN_FLIGHT_MAX, `1 to ${IN_FLIGHT_MAX} calls in flight`);
    this.capacity = capacity;
    this.#placeBits = Math.ceil(Math.log2(Math.max(2, capacity)));
    this.#states = new Uint8Array(capacity);
    this.#generations = new Uint32Array(capacity);
    this.#shards = new Uint16Array(capacity);
    this.#deadlines = new Float64Array(capacity);
    this.#writes = new Array<WriteDone | undefined>(capacity).fill(undefined);
    this.#reads = new Array<ReadDone | undefined>(capacity).fill(undefined);
    this.#handlers = new Array<CallHandler | undefined>(capacity).fill(undefined);
    this.#freePlaces = new Uint32Array(capacity);
    for (let i = 0; i < capacity; i++) this.#freePlaces[i] = capacity - 1 - i;
    this.#freeCount = capacity;
  }

  /** Places taken, answered or not. */
  get count(): number {
    return this.capacity - this.#freeCount;
  }

  get freeCount(): number {
    return this.#freeCount;
  }

  /** Whether `open` may be called. */
  get hasRoom(): boolean {
    return this.#freeCount > 0;
  }

  /** The id that the next `open` gives; the frame can so be written before the place is taken. */
  nextCallId(): number {
    assert(this.#freeCount > 0, 'a call is opened only where there is room');
    return this.#callIdOf(this.#freePlaces[this.#freeCount - 1]!);
  }

  /** Takes the place of `nextCallId()`. One of the last three is given. */
  open(
    shard: number,
    deadlineMs: number,
    write: WriteDone | undefined,
    read: ReadDone | undefined,
    handler: CallHandler | undefined,
  ): void {
    assert(this.#freeCount > 0, 'a call is opened only where there is room');
    const place = this.#freePlaces[--this.#freeCount]!;
    this.#states[place] = WAITING;
    this.#shards[place] = shard;
    this.#deadlines[place] = deadlineMs;
    this.#writes[place] = write;
    this.#reads[place] = read;
    this.#handlers[place] = handler;
    if (deadlineMs < this.#earliestDeadlineMs) this.#earliestDeadlineMs = deadlineMs;
  }

  /**
   * Frees the place of a call that its shard answered, and puts who waits into `into` (nobody, when
   * the deadline had passed). False when the id is not one of a call in flight to that shard.
   */
  close(callId: number, shard: number, into: Waiter): boolean {
    const place = this.#placeOf(callId, shard);
    if (place < 0) return false;
    this.#take(place, into);
    this.#free(place);
    return true;
  }

  /** As `close`, but more of the answer is to come: the place stays taken. */
  find(callId: number, shard: number, into: Waiter): boolean {
    const place = this.#placeOf(callId, shard);
    if (place < 0) return false;
    into.write = this.#writes[place];
    into.read = this.#reads[place];
    into.handler = this.#handlers[place];
    return true;
  }

  /** Answers, through `each`, every call whose deadline is not after `nowMs`. */
  expire(nowMs: number, each: (waiter: Waiter) => void): void {
    if (nowMs < this.#earliestDeadlineMs) return;
    let earliest = Infinity;
    const late: Waiter[] = [];
    for (let place = 0; place < this.capacity; place++) {
      if (this.#states[place] !== WAITING) continue;
      const deadline = this.#deadlines[place]!;
      if (deadline > nowMs) {
        if (deadline < earliest) earliest = deadline;
        continue;
      }
      const waiter: Waiter = { write: undefined, read: undefined, handler: undefined };
      this.#take(place, waiter);
      this.#states[place] = ANSWERED;
      late.push(waiter);
    }
    this.#earliestDeadlineMs = earliest;
    // Last, because a waiter may start new calls.
    for (const waiter of late) each(waiter);
  }

  /** Frees the places of all calls to a shard whose link died; `each` gets those still waiting. */
  closeShard(shard: number, each: (waiter: Waiter) => void): void {
    const waiting: Waiter[] = [];
    for (let place = 0; place < this.capacity; place++) {
      if (this.#states[place] === FREE || this.#shards[place] !== shard) continue;
      if (this.#states[place] === WAITING) {
        const waiter: Waiter = { write: undefined, read: undefined, handler: undefined };
        this.#take(place, waiter);
        waiting.push(waiter);
      }
      this.#free(place);
    }
    for (const waiter of waiting) each(waiter);
  }

  #take(place: number, into: Waiter): void {
    into.write = this.#writes[place];
    into.read = this.#reads[place];
    into.handler = this.#handlers[place];
    this.#writes[place] = undefined;
    this.#reads[place] = undefined;
    this.#handlers[place] = undefined;
  }

  #placeOf(callId: number, shard: number): number {
    const place = callId & (2 ** this.#placeBits - 1);
    if (place >= this.capacity || this.#states[place] === FREE) return -1;
    return this.#callIdOf(place) === callId && this.#shards[place] === shard ? place : -1;
  }

  #free(place: number): void {
    this.#states[place] = FREE;
    this.#generations[place] = (this.#generations[place]! + 1) >>> 0;
    this.#freePlaces[this.#freeCount++] = place;
  }

  #callIdOf(place: number): number {
    // Generations wrap where the id's 32 bits end.
    return ((this.#generations[place]! << this.#placeBits) | place) >>> 0;
  }
}
