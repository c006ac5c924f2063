/**
 * The keys of a MemTable in order, made only when a scan asks for it, so that writes pay nothing.
 * Entries lie in the arena in the order of their writing; from where the last look ended, new keys
 * are collected into chunks, and a full chunk is sorted once and for good. A scan merges the sorted
 * chunks and the short tail behind them, which is sorted afresh each time.
 *
 * Sorting a chunk takes some milliseconds; `step` does one at a time, so that a shard that is asked
 * for its first scan goes on with its other work in between.
 */
import {
  arenaEntryBytes,
  arenaExpiresAtMs,
  arenaKeyStart,
  arenaSequence,
  HAS_EXPIRY,
  KIND_SHIFT,
  WORD_KEY_LENGTH,
  WORD_KIND,
  WORD_PREVIOUS,
  WORD_VALUE_LENGTH,
} from '../storage/arena-format.js';
import {
  type EntryCursor,
  type EntryKind,
  KIND_DELETE,
  KIND_PUT,
  type ReverseCursor,
} from '../storage/entry-cursor.js';
import { compareBytes } from '../storage/key-bytes.js';
import { type KeyTable, sortKeys } from '../storage/key-sort.js';
import type { MemTable } from './mem-table.js';

/** Keys per sorted chunk. */
export const CHUNK_KEYS = 16_384;

export class MemTableOrder {
  readonly #table: MemTable;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  /** Each: word offsets of the first versions of its keys, ascending by key. */
  readonly #chunks: Uint32Array[] = [];
  /** First versions not yet in a chunk, in the order of writing. */
  readonly #tail = new Uint32Array(CHUNK_KEYS);
  #tailCount = 0;
  /** Byte offset up to which entries have been looked at. */
  #seen: number;

  constructor(table: MemTable) {
    this.#table = table;
    this.#bytes = new Uint8Array(table.arena);
    this.#words = new Uint32Array(table.arena, 0, Math.floor(table.arena.byteLength / 4));
    this.#seen = table.firstEntryStart;
  }

  /** Sorts at most one chunk; true when nothing but a tail is left unsorted. */
  step(): boolean {
    this.#collect();
    if (this.#tailCount < CHUNK_KEYS) return true;
    this.#chunks.push(this.#sorted(this.#tail));
    this.#tailCount = 0;
    this.#collect();
    return this.#tailCount < CHUNK_KEYS;
  }

  /**
   * One cursor per chunk and one for the tail; together they show every key. They are good until
   * the next write: use them within a turn.
   */
  cursors(): MemTableCursor[] {
    const tail = this.#sorted(this.#tail.subarray(0, this.#tailCount));
    return [...this.#chunks, tail].map(
      (firsts) => new ChunkCursor(this.#table, firsts, this.#bytes, this.#words),
    );
  }

  #collect(): void {
    const words = this.#words;
    const end = this.#table.usedBytes;
    while (this.#seen < end && this.#tailCount < CHUNK_KEYS) {
      const at = this.#seen / 4;
      if (words[at + WORD_PREVIOUS] === 0) this.#tail[this.#tailCount++] = at;
      const expires = (words[at + WORD_KIND]! & HAS_EXPIRY) !== 0;
      this.#seen += arenaEntryBytes(
        words[at + WORD_KEY_LENGTH]!,
        words[at + WORD_VALUE_LENGTH]!,
        expires,
      );
    }
  }

  #sorted(firsts: Uint32Array): Uint32Array {
    const keys: KeyTable = {
      bytes: this.#bytes,
      starts: firsts.map((at) => arenaKeyStart(this.#words, at)),
      lengths: firsts.map((at) => this.#words[at + WORD_KEY_LENGTH]!),
    };
    return sortKeys(keys, firsts.length).map((i) => firsts[i]!);
  }
}

/** Forward or backward: the contract of each is that of the interface. */
export type MemTableCursor = EntryCursor & ReverseCursor;

/** Goes through one chunk: forward all versions of each key, newest first; backward key by key. */
class ChunkCursor implements MemTableCursor {
  valid = false;
  readonly keyBytes: Uint8Array;
  keyStart = 0;
  keyLength = 0;
  sequence = 0;
  kind: EntryKind = KIND_PUT;
  expiresAtMs = 0;
  readonly valueBytes: Uint8Array;
  valueStart = 0;
  valueLength = 0;
  readonly #table: MemTable;
  readonly #firsts: Uint32Array;
  readonly #words: Uint32Array;
  #index = 0;
  #at = 0;
  #snapshot = 0;

  constructor(table: MemTable, firsts: Uint32Array, bytes: Uint8Array, words: Uint32Array) {
    this.#table = table;
    this.#firsts = firsts;
    this.keyBytes = bytes;
    this.valueBytes = bytes;
    this.#words = words;
  }

  seekToFirst(): void {
    this.#moveTo(0);
  }

  seek(key: Uint8Array): void {
    this.#moveTo(this.#lowerBound(key));
  }

  next(): void {
    const older = this.#words[this.#at + WORD_PREVIOUS]!;
    if (older === 0) this.#moveTo(this.#index + 1);
    else this.#load(older);
  }

  seekToLast(snapshot: number): void {
    this.#snapshot = snapshot;
    this.#moveBack(this.#firsts.length - 1);
  }

  seekBefore(key: Uint8Array, snapshot: number): void {
    this.#snapshot = snapshot;
    this.#moveBack(this.#lowerBound(key) - 1);
  }

  previous(): void {
    this.#moveBack(this.#index - 1);
  }

  /** To the nearest key at or below `index` that the snapshot may see, at its newest version. */
  #moveBack(index: number): void {
    const words = this.#words;
    for (let i = index; i >= 0; i--) {
      let at = this.#table.newestOf(this.#firsts[i]!);
      while (at !== 0 && arenaSequence(words, at) > this.#snapshot) at = words[at + WORD_PREVIOUS]!;
      if (at === 0) continue;
      this.#index = i;
      this.valid = true;
      this.#load(at);
      return;
    }
    this.valid = false;
  }

  /** Index of the first key that is not below `key`. */
  #lowerBound(key: Uint8Array): number {
    let low = 0;
    let high = this.#firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = this.#firsts[middle]!;
      const start = arenaKeyStart(this.#words, at);
      const length = this.#words[at + WORD_KEY_LENGTH]!;
      if (compareBytes(this.keyBytes, start, length, key, 0, key.length) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #moveTo(index: number): void {
    this.#index = index;
    this.valid = index >= 0 && index < this.#firsts.length;
    if (this.valid) this.#load(this.#table.newestOf(this.#firsts[index]!));
  }

  #load(at: number): void {
    const words = this.#words;
    this.#at = at;
    this.keyStart = arenaKeyStart(words, at);
    this.keyLength = words[at + WORD_KEY_LENGTH]!;
    this.sequence = arenaSequence(words, at);
    this.kind = words[at + WORD_KIND]! >>> KIND_SHIFT === KIND_DELETE ? KIND_DELETE : KIND_PUT;
    this.expiresAtMs = arenaExpiresAtMs(words, at);
    this.valueStart = this.keyStart + this.keyLength;
    this.valueLength = words[at + WORD_VALUE_LENGTH]!;
  }
}
