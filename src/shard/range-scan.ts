/**
 * One page of an ordered scan: from the MemTables and the tables of a version, what a snapshot sees
 * of a range of keys. A page is produced within one turn, from cursors that are opened for it and
 * forgotten after it; between pages nothing is held but the snapshot's sequence number.
 */
import {
  type EntryCursor,
  type EntryView,
  KIND_DELETE,
  type ReverseCursor,
} from '../storage/entry-cursor.js';
import { compareBytes } from '../storage/key-bytes.js';
import { UNREADABLE, unreadableError } from './damaged-table.js';

export interface ScanRange {
  /** Inclusive lower bound; undefined = from the first key. */
  from: Uint8Array | undefined;
  /** Exclusive upper bound; undefined = to the last key. */
  to: Uint8Array | undefined;
  /** What was written at or below is seen. */
  snapshot: number;
  /** Wall time for judging expiry. */
  nowMs: number;
}

/** Takes entries until it is full. The bytes are borrowed: copy them. */
export interface PageSink {
  /** False when the entry was not taken: the page ends before it. */
  add(entry: EntryView): boolean;
}

/** How many entries a page may look at, so that a stretch of tombstones cannot hold up a turn. */
const LOOKED_AT_MAX = 20_000;

export type PageEnd =
  | { kind: 'done' }
  /** Go on from this key, inclusive. */
  | { kind: 'more'; key: Uint8Array };

/** Fills `sink` from `source`, which is not yet positioned, in ascending order. */
export function scanForward(source: EntryCursor, range: ScanRange, sink: PageSink): PageEnd {
  const { from, to, snapshot, nowMs } = range;
  if (from === undefined) source.seekToFirst();
  else source.seek(from);
  const last = new KeyCopy();
  let isDecided = false;
  for (let looked = 0; source.valid; source.next(), looked++) {
    if (to !== undefined && isAtOrAbove(source, to)) break;
    if (!last.is(source)) {
      // Never within a key: the next page would begin with its newest version again.
      if (looked >= LOOKED_AT_MAX) return { kind: 'more', key: keyOf(source) };
      last.take(source);
      isDecided = false;
    }
    if (isDecided || source.sequence > snapshot) {
      if (source.sequence === UNREADABLE) throw unreadableError(source);
      continue;
    }
    const isGone = source.kind === KIND_DELETE || isExpired(source.expiresAtMs, nowMs);
    if (!isGone && !sink.add(source)) return { kind: 'more', key: keyOf(source) };
    isDecided = true;
  }
  return { kind: 'done' };
}

/** The same from the upper bound down. */
export function scanBackward(source: ReverseCursor, range: ScanRange, sink: PageSink): PageEnd {
  const { from, to, snapshot, nowMs } = range;
  if (to === undefined) source.seekToLast(snapshot);
  else source.seekBefore(to, snapshot);
  for (let looked = 0; source.valid; source.previous(), looked++) {
    if (from !== undefined && !isAtOrAbove(source, from)) break;
    if (looked >= LOOKED_AT_MAX) return { kind: 'more', key: keyOf(source) };
    if (source.sequence === UNREADABLE) throw unreadableError(source);
    const isGone = source.kind === KIND_DELETE || isExpired(source.expiresAtMs, nowMs);
    if (!isGone && !sink.add(source)) return { kind: 'more', key: keyOf(source) };
  }
  return { kind: 'done' };
}

export function isExpired(expiresAtMs: number, nowMs: number): boolean {
  return expiresAtMs !== 0 && expiresAtMs <= nowMs;
}

function isAtOrAbove(entry: EntryView, bound: Uint8Array): boolean {
  return compareBytes(entry.keyBytes, entry.keyStart, entry.keyLength, bound, 0, bound.length) >= 0;
}

function keyOf(entry: EntryView): Uint8Array {
  return entry.keyBytes.slice(entry.keyStart, entry.keyStart + entry.keyLength);
}

/** Remembers the key that was looked at last: its older versions follow. */
class KeyCopy {
  #bytes = new Uint8Array(256);
  #length = -1;

  is({ keyBytes, keyStart, keyLength }: EntryView): boolean {
    if (keyLength !== this.#length) return false;
    return compareBytes(keyBytes, keyStart, keyLength, this.#bytes, 0, keyLength) === 0;
  }

  take({ keyBytes, keyStart, keyLength }: EntryView): void {
    if (keyLength > this.#bytes.length) this.#bytes = new Uint8Array(keyLength * 2);
    for (let i = 0; i < keyLength; i++) this.#bytes[i] = keyBytes[keyStart + i]!;
    this.#length = keyLength;
  }
}
