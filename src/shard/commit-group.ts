/**
 * One group commit in the making: the entries of many requests in one frame buffer, and where each
 * of them lies, so that applying them after the sync parses nothing again. Buffers are reused.
 */
import { assert } from '../base/assert.js';
import { RUN_FORMAT, RUN_HEADER_BYTES, RunReader } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import { FRAME_ALIGN_BYTES, FRAME_HEADER_BYTES, frameBytes } from '../storage/log-frame.js';
import type { GroupFrame } from '../storage/write-ahead-log.js';
import { EntryPlaces } from './entry-places.js';
import { MemTable } from './mem-table.js';

const PAYLOAD_START = FRAME_HEADER_BYTES;

/** One request inside a group: whom to answer, and which of the group's entries are its own. */
export interface GroupRequest {
  link: number;
  callId: number;
  firstIndex: number;
  count: number;
}

export class CommitGroup implements GroupFrame {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  payloadLength = RUN_HEADER_BYTES;
  count = 0;
  firstSequence = 0;
  commitTimeMs = 0;
  readonly requests: GroupRequest[] = [];
  /** Arena bytes that the entries need at most. */
  arenaBound = 0;
  readonly #places = new EntryPlaces();
  readonly #reader = new RunReader();
  /** Newest entry of each key, made when first asked for. */
  #byKey: Map<string, number> | undefined;
  /** Run bytes of the request staged last. */
  #lastLength = 0;
  readonly #payloadMax: number;

  /** `payloadMax`: the most bytes of entries that one group may hold. */
  constructor(payloadMax: number) {
    this.#payloadMax = payloadMax;
    this.bytes = new Uint8Array(frameBytes(payloadMax) + FRAME_ALIGN_BYTES);
    this.view = new DataView(this.bytes.buffer);
    this.bytes[PAYLOAD_START] = RUN_FORMAT;
  }

  reset(): void {
    this.payloadLength = RUN_HEADER_BYTES;
    this.count = 0;
    this.arenaBound = 0;
    this.requests.length = 0;
    this.#byKey = undefined;
  }

  /** Whether a run of `length` bytes still fits the frame. */
  hasRoomFor(length: number): boolean {
    return this.payloadLength + length <= this.#payloadMax;
  }

  /** Adds a request's run; a malformed one throws INVALID_ARGUMENT and changes nothing. */
  stage(link: number, callId: number, run: Uint8Array, start: number, length: number): void {
    assert(this.hasRoomFor(length), 'the caller has asked for room');
    const count = this.#locate(run, start, length);
    this.bytes.set(
      run.subarray(start + RUN_HEADER_BYTES, start + length),
      PAYLOAD_START + this.payloadLength,
    );
    this.#lastLength = length;
    for (let i = this.count; this.#byKey !== undefined && i < this.count + count; i++) {
      this.#byKey.set(this.#keyText(i), i);
    }
    this.requests.push({ link, callId, firstIndex: this.count, count });
    this.payloadLength += length - RUN_HEADER_BYTES;
    this.count += count;
    this.arenaBound += MemTable.boundFor(length, count);
  }

  /** Takes the last request out again, as if it had never been staged. */
  unstage(): void {
    const request = this.requests.pop();
    assert(request !== undefined, 'a request was staged');
    this.payloadLength -= this.#lastLength - RUN_HEADER_BYTES;
    this.count -= request.count;
    this.#byKey = undefined;
    this.arenaBound -= MemTable.boundFor(this.#lastLength, request.count);
  }

  /** Index of the newest staged entry with this key, or −1. */
  find(key: Uint8Array, keyStart: number, keyLength: number): number {
    if (this.#byKey === undefined) {
      // Only conditional writes ask: everything else does without the map.
      this.#byKey = new Map();
      for (let i = 0; i < this.count; i++) this.#byKey.set(this.#keyText(i), i);
    }
    return this.#byKey.get(latin1(key, keyStart, keyLength)) ?? -1;
  }

  isDelete(index: number): boolean {
    return this.#places.isDelete(index);
  }

  #keyText(index: number): string {
    return latin1(this.bytes, this.#places.keyStart(index), this.#places.keyLength(index));
  }

  /** Puts the entries into the MemTable, in order. */
  applyTo(table: MemTable): void {
    const { bytes, count, commitTimeMs, firstSequence } = this;
    this.#places.applyTo(table, bytes, 0, count, commitTimeMs, firstSequence);
  }

  /** Records where the run's entries will lie in this buffer; returns how many there are. */
  #locate(run: Uint8Array, start: number, length: number): number {
    const reader = this.#reader;
    const shift = PAYLOAD_START + this.payloadLength - (start + RUN_HEADER_BYTES);
    reader.reset(run, start, length);
    while (reader.next()) {
      const index = this.count + reader.count - 1;
      this.#places.set(index, reader, shift);
      if (reader.keyLength === 0) {
        throw new StormError('INVALID_ARGUMENT', `Entry ${index} of the batch has an empty key`);
      }
    }
    if (reader.count === 0) throw new StormError('INVALID_ARGUMENT', 'The batch has no entries');
    return reader.count;
  }
}

/** The bytes as a string with one character each: a map key that any bytes can be. */
function latin1(bytes: Uint8Array, start: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('latin1');
}
