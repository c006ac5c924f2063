/**
 * The layout of a MemTable's arena: one SharedArrayBuffer that a shard fills and, once frozen, a
 * flush job reads on another thread. Memory only, never on disk.
 *
 *   | used bytes, entry count, … (64 B) | index: u32 per slot | entries, 4-byte aligned … |
 *
 * The index is an open-addressing hash table (linear probing). A slot holds the word offset of the
 * newest version of a key, 0 where it is empty; the bits that no offset needs hold those of the
 * key's hash, so that a probe that meets another key rarely has to look at its entry, which would
 * miss the cache. An entry is
 *
 *   u32 previous version (word offset, 0 = none) | u32 hash | u32 sequence low |
 *   u32 kind << 24 | has-expiry << 23 | sequence high (21 bits) | u32 key length |
 *   u32 value length |
 *   [u32 expiry low | u32 expiry high] | key | value | up to the next word
 */
export const ARENA_HEADER_BYTES = 64;
export const ARENA_ENTRY_BYTES = 24;
export const ARENA_EXPIRY_BYTES = 8;
export const WORD_PREVIOUS = 0;
export const WORD_HASH = 1;
export const WORD_SEQUENCE = 2;
export const WORD_KIND = 3;
export const WORD_KEY_LENGTH = 4;
export const WORD_VALUE_LENGTH = 5;
export const WORD_EXPIRY = 6;
export const KIND_SHIFT = 24;
export const HAS_EXPIRY = 1 << 23;
export const SEQUENCE_HIGH_MASK = (1 << 21) - 1;

/** Mean bytes of data per index slot: at most three quarters of the slots are used. */
const BYTES_PER_SLOT = 64;
const SLOTS_MIN = 64;

export interface ArenaLayout {
  /** Power of two. */
  slotCount: number;
  /** The MemTable is full when so many keys are indexed. */
  keysMax: number;
  /** The bits of a slot that are a word offset; the others are those of the hash. */
  offsetMask: number;
  /** Where the entries begin. */
  dataStart: number;
}

export function arenaLayout(arenaBytes: number): ArenaLayout {
  const wanted = Math.max(SLOTS_MIN, arenaBytes / BYTES_PER_SLOT);
  const slotCount = 2 ** Math.floor(Math.log2(wanted));
  return {
    slotCount,
    keysMax: Math.floor(slotCount * 0.75),
    offsetMask: 2 ** Math.ceil(Math.log2(arenaBytes / 4)) - 1,
    dataStart: ARENA_HEADER_BYTES + slotCount * 4,
  };
}

/** Arena bytes that an entry takes. */
export function arenaEntryBytes(keyLength: number, valueLength: number, expires: boolean): number {
  const header = ARENA_ENTRY_BYTES + (expires ? ARENA_EXPIRY_BYTES : 0);
  return (header + keyLength + valueLength + 3) & ~3;
}

/** The sequence number of the entry at word offset `at`. */
export function arenaSequence(words: Uint32Array, at: number): number {
  return (words[at + WORD_KIND]! & SEQUENCE_HIGH_MASK) * 2 ** 32 + words[at + WORD_SEQUENCE]!;
}

/** Byte offset of the key of the entry at word offset `at`. */
export function arenaKeyStart(words: Uint32Array, at: number): number {
  const expiry = (words[at + WORD_KIND]! & HAS_EXPIRY) !== 0 ? ARENA_EXPIRY_BYTES : 0;
  return at * 4 + ARENA_ENTRY_BYTES + expiry;
}

/** Absolute expiry of the entry at word offset `at` in ms, 0 = never. */
export function arenaExpiresAtMs(words: Uint32Array, at: number): number {
  if ((words[at + WORD_KIND]! & HAS_EXPIRY) === 0) return 0;
  return words[at + WORD_EXPIRY + 1]! * 2 ** 32 + words[at + WORD_EXPIRY]!;
}
