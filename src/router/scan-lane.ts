/**
 * One shard's part of a scan: the page that was fetched last, where in it the scan stands, and
 * where the next page begins. Never more than one page is held.
 */
import { StormError } from '../base/errors.js';
import { ItemReader } from '../rpc/message-items.js';
import type { ReplyView } from '../rpc/messages.js';
import {
  MESSAGE_PAGE,
  SCAN_OVERHEAD_BYTES_MAX,
  type ScanParameters,
  tryWriteScan,
  tryWriteScanEnd,
} from '../rpc/read-messages.js';
import { damagedError } from './call-errors.js';
import type { CallHandler } from './in-flight-table.js';
import { justAbove, type KeyRange } from './key-range.js';
import type { ShardCalls } from './shard-calls.js';

export interface ScanShape extends KeyRange {
  reverse: boolean;
  keysOnly: boolean;
}

/** Who waits for a page: undefined when it came. */
export type LaneDone = (error: StormError | undefined) => void;

const EMPTY = Buffer.alloc(0);

export class ScanLane {
  readonly shard: number;
  /** 0 = none yet. */
  snapshotId: number;
  /** It goes on on a younger snapshot than it began with. */
  isFresh = false;
  /** The entry at hand, while `hasEntry`. */
  readonly items = new ItemReader();
  bytes: Buffer = EMPTY;
  hasEntry = false;
  readonly #calls: ShardCalls;
  readonly #shape: ScanShape;
  /** What of the range has not been fetched. */
  #from: Uint8Array | undefined;
  #to: Uint8Array | undefined;
  /** The shard has nothing behind the page at hand. */
  #isDone: boolean;

  /** `snapshotId` undefined = the shard has nothing more. */
  constructor(calls: ShardCalls, shard: number, shape: ScanShape, snapshotId: number | undefined) {
    this.#calls = calls;
    this.shard = shard;
    this.#shape = shape;
    this.snapshotId = snapshotId ?? 0;
    this.#isDone = snapshotId === undefined;
    this.#from = shape.from;
    this.#to = shape.to;
  }

  get isExhausted(): boolean {
    return this.#isDone && !this.hasEntry;
  }

  get needsPage(): boolean {
    return !this.#isDone && !this.hasEntry;
  }

  /** Asks for the next page; `done` is called exactly once. */
  fetch(limit: number, bytesMax: number, timeoutMs: number, done: LaneDone): void {
    this.#goOn();
    const seat = this.#calls.serving(this.shard);
    if (seat instanceof StormError) {
      done(seat);
      return;
    }
    const lane = seat.link.readRequests;
    const boundBytes = (this.#from?.length ?? 0) + (this.#to?.length ?? 0);
    if (boundBytes + SCAN_OVERHEAD_BYTES_MAX > lane.frameBytesMax) {
      done(new StormError('INVALID_ARGUMENT', `The bounds are too long: ${boundBytes} bytes`));
      return;
    }
    const { reverse, keysOnly } = this.#shape;
    const asked = this.snapshotId;
    const parameters: ScanParameters = {
      snapshotId: asked,
      from: this.#from,
      to: this.#to,
      reverse,
      limit,
      bytesMax,
      keysOnly,
    };
    const handler: CallHandler = {
      isWrite: false,
      reply: (reply, bytes) => done(this.#take(reply, bytes, asked)),
      fail: (error) => {
        if (error.code !== 'FAILED_PRECONDITION' || asked === 0) {
          done(error);
          return;
        }
        // The snapshot is closed: the shard was restarted, or the scan rested for too long.
        this.snapshotId = 0;
        this.isFresh = true;
        this.fetch(limit, bytesMax, timeoutMs, done);
      },
    };
    const callId = this.#calls.nextCallId();
    if (callId < 0 || !tryWriteScan(lane, callId, this.#calls.slotMapEpoch, parameters)) {
      done(this.#calls.busy(this.shard));
      return;
    }
    this.#calls.begin(seat, timeoutMs, undefined, undefined, handler);
  }

  /** Moves to the next entry of the page; without one, the next page is needed or all was read. */
  step(): void {
    const { items } = this;
    this.hasEntry = items.nextEntry() && !items.isMark;
  }

  /** Lets the shard forget the snapshot; where it cannot be told, its age cap does it. */
  end(): void {
    const id = this.snapshotId;
    this.snapshotId = 0;
    if (id === 0) return;
    const seat = this.#calls.serving(this.shard);
    const callId = this.#calls.nextCallId();
    if (seat instanceof StormError || callId < 0) return;
    if (!tryWriteScanEnd(seat.link.readRequests, callId, this.#calls.slotMapEpoch, id)) return;
    this.#calls.begin(seat, Infinity, undefined, undefined, NOBODY);
  }

  #take(reply: ReplyView, bytes: Uint8Array, asked: number): StormError | undefined {
    const { type, snapshotId, isDone, itemsStart, itemsLength } = reply;
    if (type !== MESSAGE_PAGE || (itemsLength === 0 && !isDone)) {
      return damagedError(`a scan was answered with type ${type}, ${itemsLength} bytes of items`);
    }
    if (asked !== 0 && asked !== snapshotId) this.isFresh = true;
    this.snapshotId = snapshotId;
    this.#isDone = isDone;
    this.bytes = Buffer.from(bytes.subarray(itemsStart, itemsStart + itemsLength));
    this.items.reset(this.bytes, 0, itemsLength);
    try {
      this.step();
      return undefined;
    } catch (error) {
      if (error instanceof StormError) return error;
      throw error;
    }
  }

  /** Narrows the range to what is behind the page, all of whose entries have been taken. */
  #goOn(): void {
    const { keyStart, keyLength, isMark } = this.items;
    if (this.bytes.length === 0) return;
    const key = this.bytes.subarray(keyStart, keyStart + keyLength);
    if (this.#shape.reverse) this.#to = isMark ? justAbove(key) : key;
    else this.#from = isMark ? key : justAbove(key);
    this.bytes = EMPTY;
  }
}

const NOBODY: CallHandler = { isWrite: false, reply: () => {}, fail: () => {} };
