/**
 * The calls of one router to all shards: finds the shard of a key, takes a place in the in-flight
 * table for every frame that is sent, and answers from the reply lanes. What the frames mean is for
 * the operations. Owner: one router thread; nothing here waits or allocates per call.
 *
 * 1. All frames of one turn of the event loop ring the shard's bell once (`flush`).
 * 2. `pump` answers from the reply lanes, in batches.
 * 3. A link that dies answers all its calls: UNAVAILABLE, of writes the outcome is unknown.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { ENTRY_OVERHEAD_BYTES_MAX, RUN_HEADER_BYTES } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import { SLOT_COUNT, slotOfKey } from '../base/slot.js';
import type { ReadDone, WriteDone } from '../rpc/kv-operations.js';
import type { RouterEnd } from '../rpc/link.js';
import { decodeReply, ReplyView, requestBytes, valueBytesMaxOf } from '../rpc/messages.js';
import { MESSAGE_VALUES } from '../rpc/read-messages.js';
import type { RingConsumer } from '../rpc/ring-channel.js';
import { frameBodyBytesMax, frameBytes } from '../rpc/ring-layout.js';
import {
  busyError,
  damagedError,
  deadlineError,
  lostError,
  notServingError,
} from './call-errors.js';
import { deliver, refuse } from './deliver.js';
import { type CallHandler, InFlightTable, type Waiter } from './in-flight-table.js';
import { STARTING } from './readiness.js';
import type { RouterLimits, RouterStatus, ServingSeat, ShardSeat } from './router-types.js';

export interface RouterOptions {
  clock: Clock;
  limits: RouterLimits;
  shardCount: number;
  /** The owning shard of each slot. */
  slotOwner: Uint16Array;
  slotMapEpoch: number;
  /** Runs a task after the work of this turn of the event loop: `setImmediate`. */
  soon: (task: () => void) => void;
  /** Runs a task after so long; watches need it. */
  after?: (ms: number, task: () => void) => () => void;
  /** A link turned out damaged and was dropped: its shard must be restarted. */
  onDamage: (shard: number, epoch: number, error: StormError) => void;
}

/** Replies answered per lane and pump, so that a storm of replies does not starve the doors. */
const PUMP_FRAMES_MAX = 2048;
/** Read frames are given back this often, so that the shard need not wait for the whole batch. */
const RELEASE_EVERY_FRAMES = 128;

export class ShardCalls {
  readonly #options: RouterOptions;
  readonly #limits: RouterLimits;
  readonly #calls: InFlightTable;
  readonly #seats: ShardSeat[];
  readonly #reply = new ReplyView();
  readonly #waiter: Waiter = { write: undefined, read: undefined, handler: undefined };
  #roomWaiters: (() => void)[] = [];
  readonly #flushTask = () => this.flush();
  #flushScheduled = false;
  #draining = false;

  constructor(options: RouterOptions) {
    assert(options.slotOwner.length === SLOT_COUNT, 'the slot map names an owner for each slot');
    assert(
      options.slotOwner.every((owner) => owner < options.shardCount),
      'the slot map names only shards that exist',
    );
    this.#options = options;
    this.#limits = options.limits;
    this.#calls = new InFlightTable(options.limits.inFlightMax);
    this.#seats = Array.from({ length: options.shardCount }, (_, shard) => ({
      shard,
      state: 'down',
      reason: STARTING,
      link: undefined,
      isDirty: false,
    }));
  }

  get slotMapEpoch(): number {
    return this.#options.slotMapEpoch;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get shardCount(): number {
    return this.#options.shardCount;
  }

  /** The shard that owns the key at [start, start + length). */
  ownerOf(bytes: Uint8Array, start: number, length: number): number {
    return this.#options.slotOwner[slotOfKey(bytes, start, length)]!;
  }

  /** The shard, or why it may not be called. */
  serving(shard: number): ServingSeat | StormError {
    const seat = this.#seat(shard);
    return hasLink(seat) ? seat : notServingError(seat, this.#limits.downRetryAfterMs);
  }

  /** The id for the next call's frame; −1 when no more calls may be in flight. */
  nextCallId(): number {
    return this.#calls.hasRoom ? this.#calls.nextCallId() : -1;
  }

  /** Takes the place of `nextCallId()`: its frame is, or is at once, published. */
  begin(
    seat: ShardSeat,
    timeoutMs: number,
    write: WriteDone | undefined,
    read: ReadDone | undefined,
    handler: CallHandler | undefined,
  ): void {
    const { clock, soon } = this.#options;
    const wait = timeoutMs === Infinity ? this.#limits.deadlineMsDefault : timeoutMs;
    this.#calls.open(seat.shard, clock.monotonicMs() + wait, write, read, handler);
    seat.isDirty = true;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    soon(this.#flushTask);
  }

  /** Why no frame could be sent to the shard. */
  busy(shard: number): StormError {
    const why = this.#calls.hasRoom
      ? `the lane to shard ${shard} is full`
      : `${this.#calls.capacity} calls are in flight (limits.inFlightMax)`;
    return busyError(why, this.#limits.busyRetryAfterMs);
  }

  /**
   * Whether every shard that serves would take a batch of so many bytes, all of which may be its
   * own; what is longer than any frame counts as the longest one, for it is refused anyway.
   */
  hasRoomForBatch(runBytes: number): boolean {
    if (this.#calls.freeCount < this.#seats.length) return false;
    for (const { link } of this.#seats) {
      if (link === undefined) continue;
      const lane = link.writeRequests;
      const bytes = Math.min(lane.frameBytesMax, requestBytes(runBytes));
      if (!lane.isEmpty() && !lane.hasRoomFor(1, frameBytes(bytes))) return false;
    }
    return true;
  }

  /** Calls `go` once, after the next pump: shards may have made room by then. */
  onRoom(go: () => void): void {
    this.#roomWaiters.push(go);
  }

  /** A shard serves: its calls go through this link from now on. */
  shardUp(link: RouterEnd): void {
    const seat = this.#seat(link.shard);
    if (seat.link !== undefined) this.shardDown(link.shard, 'restarted');
    assert(link.slotMapEpoch === this.#options.slotMapEpoch, 'a link knows the current slot map');
    const { keyBytesMax, valueBytesMax } = this.#limits;
    const runMax = RUN_HEADER_BYTES + keyBytesMax + valueBytesMax + ENTRY_OVERHEAD_BYTES_MAX;
    assert(requestBytes(runMax) <= link.writeRequests.frameBytesMax, 'a write fits its lane');
    assert(requestBytes(keyBytesMax) <= link.readRequests.frameBytesMax, 'a read fits its lane');
    assert(
      valueBytesMax <= valueBytesMaxOf(frameBodyBytesMax(link.readReplies.bytes.length)),
      'a value fits its reply lane',
    );
    seat.link = link;
    seat.state = 'up';
    seat.reason = '';
  }

  /** A shard died: answers all its calls and refuses new ones until `shardUp`. */
  shardDown(shard: number, reason: string): void {
    this.#leave(shard, 'down', reason);
  }

  /** A shard will not serve its data without help: as `shardDown`, but nobody need try again. */
  shardRefused(shard: number, reason: string): void {
    this.#leave(shard, 'refused', reason);
  }

  /** Not ready from now on; calls are still served while the doors close. */
  startDrain(): void {
    this.#draining = true;
  }

  /** Answers every call and refuses new ones: the time of a drain is nearly over. */
  giveUp(): void {
    for (const { shard } of this.#seats) this.#leave(shard, 'down', 'the server is stopping');
  }

  status(): RouterStatus {
    const shards = this.#seats.map(({ shard, state, reason }) => ({ shard, state, reason }));
    return {
      ready: !this.#draining && shards.every(({ state }) => state === 'up'),
      draining: this.#draining,
      inFlight: this.#calls.count,
      shards,
    };
  }

  /** Rings the bell of each shard that got frames since the last time. */
  flush(): void {
    this.#flushScheduled = false;
    for (const seat of this.#seats) {
      if (!seat.isDirty) continue;
      seat.isDirty = false;
      seat.link?.ringShard();
    }
  }

  /** Answers calls from the reply lanes; true when there is more to do at once. */
  pump(): boolean {
    let hasMore = false;
    for (const seat of this.#seats) {
      if (seat.link !== undefined && this.#pumpLink(seat, seat.link)) hasMore = true;
    }
    if (this.#roomWaiters.length > 0) for (const go of this.#roomWaiters.splice(0)) go();
    return hasMore;
  }

  /** Whether a shard has replied since the last `pump`. */
  hasReplies(): boolean {
    for (const { link } of this.#seats) {
      if (link?.writeReplies.hasFrames() || link?.readReplies.hasFrames()) return true;
    }
    return false;
  }

  /** Answers the calls whose deadline has passed. Call it every few milliseconds. */
  sweep(): void {
    this.#calls.expire(this.#options.clock.monotonicMs(), (waiter) => {
      refuse(waiter, deadlineError);
    });
  }

  #pumpLink(seat: ShardSeat, link: RouterEnd): boolean {
    const moreWritten = this.#pumpLane(seat, link, link.writeReplies);
    const moreRead = this.#pumpLane(seat, link, link.readReplies);
    // A shard that stopped because a reply lane was full sleeps with requests waiting.
    const isWaitedFor = !link.writeRequests.isEmpty() || !link.readRequests.isEmpty();
    if (isWaitedFor && seat.link === link) link.ringShard();
    return moreWritten || moreRead;
  }

  #pumpLane(seat: ShardSeat, link: RouterEnd, lane: RingConsumer): boolean {
    let frames = 0;
    // A callback may bring the shard down; all its calls are answered then.
    while (frames < PUMP_FRAMES_MAX && seat.link === link && this.#nextReply(seat, link, lane)) {
      frames++;
      deliver(this.#waiter, this.#reply, lane);
      if (frames % RELEASE_EVERY_FRAMES === 0) lane.release();
    }
    lane.release();
    return frames === PUMP_FRAMES_MAX && seat.link === link && lane.hasFrames();
  }

  /** Puts the next reply and who waits for it into `#reply` and `#waiter`; false when none is. */
  #nextReply(seat: ShardSeat, link: RouterEnd, lane: RingConsumer): boolean {
    try {
      if (!lane.tryRead()) return false;
      decodeReply(lane, this.#reply);
      const { callId, type, isDone } = this.#reply;
      const isPart = type === MESSAGE_VALUES && !isDone;
      const isKnown = isPart
        ? this.#calls.find(callId, seat.shard, this.#waiter)
        : this.#calls.close(callId, seat.shard, this.#waiter);
      if (isKnown) return true;
      throw damagedError(`a reply came to call ${callId}, which is not in flight`);
    } catch (error) {
      if (!(error instanceof StormError)) throw error;
      this.#dropDamaged(seat, link, error);
      return false;
    }
  }

  #leave(shard: number, state: 'down' | 'refused', reason: string): void {
    const seat = this.#seat(shard);
    const link = seat.link;
    // What the shard published before it died is true: writes in there are durable.
    if (link !== undefined) while (this.#pumpLink(seat, link));
    seat.link = undefined;
    seat.state = state;
    seat.reason = reason;
    seat.isDirty = false;
    this.#failCalls(seat);
  }

  #dropDamaged(seat: ShardSeat, link: RouterEnd, error: StormError): void {
    seat.link = undefined;
    seat.state = 'down';
    seat.reason = error.message;
    this.#failCalls(seat);
    this.#options.onDamage(seat.shard, link.epoch, error);
  }

  #failCalls(seat: ShardSeat): void {
    this.#calls.closeShard(seat.shard, (waiter) => {
      refuse(waiter, (isWrite) => lostError(seat, isWrite, this.#limits.downRetryAfterMs));
    });
  }

  #seat(shard: number): ShardSeat {
    const seat = this.#seats[shard];
    if (seat === undefined) throw new Error(`There is no shard ${shard}`);
    return seat;
  }
}

function hasLink(seat: ShardSeat): seat is ServingSeat {
  return seat.link !== undefined;
}
