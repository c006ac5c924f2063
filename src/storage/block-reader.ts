/**
 * Walks through the entries of one verified data block (block-builder.ts has the layout). The key
 * is put together in a buffer of the cursor's own, the value stays where it lies. Although a
 * checksum vouches for the bytes, every length is checked: a bug of a writer must not become a wild
 * read.
 */
import { CorruptionError } from '../base/errors.js';
import { type EntryKind, KIND_DELETE, KIND_PUT } from './entry-cursor.js';
import { compareBytes, copyBytes, grown } from './key-bytes.js';
import {
  FLAG_EXPIRES,
  FLAG_KIND_MASK,
  FLAGS_KNOWN,
  RESTART_BYTES,
  RESTART_COUNT_BYTES,
  readU32,
} from './table-format.js';
import { MALFORMED, VarintReader } from './varint.js';

/** The entry fields are those of EntryCursor, with the same lifetimes. */
export class BlockReader {
  valid = false;
  keyBytes: Uint8Array = new Uint8Array(256);
  readonly keyStart = 0;
  keyLength = 0;
  sequence = 0;
  kind: EntryKind = KIND_PUT;
  expiresAtMs = 0;
  valueBytes: Uint8Array = EMPTY;
  valueStart = 0;
  valueLength = 0;
  readonly #file: string;
  readonly #input = new VarintReader();
  #blockOffset = 0;
  #start = 0;
  #restartsAt = 0;
  #restartCount = 0;

  /** `file` names the table in errors. */
  constructor(file: string) {
    this.#file = file;
  }

  /**
   * Takes up the block whose content (without trailer) lies at [start, end) of `bytes` and at
   * `blockOffset` of the file. No entry is current afterwards.
   */
  openBlock(bytes: Uint8Array, start: number, end: number, blockOffset: number): void {
    this.valid = false;
    this.valueBytes = bytes;
    this.#blockOffset = blockOffset;
    this.#start = start;
    const countAt = end - RESTART_COUNT_BYTES;
    this.#restartCount = countAt > start ? readU32(bytes, countAt) : 0;
    this.#restartsAt = countAt - this.#restartCount * RESTART_BYTES;
    if (this.#restartCount === 0 || this.#restartsAt <= start) {
      throw this.#broken('impossible restart count');
    }
    this.#input.reset(bytes, start, this.#restartsAt);
  }

  /** Drops the reference to the block's bytes, so that the memory behind them can be freed. */
  closeBlock(): void {
    this.valid = false;
    this.valueBytes = EMPTY;
    this.#input.reset(EMPTY, 0, 0);
  }

  /** Moves to the block's first entry. */
  toFirst(): void {
    this.#decodeAt(0);
  }

  /** Moves to the next entry; not valid at the end of the block. */
  nextInBlock(): void {
    if (this.#input.at < this.#restartsAt) this.#decode();
    else this.valid = false;
  }

  /**
   * Moves to the first entry that is at or behind (`key`, `sequence`) in table order: the newest
   * version of `key` that is not newer than `sequence`, or else a greater key.
   */
  search(key: Uint8Array, sequence: number): void {
    let low = 0;
    let high = this.#restartCount - 1;
    // The last restart point before the target: behind it, a walk finds the entry.
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      this.#decodeAt(this.#restart(middle));
      if (this.#isBefore(key, sequence)) low = middle;
      else high = middle - 1;
    }
    this.#decodeAt(this.#restart(low));
    while (this.valid && this.#isBefore(key, sequence)) this.nextInBlock();
  }

  #isBefore(key: Uint8Array, sequence: number): boolean {
    const order = compareBytes(this.keyBytes, 0, this.keyLength, key, 0, key.length);
    return order < 0 || (order === 0 && this.sequence > sequence);
  }

  #restart(index: number): number {
    return readU32(this.valueBytes, this.#restartsAt + index * RESTART_BYTES);
  }

  #decodeAt(offsetInBlock: number): void {
    this.#input.at = this.#start + offsetInBlock;
    // An entry at a restart point has nothing to share.
    this.keyLength = 0;
    if (this.#input.at >= this.#restartsAt) throw this.#broken('impossible restart offset');
    this.#decode();
  }

  #decode(): void {
    const input = this.#input;
    const bytes = input.bytes;
    const shared = input.read();
    const unshared = input.read();
    const flags = input.at < this.#restartsAt ? bytes[input.at++]! : MALFORMED;
    const sequence = input.read();
    const expiresAtMs = (flags & FLAG_EXPIRES) !== 0 ? input.read() : 0;
    const valueLength = input.read();
    const keyAt = input.at;
    const valueAt = keyAt + unshared;
    const wellFormed =
      shared >= 0 &&
      unshared >= 0 &&
      sequence >= 0 &&
      expiresAtMs >= 0 &&
      valueLength >= 0 &&
      shared <= this.keyLength &&
      valueAt + valueLength <= this.#restartsAt;
    const kind = flags & FLAG_KIND_MASK;
    if (
      !wellFormed ||
      (flags & ~FLAGS_KNOWN) !== 0 ||
      (kind !== KIND_PUT && kind !== KIND_DELETE)
    ) {
      throw this.#broken('malformed entry');
    }
    const keyLength = shared + unshared;
    if (keyLength > this.keyBytes.length) this.keyBytes = grown(this.keyBytes, keyLength);
    copyBytes(bytes, keyAt, unshared, this.keyBytes, shared);
    this.keyLength = keyLength;
    this.sequence = sequence;
    this.kind = kind;
    this.expiresAtMs = expiresAtMs;
    this.valueStart = valueAt;
    this.valueLength = valueLength;
    input.at = valueAt + valueLength;
    this.valid = true;
  }

  #broken(why: string): CorruptionError {
    const offset = this.#blockOffset + Math.max(0, this.#input.at - this.#start);
    this.valid = false;
    return new CorruptionError(`Table block: ${why}`, { file: this.#file, offset });
  }
}

const EMPTY = new Uint8Array(0);
