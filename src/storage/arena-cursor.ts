/**
 * Reads a frozen arena in table order: keys ascending, versions of a key newest first; or backward,
 * key by key. Opening it
 * sorts the keys once; the arena must not change while a cursor lives.
 */
import {
  ARENA_HEADER_BYTES,
  type ArenaLayout,
  arenaExpiresAtMs,
  arenaKeyStart,
  arenaLayout,
  arenaSequence,
  KIND_SHIFT,
  WORD_KEY_LENGTH,
  WORD_KIND,
  WORD_PREVIOUS,
  WORD_VALUE_LENGTH,
} from './arena-format.js';
import {
  type EntryCursor,
  type EntryKind,
  KIND_DELETE,
  KIND_PUT,
  type ReverseCursor,
} from './entry-cursor.js';
import { type KeyTable, sortKeys } from './key-sort.js';

const TOUCHED_AT_ONCE = 64;
const WORDS_PER_CACHE_LINE = 16;

export class ArenaCursor implements EntryCursor, ReverseCursor {
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
  readonly #words: Uint32Array;
  /** Word offset of the newest version of each key, ascending by key. */
  readonly #heads: Uint32Array;
  #head = 0;
  #at = 0;
  #snapshot = 0;
  /** Nobody reads it; see `#touch`. */
  protected touched = 0;

  constructor(arena: SharedArrayBuffer) {
    const bytes = new Uint8Array(arena);
    this.keyBytes = bytes;
    this.valueBytes = bytes;
    this.#words = new Uint32Array(arena, 0, Math.floor(arena.byteLength / 4));
    this.#heads = sortedHeads(bytes, this.#words, arenaLayout(arena.byteLength));
  }

  /** Distinct keys in the arena. */
  get keyCount(): number {
    return this.#heads.length;
  }

  seekToFirst(): void {
    this.#moveTo(0);
  }

  seek(key: Uint8Array): void {
    this.#moveTo(this.#lowerBound(key));
  }

  seekToLast(snapshot: number): void {
    this.#snapshot = snapshot;
    this.#showVisible(this.#heads.length - 1);
  }

  seekBefore(key: Uint8Array, snapshot: number): void {
    this.#snapshot = snapshot;
    this.#showVisible(this.#lowerBound(key) - 1);
  }

  previous(): void {
    this.#showVisible(this.#head - 1);
  }

  /** Index of the first key that is not below `key`. */
  #lowerBound(key: Uint8Array): number {
    let low = 0;
    let high = this.#heads.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.#heads[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Shows the last key at or before `from` that has a version for the snapshot. */
  #showVisible(from: number): void {
    this.valid = false;
    for (let head = from; head >= 0; head--) {
      let at = this.#heads[head]!;
      while (at !== 0 && arenaSequence(this.#words, at) > this.#snapshot) {
        at = this.#words[at + WORD_PREVIOUS]!;
      }
      if (at === 0) continue;
      this.#head = head;
      this.#load(at);
      this.valid = true;
      return;
    }
  }

  next(): void {
    const older = this.#words[this.#at + WORD_PREVIOUS]!;
    if (older === 0) this.#moveTo(this.#head + 1);
    else this.#load(older);
  }

  #moveTo(head: number): void {
    this.#head = head;
    this.valid = head < this.#heads.length;
    if (!this.valid) return;
    if (head % TOUCHED_AT_ONCE === 0) this.#touch(head);
    this.#load(this.#heads[head]!);
  }

  /**
   * Brings the entries to come into the cache. They lie at random places; in a loop that does
   * nothing else the processor fetches them together instead of waiting for each.
   */
  #touch(from: number): void {
    const words = this.#words;
    const last = words.length - 1;
    const to = Math.min(from + TOUCHED_AT_ONCE, this.#heads.length);
    let seen = 0;
    for (let i = from; i < to; i++) {
      const at = this.#heads[i]!;
      seen ^= words[at]! ^ words[Math.min(at + WORDS_PER_CACHE_LINE, last)]!;
    }
    // Kept, or the compiler would leave the loads out.
    this.touched = seen;
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

  #compare(at: number, key: Uint8Array): number {
    const start = arenaKeyStart(this.#words, at);
    const length = this.#words[at + WORD_KEY_LENGTH]!;
    const common = Math.min(length, key.length);
    for (let i = 0; i < common; i++) {
      const difference = this.keyBytes[start + i]! - key[i]!;
      if (difference !== 0) return difference;
    }
    return length - key.length;
  }
}

function sortedHeads(bytes: Uint8Array, words: Uint32Array, layout: ArenaLayout): Uint32Array {
  const heads = headsByPlace(words, layout);
  const count = heads.length;
  const keys: KeyTable = {
    bytes,
    starts: new Uint32Array(count),
    lengths: new Uint32Array(count),
  };
  for (let i = 0; i < count; i++) {
    keys.starts[i] = arenaKeyStart(words, heads[i]!);
    keys.lengths[i] = words[heads[i]! + WORD_KEY_LENGTH]!;
  }
  const order = sortKeys(keys, count);
  for (let i = 0; i < count; i++) order[i] = heads[order[i]!]!;
  return order;
}

/**
 * The newest version of each key, in the order in which they lie in the arena: the index has them
 * at random, and going through megabytes at random costs more than putting them in order.
 */
function headsByPlace(words: Uint32Array, layout: ArenaLayout): Uint32Array {
  const firstSlot = ARENA_HEADER_BYTES / 4;
  const endSlot = firstSlot + layout.slotCount;
  const isHead = new Uint32Array(Math.ceil(words.length / 32));
  let count = 0;
  for (let slot = firstSlot; slot < endSlot; slot++) {
    const at = words[slot]! & layout.offsetMask;
    if (at === 0) continue;
    isHead[at >>> 5]! |= 1 << (at & 31);
    count++;
  }
  const heads = new Uint32Array(count);
  for (let i = 0, found = 0; found < count; i++) {
    for (let bits = isHead[i]! | 0; bits !== 0; bits &= bits - 1) {
      heads[found++] = i * 32 + 31 - Math.clz32(bits & -bits);
    }
  }
  return heads;
}
