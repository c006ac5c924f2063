/**
 * The MemTable: the newest writes of a shard, in an arena (storage/arena-format.ts) with a hash
 * index for point operations. Owned by the shard's thread until it is frozen; then read-only, and a
 * flush job on another thread may read the same memory.
 */
import { assert } from '../base/assert.js';
import { hash32 } from '../base/hash.js';
import {
  ARENA_ENTRY_BYTES,
  ARENA_EXPIRY_BYTES,
  ARENA_HEADER_BYTES,
  type ArenaLayout,
  arenaEntryBytes,
  arenaExpiresAtMs,
  arenaKeyStart,
  arenaLayout,
  arenaSequence,
  HAS_EXPIRY,
  KIND_SHIFT,
  WORD_EXPIRY,
  WORD_HASH,
  WORD_KEY_LENGTH,
  WORD_KIND,
  WORD_PREVIOUS,
  WORD_SEQUENCE,
  WORD_VALUE_LENGTH,
} from '../storage/arena-format.js';
import { type EntryKind, KIND_DELETE, KIND_PUT } from '../storage/entry-cursor.js';
import type { LookupResult } from '../storage/lookup.js';

/** Up to here a loop over words copies faster than a call with a fresh view. */
const COPY_LOOP_BYTES_MAX = 256;
const HASH_SEED = 0;

/** The hash under which a MemTable indexes a key. */
export function hashKey(source: Uint8Array, keyStart: number, keyLength: number): number {
  return hash32(source, keyStart, keyLength, HASH_SEED);
}
const EMPTY = new Uint8Array(0);

export class MemTable {
  readonly arena: SharedArrayBuffer;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #words: Uint32Array;
  readonly #slots: Int32Array;
  readonly #layout: ArenaLayout;
  /** What was copied from last, and a view of it: nearly always the same array again. */
  #source: Uint8Array = EMPTY;
  #sourceView: DataView = new DataView(EMPTY.buffer);
  #used: number;
  /**
   * Versions up to this sequence number stay, because a snapshot may need them. A newer one of a
   * key makes room for the next of the same size: a hot key then takes no more memory than any.
   */
  keepThrough = Number.POSITIVE_INFINITY;
  /** Nobody reads it; see `touch`. */
  protected touched = 0;
  #keyCount = 0;
  /** Versions inside; see `keepThrough`. */
  entryCount = 0;
  /** Sequence numbers inside, 0 and 0 while empty. */
  minSequence = 0;
  maxSequence = 0;

  /** Takes the arena over and clears what it needs cleared. */
  constructor(arena: SharedArrayBuffer) {
    this.arena = arena;
    this.#bytes = new Uint8Array(arena);
    this.#view = new DataView(arena);
    this.#words = new Uint32Array(arena, 0, Math.floor(arena.byteLength / 4));
    this.#layout = arenaLayout(arena.byteLength);
    this.#slots = new Int32Array(arena, ARENA_HEADER_BYTES, this.#layout.slotCount);
    this.#words.fill(0, 0, this.#layout.dataStart / 4);
    this.#used = this.#layout.dataStart;
  }

  /** Bytes of the arena in use, index included. */
  get usedBytes(): number {
    return this.#used;
  }

  /** Bytes of entries, without the index. */
  get dataBytes(): number {
    return this.#used - this.#layout.dataStart;
  }

  get keyCount(): number {
    return this.#keyCount;
  }

  /** How full it is, from 0 to 1: of bytes or of keys, whichever is more. */
  get fill(): number {
    const { dataStart, keysMax } = this.#layout;
    return Math.max(this.dataBytes / (this.#bytes.length - dataStart), this.#keyCount / keysMax);
  }

  /** An upper bound of what a run of this many bytes and entries takes in an arena. */
  static boundFor(runBytes: number, entryCount: number): number {
    return runBytes + entryCount * (arenaEntryBytes(0, 0, true) + 4);
  }

  /** Whether entries that need `bytes` (see `boundFor`) surely fit. */
  hasRoomFor(bytes: number, entryCount: number): boolean {
    return (
      this.#used + bytes <= this.#bytes.length &&
      this.#keyCount + entryCount <= this.#layout.keysMax
    );
  }

  /**
   * Brings the index slots of keys to come into the cache. One after the other each would be waited
   * for; in a loop that does nothing else the processor fetches them together.
   */
  touch(hashes: Uint32Array, count: number): void {
    const slots = this.#slots;
    const mask = this.#layout.slotCount - 1;
    let seen = 0;
    for (let i = 0; i < count; i++) seen ^= slots[hashes[i]! & mask]!;
    // Kept, or the compiler would leave the loads out.
    this.touched = seen;
  }

  /** Adds a version. The caller has made sure of the room, and sequences rise. */
  add(
    source: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueStart: number,
    valueLength: number,
    kind: EntryKind,
    expiresAtMs: number,
    sequence: number,
  ): void {
    this.addHashed(
      hashKey(source, keyStart, keyLength),
      source,
      keyStart,
      keyLength,
      valueStart,
      valueLength,
      kind,
      expiresAtMs,
      sequence,
    );
  }

  /** The same, for a caller that knows the key's hash. */
  addHashed(
    hash: number,
    source: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueStart: number,
    valueLength: number,
    kind: EntryKind,
    expiresAtMs: number,
    sequence: number,
  ): void {
    const expires = expiresAtMs > 0;
    const size = arenaEntryBytes(keyLength, valueLength, expires);
    assert(this.#used + size <= this.#bytes.length, 'the arena has room for the entry');
    const slot = this.#findSlot(hash, source, keyStart, keyLength);
    const { offsetMask } = this.#layout;
    const previous = this.#slots[slot]! & offsetMask;
    if (previous === 0) this.#keyCount++;
    const isReplaced = previous !== 0 && this.#mayReplace(previous, valueLength, expires);
    const at = isReplaced ? previous : this.#used >>> 2;
    if (!isReplaced) {
      this.#place(at, previous, hash, source, keyStart, keyLength, valueLength, expires);
      this.#used += size;
      this.#slots[slot] = at | (hash & ~offsetMask);
      this.entryCount++;
    }
    const words = this.#words;
    words[at + WORD_SEQUENCE] = sequence;
    words[at + WORD_KIND] =
      (kind << KIND_SHIFT) | (expires ? HAS_EXPIRY : 0) | Math.floor(sequence / 2 ** 32);
    if (expires) {
      words[at + WORD_EXPIRY] = expiresAtMs;
      words[at + WORD_EXPIRY + 1] = Math.floor(expiresAtMs / 2 ** 32);
    }
    this.#copy(source, valueStart, valueLength, arenaKeyStart(words, at) + keyLength);
    if (this.minSequence === 0) this.minSequence = sequence;
    this.maxSequence = sequence;
  }

  /** Finds the newest version at or below `snapshot`; true when there is one, tombstone or not. */
  get(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    snapshot: number,
    into: LookupResult,
  ): boolean {
    const words = this.#words;
    const hash = hashKey(key, keyStart, keyLength);
    const slot = this.#findSlot(hash, key, keyStart, keyLength);
    let at = this.#slots[slot]! & this.#layout.offsetMask;
    while (at !== 0 && arenaSequence(words, at) > snapshot) at = words[at + WORD_PREVIOUS]!;
    if (at === 0) return false;
    into.kind = words[at + WORD_KIND]! >>> KIND_SHIFT === KIND_DELETE ? KIND_DELETE : KIND_PUT;
    into.sequence = arenaSequence(words, at);
    into.expiresAtMs = arenaExpiresAtMs(words, at);
    into.valueBytes = this.#bytes;
    into.valueStart = arenaKeyStart(words, at) + keyLength;
    into.valueLength = words[at + WORD_VALUE_LENGTH]!;
    return true;
  }

  /** The newest version of the key that the entry at word offset `at` is a version of. */
  newestOf(at: number): number {
    const words = this.#words;
    const keyStart = arenaKeyStart(words, at);
    const slot = this.#findSlot(
      words[at + WORD_HASH]!,
      this.#bytes,
      keyStart,
      words[at + WORD_KEY_LENGTH]!,
    );
    return this.#slots[slot]! & this.#layout.offsetMask;
  }

  /** Byte offset of the first entry in the arena; entries follow each other without gaps. */
  get firstEntryStart(): number {
    return this.#layout.dataStart;
  }

  /** The index slot that holds the key, or the empty one where it belongs. */
  #findSlot(hash: number, key: Uint8Array, keyStart: number, keyLength: number): number {
    const slots = this.#slots;
    const { slotCount, offsetMask } = this.#layout;
    for (let slot = hash & (slotCount - 1); ; slot = (slot + 1) & (slotCount - 1)) {
      const held = slots[slot]!;
      if (held === 0) return slot;
      if (((held ^ hash) & ~offsetMask) !== 0) continue;
      if (this.#keyIs(held & offsetMask, key, keyStart, keyLength)) return slot;
    }
  }

  #keyIs(at: number, key: Uint8Array, keyStart: number, keyLength: number): boolean {
    if (this.#words[at + WORD_KEY_LENGTH] !== keyLength) return false;
    const start = arenaKeyStart(this.#words, at);
    const bytes = this.#bytes;
    for (let i = 0; i < keyLength; i++) {
      if (bytes[start + i] !== key[keyStart + i]) return false;
    }
    return true;
  }

  /** Whether the version at word offset `at` may become a newer one in its place. */
  #mayReplace(at: number, valueLength: number, expires: boolean): boolean {
    const words = this.#words;
    if (words[at + WORD_VALUE_LENGTH] !== valueLength) return false;
    if (((words[at + WORD_KIND]! & HAS_EXPIRY) !== 0) !== expires) return false;
    return arenaSequence(words, at) > this.keepThrough;
  }

  /** Writes what stays the same of the entry at word offset `at`, however often it is replaced. */
  #place(
    at: number,
    previous: number,
    hash: number,
    source: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueLength: number,
    expires: boolean,
  ): void {
    const words = this.#words;
    words[at + WORD_PREVIOUS] = previous;
    words[at + WORD_HASH] = hash;
    words[at + WORD_KEY_LENGTH] = keyLength;
    words[at + WORD_VALUE_LENGTH] = valueLength;
    const expiry = expires ? ARENA_EXPIRY_BYTES : 0;
    this.#copy(source, keyStart, keyLength, at * 4 + ARENA_ENTRY_BYTES + expiry);
  }

  /** Copies into the arena, at any alignment. */
  #copy(source: Uint8Array, start: number, length: number, to: number): void {
    if (length > COPY_LOOP_BYTES_MAX) {
      this.#bytes.set(source.subarray(start, start + length), to);
      return;
    }
    if (source !== this.#source) {
      this.#source = source;
      this.#sourceView = new DataView(source.buffer, source.byteOffset, source.length);
    }
    const from = this.#sourceView;
    const view = this.#view;
    const wordsEnd = length & ~3;
    let i = 0;
    for (; i < wordsEnd; i += 4) view.setInt32(to + i, from.getInt32(start + i, true), true);
    for (; i < length; i++) view.setUint8(to + i, from.getUint8(start + i));
  }
}
