/**
 * Moving windows over entries. Table order is key ascending by bytes, then sequence descending
 * (newest version first). Nothing is allocated per entry: a cursor exposes the bytes where they
 * lie, and they stay valid only until it is moved again.
 *
 * Forward and backward are two ways of reading, not one with a change of direction: after a
 * backward move only another backward move or a seek is allowed, and likewise after a forward one.
 */

/** What a cursor shows: an entry, where its bytes lie. */
export interface EntryView {
  /** False once used up; the other fields then mean nothing. */
  valid: boolean;
  /** Holds the key at [keyStart, keyStart + keyLength). */
  keyBytes: Uint8Array;
  keyStart: number;
  keyLength: number;
  sequence: number;
  kind: EntryKind;
  /** Absolute wall time in ms at which the entry expires; 0 = never. */
  expiresAtMs: number;
  /** Holds the value at [valueStart, valueStart + valueLength); empty for a tombstone. */
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;
}

/** Shows every version of every key, in table order. */
export interface EntryCursor extends EntryView {
  seekToFirst(): void;
  /** Moves to the first entry whose key is ≥ `key`. */
  seek(key: Uint8Array): void;
  next(): void;
}

/**
 * Shows keys in descending order, each once: its newest version whose sequence is at most the
 * snapshot, be it a tombstone or expired. A key whose versions are all newer is passed over. That
 * is what a reader wants, and it needs no way to walk the versions of a key, which lie newest
 * first, against their order.
 */
export interface ReverseCursor extends EntryView {
  /** Moves to the last key that `snapshot` may see, and keeps `snapshot` for `previous`. */
  seekToLast(snapshot: number): void;
  /** The same for the last key that is < `key`. */
  seekBefore(key: Uint8Array, snapshot: number): void;
  /** Moves to the next smaller key that the snapshot may see. The cursor must be valid. */
  previous(): void;
}

/** What an entry does. The numbers are on disk: never change or reuse one. */
export const KIND_PUT = 0;
export const KIND_DELETE = 1;
export type EntryKind = typeof KIND_PUT | typeof KIND_DELETE;
