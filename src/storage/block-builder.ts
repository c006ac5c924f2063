/**
 * Builds data blocks one behind the other in one growing buffer, so that a finished block is never
 * copied before it is written (docs/formats/table.md):
 *
 *   block = entry+, restart u32{n}, n u32, trailer
 *   entry = shared varint, unshared varint, flags u8, sequence varint, [expiry varint],
 *           valueLength varint, unshared key bytes, value
 *
 * all of which but the trailer may be compressed (block-codec.ts).
 * A restart point is an entry whose key is whole (shared = 0); a search starts at one.
 */
import { assert } from '../base/assert.js';
import type { BlockCompressor } from './block-codec.js';
import type { EntryKind } from './entry-cursor.js';
import { commonPrefix, copyBytes, grown } from './key-bytes.js';
import {
  CODEC_RAW,
  FLAG_EXPIRES,
  RESTART_BYTES,
  RESTART_COUNT_BYTES,
  sealSection,
  TRAILER_BYTES,
  writeU32,
} from './table-format.js';
import { VARINT_BYTES_MAX, writeVarint } from './varint.js';

const ENTRY_OVERHEAD_BYTES_MAX = 1 + 5 * VARINT_BYTES_MAX;

export class BlockBuilder {
  /** Holds the blocks at [0, length), the last perhaps unfinished. */
  bytes: Uint8Array;
  length = 0;
  /** The last entry added; the key is at [0, lastKeyLength). */
  lastKey: Uint8Array = new Uint8Array(256);
  lastKeyLength = 0;
  lastSequence = 0;
  readonly #restartInterval: number;
  #blockStart = 0;
  #restarts = new Uint32Array(64);
  #restartCount = 0;
  #sinceRestart = 0;
  #hasEntries = false;

  readonly #compressor: BlockCompressor | undefined;

  constructor(capacityBytes: number, restartInterval: number, compressor?: BlockCompressor) {
    assert(restartInterval >= 1, `restartInterval must be at least 1: ${restartInterval}`);
    this.bytes = new Uint8Array(capacityBytes);
    this.#restartInterval = restartInterval;
    this.#compressor = compressor;
  }

  /** Bytes that the unfinished block would take raw, trailer included; 0 when it has no entry. */
  get blockBytes(): number {
    if (this.#restartCount === 0) return 0;
    const restarts = this.#restartCount * RESTART_BYTES + RESTART_COUNT_BYTES;
    return this.length - this.#blockStart + restarts + TRAILER_BYTES;
  }

  /** True when the key differs from the last one added. */
  isNewKey(keyBytes: Uint8Array, keyStart: number, keyLength: number): boolean {
    const last = this.lastKeyLength;
    if (!this.#hasEntries || last !== keyLength) return true;
    return commonPrefix(this.lastKey, 0, last, keyBytes, keyStart, keyLength) < last;
  }

  /**
   * Appends an entry, which must come behind the last one: a greater key, or the same with a lower
   * sequence. Answers whether its key is a new one.
   */
  add(
    keyBytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    sequence: number,
    kind: EntryKind,
    expiresAtMs: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): boolean {
    const last = this.lastKeyLength;
    const common = commonPrefix(this.lastKey, 0, last, keyBytes, keyStart, keyLength);
    const isNew = this.#checkOrder(common, keyBytes, keyStart, keyLength, sequence);
    this.#reserve(keyLength, valueLength);
    const shared = this.#restartOr(common);
    const unshared = keyLength - shared;
    const bytes = this.bytes;
    let at = writeVarint(bytes, this.length, shared);
    at = writeVarint(bytes, at, unshared);
    bytes[at++] = expiresAtMs === 0 ? kind : kind | FLAG_EXPIRES;
    at = writeVarint(bytes, at, sequence);
    if (expiresAtMs !== 0) at = writeVarint(bytes, at, expiresAtMs);
    at = writeVarint(bytes, at, valueLength);
    copyBytes(keyBytes, keyStart + shared, unshared, bytes, at);
    copyBytes(valueBytes, valueStart, valueLength, bytes, at + unshared);
    this.length = at + unshared + valueLength;
    copyBytes(keyBytes, keyStart + common, keyLength - common, this.lastKey, common);
    this.lastKeyLength = keyLength;
    this.lastSequence = sequence;
    return isNew;
  }

  /** Ends the block; the buffer's first byte belongs at `bufferOffset` of the file. */
  finishBlock(bufferOffset: number): void {
    assert(this.#restartCount > 0, 'a block has at least one entry');
    const needed = this.#restartCount * RESTART_BYTES + RESTART_COUNT_BYTES + TRAILER_BYTES;
    this.bytes = grown(this.bytes, this.length + needed);
    let at = this.length;
    for (let i = 0; i < this.#restartCount; i++, at += RESTART_BYTES) {
      writeU32(this.bytes, at, this.#restarts[i]!);
    }
    writeU32(this.bytes, at, this.#restartCount);
    const begin = this.#blockStart;
    const rawEnd = at + RESTART_COUNT_BYTES;
    const end = this.#compressor?.compress(this.bytes, begin, rawEnd) ?? rawEnd;
    const codec = this.#compressor?.codec ?? CODEC_RAW;
    this.length = sealSection(this.bytes, begin, end, bufferOffset + begin, codec);
    this.#blockStart = this.length;
    this.#restartCount = 0;
    this.#sinceRestart = 0;
  }

  /** Forgets the finished blocks in the buffer, once they are written. */
  drain(): void {
    assert(this.#restartCount === 0, 'only finished blocks may be drained');
    this.length = 0;
    this.#blockStart = 0;
  }

  /** Order decides whether lookups find anything at all, so it is checked for every entry. */
  #checkOrder(
    common: number,
    keyBytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    sequence: number,
  ): boolean {
    const last = this.lastKeyLength;
    if (!this.#hasEntries) {
      this.#hasEntries = true;
      return true;
    }
    if (common < last && common < keyLength) {
      assert(this.lastKey[common]! < keyBytes[keyStart + common]!, 'keys must ascend');
      return true;
    }
    if (keyLength !== last) {
      assert(keyLength > last, 'keys must ascend');
      return true;
    }
    assert(sequence < this.lastSequence, 'sequences of one key must descend');
    return false;
  }

  #reserve(keyLength: number, valueLength: number): void {
    const needed = this.length + keyLength + valueLength + ENTRY_OVERHEAD_BYTES_MAX;
    if (needed > this.bytes.length) this.bytes = grown(this.bytes, needed);
    if (keyLength > this.lastKey.length) this.lastKey = grown(this.lastKey, keyLength);
  }

  /** 0 at a restart point, which it records, else `common`. */
  #restartOr(common: number): number {
    if (this.#restartCount > 0 && this.#sinceRestart < this.#restartInterval) {
      this.#sinceRestart++;
      return common;
    }
    if (this.#restartCount === this.#restarts.length) {
      const larger = new Uint32Array(this.#restarts.length * 2);
      larger.set(this.#restarts);
      this.#restarts = larger;
    }
    this.#restarts[this.#restartCount++] = this.length - this.#blockStart;
    this.#sinceRestart = 1;
    return 0;
  }
}
