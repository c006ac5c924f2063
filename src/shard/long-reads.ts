/**
 * Reads that may take more than one turn: many keys at once, whose values may need several frames,
 * and pages of scans, which may have to wait until the MemTables' keys are sorted. Each step does a
 * bounded amount of work; what is left waits here, with copies of all it needs.
 */
import { StormError } from '../base/errors.js';
import {
  ItemReader,
  MISSING_ITEM_BYTES,
  PAGE_EXPIRY_BYTES,
  pageItemLength,
  pageKeyLength,
  pageMarkLength,
  putMissingItem,
  putPageExpiry,
  putPageItem,
  putPageKey,
  putPageMark,
  putValueItem,
  valueItemLength,
} from '../rpc/message-items.js';
import { tryWriteFailure } from '../rpc/messages.js';
import {
  PAGE_OVERHEAD_BYTES,
  type ScanParameters,
  tryWritePage,
  tryWriteValues,
  VALUES_OVERHEAD_BYTES,
} from '../rpc/read-messages.js';
import type { RingProducer } from '../rpc/ring-channel.js';
import type { EntryView } from '../storage/entry-cursor.js';
import { LookupResult } from '../storage/lookup.js';
import type { Engine } from './engine.js';
import type { PageSink } from './range-scan.js';

/** A step that answered something, one that waits for room or for sorting, and the last one. */
export type Step = 'progress' | 'waiting' | 'finished';

export interface LongRead {
  readonly callId: number;
  step(engine: Engine, replies: RingProducer, scratch: Scratch): Step;
}

/** Values are answered in frames of about this many bytes. */
const VALUES_FRAME_BYTES = 64 * 1024;
const PAGE_BYTES_MAX = 256 * 1024;

/** Where replies are put together; one per thread, reused. */
export class Scratch {
  bytes = new Uint8Array(PAGE_BYTES_MAX);
  length = 0;

  /** Makes sure of `more` bytes behind what is there. */
  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** The values of many keys, in their order. */
export class MultiGet implements LongRead {
  readonly callId: number;
  readonly #keys: Uint8Array;
  readonly #reader = new ItemReader();
  readonly #found = new LookupResult();
  /** Where the next key begins that has not been answered. */
  #next = 0;

  /** `keys`: a msgpack sequence of bin, a copy. */
  constructor(callId: number, keys: Uint8Array) {
    this.callId = callId;
    this.#keys = keys;
  }

  step(engine: Engine, replies: RingProducer, scratch: Scratch): Step {
    const frameMax = Math.min(VALUES_FRAME_BYTES, replies.frameBytesMax - VALUES_OVERHEAD_BYTES);
    scratch.length = 0;
    const reader = this.#reader;
    reader.reset(this.#keys, this.#next, this.#keys.length - this.#next);
    let answered = this.#next;
    while (reader.nextKey()) {
      const { keyStart, keyLength } = reader;
      const isFound = engine.get(this.#keys, keyStart, keyLength, this.#found);
      const length = isFound ? valueItemLength(this.#found.valueLength) : MISSING_ITEM_BYTES;
      if (scratch.length > 0 && scratch.length + length > frameMax) break;
      this.#put(isFound, length, scratch);
      answered = keyStart + keyLength;
    }
    const done = answered === this.#keys.length;
    if (!tryWriteValues(replies, this.callId, done, scratch.bytes, 0, scratch.length)) {
      return 'waiting';
    }
    this.#next = answered;
    return done ? 'finished' : 'progress';
  }

  #put(isFound: boolean, length: number, scratch: Scratch): void {
    scratch.reserve(length);
    const { sequence, valueBytes, valueStart, valueLength } = this.#found;
    scratch.length = isFound
      ? putValueItem(scratch.bytes, scratch.length, sequence, valueBytes, valueStart, valueLength)
      : putMissingItem(scratch.bytes, scratch.length);
  }
}

/** One page of a scan. */
export class ScanPage implements LongRead {
  readonly callId: number;
  readonly #parameters: ScanParameters;

  constructor(callId: number, parameters: ScanParameters) {
    this.callId = callId;
    this.#parameters = parameters;
  }

  step(engine: Engine, replies: RingProducer, scratch: Scratch): Step {
    if (!engine.prepareScan()) return 'waiting';
    const { snapshotId, reverse } = this.#parameters;
    const snapshot = snapshotId === 0 ? engine.openSnapshot() : engine.useSnapshot(snapshotId);
    if (snapshot === undefined) {
      const gone = new StormError(
        'FAILED_PRECONDITION',
        `Snapshot ${snapshotId} is closed: it lay idle, grew too old, or the shard has restarted; ` +
          'go on with a new one',
      );
      return tryWriteFailure(replies, this.callId, gone) ? 'finished' : 'waiting';
    }
    const sink = new PageBuilder(this.#parameters, scratch, this.#bytesMax(replies));
    const end = engine.scan(this.#parameters, snapshot, sink, reverse);
    if (end.kind === 'more') sink.mark(end.key);
    const done = end.kind === 'done';
    const { bytes, length } = scratch;
    if (tryWritePage(replies, this.callId, snapshot.id, done, bytes, 0, length)) return 'finished';
    if (snapshotId === 0) engine.closeSnapshot(snapshot.id);
    return 'waiting';
  }

  #bytesMax(replies: RingProducer): number {
    const frameMax = replies.frameBytesMax - PAGE_OVERHEAD_BYTES;
    return Math.min(this.#parameters.bytesMax, PAGE_BYTES_MAX, frameMax);
  }
}

/** Puts a page's items into the scratch bytes until limit or size are reached. */
class PageBuilder implements PageSink {
  readonly #scratch: Scratch;
  readonly #bytesMax: number;
  readonly #keysOnly: boolean;
  #left: number;

  constructor({ limit, keysOnly }: ScanParameters, scratch: Scratch, bytesMax: number) {
    this.#scratch = scratch;
    this.#scratch.length = 0;
    this.#bytesMax = bytesMax;
    this.#keysOnly = keysOnly;
    this.#left = limit;
  }

  add(entry: EntryView): boolean {
    const scratch = this.#scratch;
    const { keyBytes, keyStart, keyLength, valueBytes, valueStart, valueLength, sequence } = entry;
    const length = this.#keysOnly
      ? pageKeyLength(keyLength)
      : pageItemLength(keyLength, valueLength);
    const expiryLength = entry.expiresAtMs === 0 ? 0 : PAGE_EXPIRY_BYTES;
    const isFull = scratch.length > 0 && scratch.length + length + expiryLength > this.#bytesMax;
    if (isFull || this.#left === 0) return false;
    this.#left--;
    scratch.reserve(length + expiryLength);
    const { bytes, length: at } = scratch;
    scratch.length = this.#keysOnly
      ? putPageKey(bytes, at, keyBytes, keyStart, keyLength, sequence)
      : putPageItem(
          bytes,
          at,
          keyBytes,
          keyStart,
          keyLength,
          valueBytes,
          valueStart,
          valueLength,
          sequence,
        );
    if (expiryLength > 0) {
      scratch.length = putPageExpiry(scratch.bytes, scratch.length, entry.expiresAtMs);
    }
    return true;
  }

  /** Says where the next page begins. A page that is full to the brim goes without. */
  mark(key: Uint8Array): void {
    const scratch = this.#scratch;
    const length = pageMarkLength(key.length);
    if (scratch.length > 0 && scratch.length + length > this.#bytesMax) return;
    scratch.reserve(length);
    scratch.length = putPageMark(scratch.bytes, scratch.length, key, 0, key.length);
  }
}
