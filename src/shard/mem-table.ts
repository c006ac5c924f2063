/**
 * The MemTable: the newest writes of a shard, in an arena (storage/arena-format.ts) with a hash
 * index for point operations. Owned by the shard's thread until it is frozen; then read-only, and a
 * flush job on another thread may read the same memory.
 */
import { assert } from '../base/assert.js';
import {
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

/** Below this many bytes a loop copies faster than a call with a fresh view. */
const COPY_LOOP_BYTES_MAX = 96;

export class MemTable {
  readonly arena: SharedArrayBuffer;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #layout: ArenaLayout;
  #used: number;
  #keyCount = 0;
  entryCount = 0;
  /** Sequence numbers inside, 0 and 0 while empty. */
  minSequence = 0;
  maxSequence = 0;

  /** Takes the arena over and clears what it needs cleared. */
  constructor(arena: SharedArrayBuffer) {
    this.arena = arena;
    this.#bytes = new Uint8Array(arena);
    this.#words = new Uint32Array(arena, 0, Math.floor(arena.byteLength / 4));
    this.#layout = arenaLayout(arena.byteLength);
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
    const words = this.#words;
    const size = arenaEntryBytes(keyLength, valueLength, expiresAtMs > 0);
    assert(this.#used + size <= this.#bytes.length, 'the arena has room for the entry');
    const hash = hashKey(source, keyStart, keyLength);
    const slot = this.#findSlot(hash, source, keyStart, keyLength);
    const previous = words[slot]!;
    if (previous === 0) this.#keyCount++;
    const at = this.#used / 4;
    words[at + WORD_PREVIOUS] = previous;
    words[at + WORD_HASH] = hash;
    words[at + WORD_SEQUENCE] = sequence;
    words[at + WORD_KIND] =
      (kind << KIND_SHIFT) | (expiresAtMs > 0 ? HAS_EXPIRY : 0) | Math.floor(sequence / 2 ** 32);
    words[at + WORD_KEY_LENGTH] = keyLength;
    words[at + WORD_VALUE_LENGTH] = valueLength;
    if (expiresAtMs > 0) {
      words[at + WORD_EXPIRY] = expiresAtMs;
      words[at + WORD_EXPIRY + 1] = Math.floor(expiresAtMs / 2 ** 32);
    }
    const key = arenaKeyStart(words, at);
    copyBytes(source, keyStart, keyLength, this.#bytes, key);
    copyBytes(source, valueStart, valueLength, this.#bytes, key + keyLength);
    this.#used += size;
    words[slot] = at;
    this.entryCount++;
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
    let at = words[this.#findSlot(hash, key, keyStart, keyLength)]!;
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
    return words[slot]!;
  }

  /** Byte offset of the first entry in the arena; entries follow each other without gaps. */
  get firstEntryStart(): number {
    return this.#layout.dataStart;
  }

  /** The index slot (as a word offset) that holds the key, or the empty one where it belongs. */
  #findSlot(hash: number, key: Uint8Array, keyStart: number, keyLength: number): number {
    const words = this.#words;
    const mask = this.#layout.slotCount - 1;
    let slot = hash & mask;
    for (;;) {
      const word = ARENA_HEADER_BYTES / 4 + slot;
      const at = words[word]!;
      if (at === 0) return word;
      if (words[at + WORD_HASH] === hash && this.#keyIs(at, key, keyStart, keyLength)) return word;
      slot = (slot + 1) & mask;
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
}

function copyBytes(
  source: Uint8Array,
  start: number,
  length: number,
  target: Uint8Array,
  at: number,
): void {
  if (length > COPY_LOOP_BYTES_MAX) {
    target.set(source.subarray(start, start + length), at);
    return;
  }
  for (let i = 0; i < length; i++) target[at + i] = source[start + i]!;
}

/** FNV-1a with a final mix: the low bits choose the slot. */
function hashKey(bytes: Uint8Array, start: number, length: number): number {
  let hash = 0x811c9dc5;
  const end = start + length;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
