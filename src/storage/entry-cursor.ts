/**
 * A moving window over entries in table order: key ascending by bytes, then sequence descending
 * (newest version first). Nothing is allocated per entry: a cursor exposes the bytes where they lie,
 * and they stay valid only until the next call of `next`, `seek` or `seekToFirst`.
 */
export interface EntryCursor {
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

  seekToFirst(): void;
  /** Moves to the first entry whose key is ≥ `key`. */
  seek(key: Uint8Array): void;
  next(): void;
}

/** What an entry does. The numbers are on disk: never change or reuse one. */
export const KIND_PUT = 0;
export const KIND_DELETE = 1;
export type EntryKind = typeof KIND_PUT | typeof KIND_DELETE;
