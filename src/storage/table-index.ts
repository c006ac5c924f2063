/**
 * The index of a table (docs/formats/table.md): for each block where it ends and its last entry's
 * key and sequence. Records have a fixed width, so it is binary-searched where it lies, in a mapped
 * file too.
 *
 *   index  = count u32, record{count}, keys
 *   record = blockEnd u32, keyEnd u32, lastSequence u64
 *
 * A block begins where the one before ends; likewise a key, counted from the beginning of `keys`.
 */
import { CorruptionError } from '../base/errors.js';
import { commonPrefix, compareBytes, copyBytes, grown, keyHead } from './key-bytes.js';
import { readU32, readU64, writeU32, writeU64 } from './table-format.js';

const COUNT_BYTES = 4;
const RECORD_BYTES = 16;
/** Sequences are below 2^53: so much at most have their upper 32 bits. */
const SEQUENCE_HIGH_MAX = 2 ** 21 - 1;

export class IndexBuilder {
  #records: Uint8Array = new Uint8Array(RECORD_BYTES * 64);
  #keys: Uint8Array = new Uint8Array(4096);
  #recordsLength = 0;
  #keysLength = 0;

  /** Adds the block that ends at `blockEnd` of the file (trailer included). */
  add(blockEnd: number, lastKey: Uint8Array, keyLength: number, lastSequence: number): void {
    this.#keys = grown(this.#keys, this.#keysLength + keyLength);
    copyBytes(lastKey, 0, keyLength, this.#keys, this.#keysLength);
    this.#keysLength += keyLength;
    const at = this.#recordsLength;
    this.#records = grown(this.#records, at + RECORD_BYTES);
    writeU32(this.#records, at, blockEnd);
    writeU32(this.#records, at + 4, this.#keysLength);
    writeU64(this.#records, at + 8, lastSequence);
    this.#recordsLength = at + RECORD_BYTES;
  }

  get lengthBytes(): number {
    return COUNT_BYTES + this.#recordsLength + this.#keysLength;
  }

  /** Writes the section's content at `at`; returns the offset behind it. */
  write(target: Uint8Array, at: number): number {
    writeU32(target, at, this.#recordsLength / RECORD_BYTES);
    target.set(this.#records.subarray(0, this.#recordsLength), at + COUNT_BYTES);
    const keysAt = at + COUNT_BYTES + this.#recordsLength;
    target.set(this.#keys.subarray(0, this.#keysLength), keysAt);
    return keysAt + this.#keysLength;
  }
}

/**
 * Looks blocks up in verified index bytes, without copying keys. Columns of the keys' heads and of
 * the blocks' ends, twelve bytes per block, are kept beside the index: a lookup needs nothing else,
 * save where heads are equal. Index pages far apart would each cost it a wait for memory.
 */
export class TableIndex {
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #recordsAt: number;
  readonly #keysAt: number;
  /** So many bytes all last keys have in common; heads begin behind them. */
  readonly #sharedLength: number;
  readonly #heads: Float64Array;
  readonly #ends: Uint32Array;

  /**
   * The index lies at [start, start + length) of `bytes`; the blocks end at `blocksEnd`. Checks all
   * records, so that later lookups can rely on them. Throws CorruptionError.
   */
  constructor(
    bytes: Uint8Array,
    start: number,
    length: number,
    blocksEnd: number,
    file: string,
    offset: number,
  ) {
    const count = length < COUNT_BYTES ? 0 : readU32(bytes, start);
    this.#bytes = bytes;
    this.#recordsAt = start + COUNT_BYTES;
    this.#keysAt = this.#recordsAt + count * RECORD_BYTES;
    this.count = count;
    const keysLength = start + length - this.#keysAt;
    const isPossible = count > 0 && keysLength >= 0;
    this.#sharedLength = isPossible ? this.#sharedByAll(keysLength) : 0;
    this.#heads = new Float64Array(isPossible ? count : 0);
    this.#ends = new Uint32Array(isPossible ? count : 0);
    if (!isPossible || !this.#fillColumns(keysLength, blocksEnd)) {
      throw new CorruptionError('The table index contradicts itself', { file, offset });
    }
  }

  blockStart(block: number): number {
    return block === 0 ? 0 : this.blockEnd(block - 1);
  }

  /** Trailer included. */
  blockEnd(block: number): number {
    return this.#ends[block]!;
  }

  /** Of the block's last entry. */
  lastSequence(block: number): number {
    return readU64(this.#bytes, this.#recordsAt + block * RECORD_BYTES + 8);
  }

  /** True when the block's last key is the one at [start, start + length) of `bytes`. */
  endsWithKey(block: number, bytes: Uint8Array, start: number, length: number): boolean {
    const from = this.#keyStart(block);
    const at = this.#keysAt + from;
    const lastLength = this.#keyEnd(block) - from;
    return compareBytes(this.#bytes, at, lastLength, bytes, start, length) === 0;
  }

  /** A copy of the block's last key. */
  lastKey(block: number): Uint8Array {
    const from = this.#keysAt + this.#keyStart(block);
    return this.#bytes.slice(from, this.#keysAt + this.#keyEnd(block));
  }

  /**
   * The first block whose last entry is at or behind the newest version of `key` that is not newer
   * than `sequence`: if that version exists, it is there. `count` when all blocks end before it.
   */
  find(key: Uint8Array, start: number, length: number, sequence: number): number {
    const shared = this.#sharedLength;
    if (shared > 0) {
      const known = Math.min(shared, length);
      const order = compareBytes(this.#bytes, this.#keysAt, known, key, start, known);
      if (order !== 0) return order < 0 ? this.count : 0;
      if (length < shared) return 0;
    }
    const heads = this.#heads;
    const head = keyHead(key, start + shared, length - shared);
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (heads[middle]! < head) low = middle + 1;
      else high = middle;
    }
    const isEqual = low < this.count && heads[low] === head;
    return isEqual ? this.#findFrom(low, key, start, length, sequence) : low;
  }

  /** Decides among blocks whose heads may be equal: `low` and those behind it. */
  #findFrom(
    first: number,
    key: Uint8Array,
    start: number,
    length: number,
    sequence: number,
  ): number {
    let low = first;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#endsBefore(middle, key, start, length, sequence)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #endsBefore(
    block: number,
    key: Uint8Array,
    start: number,
    length: number,
    sequence: number,
  ): boolean {
    const keyStart = this.#keyStart(block);
    const keyLength = this.#keyEnd(block) - keyStart;
    const order = compareBytes(this.#bytes, this.#keysAt + keyStart, keyLength, key, start, length);
    return order < 0 || (order === 0 && this.lastSequence(block) > sequence);
  }

  /** Keys ascend: what the first and the last have in common, those between have as well. */
  #sharedByAll(keysLength: number): number {
    const lastStart = Math.min(this.#keyStart(this.count - 1), keysLength);
    return commonPrefix(
      this.#bytes,
      this.#keysAt,
      Math.min(this.#keyEnd(0), keysLength),
      this.#bytes,
      this.#keysAt + lastStart,
      keysLength - lastStart,
    );
  }

  #keyStart(block: number): number {
    return block === 0 ? 0 : this.#keyEnd(block - 1);
  }

  #keyEnd(block: number): number {
    return readU32(this.#bytes, this.#recordsAt + block * RECORD_BYTES + 4);
  }

  /**
   * Fills the columns and checks all records on the way, in one pass: an index of 128 MiB of blocks
   * is read on a shard's thread, between two of its turns.
   */
  #fillColumns(keysLength: number, blocksEnd: number): boolean {
    const bytes = this.#bytes;
    const shared = this.#sharedLength;
    let blockEnd = 0;
    let keyStart = 0;
    for (let block = 0, at = this.#recordsAt; block < this.count; block++, at += RECORD_BYTES) {
      const end = readU32(bytes, at);
      const keyEnd = readU32(bytes, at + 4);
      const isSequence = readU32(bytes, at + 12) <= SEQUENCE_HIGH_MAX;
      if (end <= blockEnd || keyEnd < keyStart || keyEnd > keysLength || !isSequence) return false;
      this.#ends[block] = blockEnd = end;
      const headAt = this.#keysAt + keyStart + shared;
      this.#heads[block] = keyHead(bytes, headAt, keyEnd - keyStart - shared);
      keyStart = keyEnd;
    }
    return blockEnd === blocksEnd && keyStart === keysLength;
  }
}
