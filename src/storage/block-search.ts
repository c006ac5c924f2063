/**
 * Looks one key up in a verified data block (block-builder.ts has the layout), where it lies: no
 * key is put together, as a BlockReader does for who wants to see them. While walking it is enough
 * to know how many bytes the target has in common with the entry before:
 *
 *   - An entry that shares more than those with its predecessor differs from the target where the
 *     predecessor did: it comes before the target, too.
 *   - Otherwise its own bytes are compared with the target's from there on.
 *
 * Lengths are checked as in BlockReader, although a checksum vouches for the bytes.
 */
import { CorruptionError } from '../base/errors.js';
import { KIND_DELETE, KIND_PUT } from './entry-cursor.js';
import { compareBytes } from './key-bytes.js';
import type { LookupResult } from './lookup.js';
import type { LookupKey } from './lookup-key.js';
import {
  FLAG_EXPIRES,
  FLAG_KIND_MASK,
  FLAGS_KNOWN,
  RESTART_BYTES,
  RESTART_COUNT_BYTES,
  readU32,
} from './table-format.js';
import { MALFORMED, VarintReader } from './varint.js';

export class BlockSearch {
  readonly #file: string;
  readonly #input = new VarintReader();
  #blockOffset = 0;
  #start = 0;
  #restartsAt = 0;
  #restartCount = 0;
  /** Of the entry whose header was read last; the input stands at its key. */
  #shared = 0;
  #unshared = 0;
  #flags = 0;
  #sequence = 0;
  #expiresAtMs = 0;
  #valueLength = 0;

  /** `file` names the table in errors. */
  constructor(file: string) {
    this.#file = file;
  }

  /**
   * Finds the newest version of `key` whose sequence is at most `snapshot` in the block whose
   * content (without trailer) lies at [start, end) of `bytes` and at `blockOffset` of the file. The
   * block must hold an entry at or behind that version, as the index says. Throws CorruptionError.
   */
  find(
    bytes: Uint8Array,
    start: number,
    end: number,
    blockOffset: number,
    key: LookupKey,
    snapshot: number,
    into: LookupResult,
  ): boolean {
    this.#openBlock(bytes, start, end, blockOffset);
    let low = 0;
    let high = this.#restartCount - 1;
    // The last restart point before the target: behind it, a walk finds the entry.
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#restartIsBefore(middle, key, snapshot)) low = middle;
      else high = middle - 1;
    }
    this.#input.at = this.#restart(low);
    if (!this.#walkTo(key, snapshot)) return false;
    const valueStart = this.#input.at + this.#unshared;
    into.kind = (this.#flags & FLAG_KIND_MASK) === KIND_DELETE ? KIND_DELETE : KIND_PUT;
    into.sequence = this.#sequence;
    into.expiresAtMs = this.#expiresAtMs;
    into.valueBytes = bytes;
    into.valueStart = valueStart;
    into.valueLength = this.#valueLength;
    return true;
  }

  /** Drops the reference to the block's bytes, so that the memory behind them can be freed. */
  release(): void {
    this.#input.reset(EMPTY, 0, 0);
  }

  #openBlock(bytes: Uint8Array, start: number, end: number, blockOffset: number): void {
    this.#blockOffset = blockOffset;
    this.#start = start;
    const countAt = end - RESTART_COUNT_BYTES;
    this.#restartCount = countAt > start ? readU32(bytes, countAt) : 0;
    this.#restartsAt = countAt - this.#restartCount * RESTART_BYTES;
    const isPossible = this.#restartCount > 0 && this.#restartsAt > start;
    this.#input.reset(bytes, start, isPossible ? this.#restartsAt : start);
    if (!isPossible) throw this.#broken('impossible restart count');
  }

  #restartIsBefore(index: number, key: LookupKey, snapshot: number): boolean {
    const input = this.#input;
    input.at = this.#restart(index);
    this.#readHeader(0);
    const order = compareBytes(
      input.bytes,
      input.at,
      this.#unshared,
      key.bytes,
      key.start,
      key.length,
    );
    return order < 0 || (order === 0 && this.#sequence > snapshot);
  }

  /**
   * Goes on from the restart point at hand to the wanted version; false when a greater key or an
   * end of the key's versions comes instead.
   */
  #walkTo(key: LookupKey, snapshot: number): boolean {
    const input = this.#input;
    const bytes = input.bytes;
    const target = key.bytes;
    const targetStart = key.start;
    const targetLength = key.length;
    /** Of the entry before, which is before the target: its length, and how much they share. */
    let length = 0;
    let common = 0;
    for (;;) {
      if (input.at >= this.#restartsAt) throw this.#broken('ends before what the index promises');
      this.#readHeader(length);
      const shared = this.#shared;
      length = shared + this.#unshared;
      if (shared <= common) {
        const limit = Math.min(length, targetLength);
        const ownAt = input.at - shared;
        common = shared;
        while (common < limit && bytes[ownAt + common] === target[targetStart + common]) common++;
        if (common < limit) {
          if (bytes[ownAt + common]! > target[targetStart + common]!) return false;
        } else if (length > targetLength) {
          return false;
        } else if (length === targetLength && this.#sequence <= snapshot) {
          return true;
        }
      }
      input.at += this.#unshared + this.#valueLength;
    }
  }

  #restart(index: number): number {
    const offset = readU32(this.#input.bytes, this.#restartsAt + index * RESTART_BYTES);
    const at = this.#start + offset;
    if (at >= this.#restartsAt) throw this.#broken('impossible restart offset');
    return at;
  }

  /** Reads the entry at hand up to its key; `lengthBefore` is how long the key before it is. */
  #readHeader(lengthBefore: number): void {
    const input = this.#input;
    const shared = input.read();
    const unshared = input.read();
    const flags = input.at < this.#restartsAt ? input.bytes[input.at++]! : MALFORMED;
    const sequence = input.read();
    const expiresAtMs = (flags & FLAG_EXPIRES) !== 0 ? input.read() : 0;
    const valueLength = input.read();
    const kind = flags & FLAG_KIND_MASK;
    const isWellFormed =
      shared >= 0 &&
      unshared >= 0 &&
      sequence >= 0 &&
      expiresAtMs >= 0 &&
      valueLength >= 0 &&
      shared <= lengthBefore &&
      input.at + unshared + valueLength <= this.#restartsAt &&
      (flags & ~FLAGS_KNOWN) === 0 &&
      (kind === KIND_PUT || kind === KIND_DELETE);
    if (!isWellFormed) throw this.#broken('malformed entry');
    this.#shared = shared;
    this.#unshared = unshared;
    this.#flags = flags;
    this.#sequence = sequence;
    this.#expiresAtMs = expiresAtMs;
    this.#valueLength = valueLength;
  }

  #broken(why: string): CorruptionError {
    const offset = this.#blockOffset + Math.max(0, this.#input.at - this.#start);
    return new CorruptionError(`Table block: ${why}`, { file: this.#file, offset });
  }
}

const EMPTY = new Uint8Array(0);
