/**
 * The router's core: an operation comes in from a door, goes as one frame into the lane of the
 * shard that owns its key's slot, and the shard's reply answers it. Owner: one router thread;
 * nothing here waits, or allocates per call beyond the answer itself.
 *
 * 1. Validate (the only place where keys and values are judged), find the shard, check its state.
 * 2. Take a place in the in-flight table and write the frame; no room in either is
 *    RESOURCE_EXHAUSTED, surely not applied.
 * 3. All frames of one turn of the event loop ring the shard's bell once (`flush`).
 * 4. `pump` answers from the reply lanes, in batches.
 * 5. A link that dies answers all its calls: UNAVAILABLE, of writes the outcome is unknown.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import {
  checkKey,
  checkValue,
  deleteLength,
  ENTRY_OVERHEAD_BYTES_MAX,
  putLength,
  RUN_FORMAT,
  RUN_HEADER_BYTES,
  writeDelete,
  writePut,
} from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import { SLOT_COUNT, slotOfKey } from '../base/slot.js';
import type { KvOperations, ReadDone, WriteDone } from '../rpc/kv-operations.js';
import type { RouterEnd } from '../rpc/link.js';
import {
  commitRequest,
  decodeReply,
  MESSAGE_GET,
  MESSAGE_WRITE,
  ReplyView,
  requestBytes,
  tryReserveRequest,
  valueBytesMaxOf,
} from '../rpc/messages.js';
import type { RingConsumer, RingProducer } from '../rpc/ring-channel.js';
import { frameBodyBytesMax } from '../rpc/ring-layout.js';
import {
  busyError,
  damagedError,
  deadlineError,
  lostError,
  notServingError,
} from './call-errors.js';
import { deliver, refuse } from './deliver.js';
import { InFlightTable, type Waiter } from './in-flight-table.js';
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
  /** A link turned out damaged and was dropped: its shard must be restarted. */
  onDamage: (shard: number, epoch: number, error: StormError) => void;
}

/** Replies answered per lane and pump, so that a storm of replies does not starve the doors. */
const PUMP_FRAMES_MAX = 2048;
/** Read frames are given back this often, so that the shard need not wait for the whole batch. */
const RELEASE_EVERY_FRAMES = 128;

export class Router implements KvOperations {
  readonly #options: RouterOptions;
  readonly #limits: RouterLimits;
  readonly #calls: InFlightTable;
  readonly #seats: ShardSeat[];
  readonly #reply = new ReplyView();
  readonly #waiter: Waiter = { write: undefined, read: undefined };
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
      reason: 'starting',
      link: undefined,
      isDirty: false,
    }));
  }

  set(key: Uint8Array, value: Uint8Array, timeoutMs: number, done: WriteDone): void {
    this.#write(key, value, timeoutMs, done);
  }

  delete(key: Uint8Array, timeoutMs: number, done: WriteDone): void {
    this.#write(key, undefined, timeoutMs, done);
  }

  get(key: Uint8Array, timeoutMs: number, done: ReadDone): void {
    const seat = this.#admit(key, 0, timeoutMs);
    if (seat instanceof StormError) {
      done(seat, undefined, 0);
      return;
    }
    const lane = seat.link.readRequests;
    const at = this.#reserve(lane, MESSAGE_GET, key.length);
    if (at < 0) {
      done(this.#busy(seat.shard), undefined, 0);
      return;
    }
    lane.bytes.set(key, at);
    this.#send(seat, lane, key.length, timeoutMs, undefined, done);
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

  /** A put, or a delete where `value` is undefined, as an entry run of one. */
  #write(key: Uint8Array, value: Uint8Array | undefined, timeoutMs: number, done: WriteDone): void {
    const seat = this.#admit(key, value?.length ?? 0, timeoutMs);
    if (seat instanceof StormError) {
      done(seat, 0);
      return;
    }
    const entry =
      value === undefined ? deleteLength(key.length) : putLength(key.length, value.length);
    const length = RUN_HEADER_BYTES + entry;
    const lane = seat.link.writeRequests;
    const at = this.#reserve(lane, MESSAGE_WRITE, length);
    if (at < 0) {
      done(this.#busy(seat.shard), 0);
      return;
    }
    lane.bytes[at] = RUN_FORMAT;
    if (value === undefined) writeDelete(lane.bytes, at + RUN_HEADER_BYTES, key);
    else writePut(lane.bytes, at + RUN_HEADER_BYTES, key, value);
    this.#send(seat, lane, length, timeoutMs, done, undefined);
  }

  /** Step 1: the shard that a call may go to, or why it may not. */
  #admit(key: Uint8Array, valueLength: number, timeoutMs: number): ServingSeat | StormError {
    try {
      checkKey(key, 0, key.length, this.#limits);
      checkValue(valueLength, this.#limits);
    } catch (error) {
      if (error instanceof StormError) return error;
      throw error;
    }
    if (timeoutMs <= 0) return deadlineError(false);
    const owner = this.#options.slotOwner[slotOfKey(key, 0, key.length)] ?? 0;
    const seat = this.#seat(owner);
    return hasLink(seat) ? seat : notServingError(seat, this.#limits.downRetryAfterMs);
  }

  /** Step 2: room in the table and in the lane; −1 when either has none. */
  #reserve(lane: RingProducer, type: number, payloadLength: number): number {
    if (!this.#calls.hasRoom) return -1;
    const { slotMapEpoch } = this.#options;
    return tryReserveRequest(lane, type, this.#calls.nextCallId(), slotMapEpoch, payloadLength);
  }

  #send(
    seat: ShardSeat,
    lane: RingProducer,
    payloadLength: number,
    timeoutMs: number,
    write: WriteDone | undefined,
    read: ReadDone | undefined,
  ): void {
    const { clock, soon } = this.#options;
    const wait = timeoutMs === Infinity ? this.#limits.deadlineMsDefault : timeoutMs;
    this.#calls.open(seat.shard, clock.monotonicMs() + wait, write, read);
    commitRequest(lane, payloadLength);
    seat.isDirty = true;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    soon(this.#flushTask);
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
      const { callId } = this.#reply;
      if (this.#calls.close(callId, seat.shard, this.#waiter)) return true;
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

  #busy(shard: number): StormError {
    const why = this.#calls.hasRoom
      ? `the lane to shard ${shard} is full`
      : `${this.#calls.capacity} calls are in flight (limits.inFlightMax)`;
    return busyError(why, this.#limits.busyRetryAfterMs);
  }
}

function hasLink(seat: ShardSeat): seat is ServingSeat {
  return seat.link !== undefined;
}
