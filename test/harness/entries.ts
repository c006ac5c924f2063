/** Entries as plain values: what tests compare cursors and tables with. */
import {
  type EntryCursor,
  type EntryKind,
  type EntryView,
  KIND_DELETE,
  KIND_PUT,
  type ReverseCursor,
} from '../../src/storage/entry-cursor.js';

export interface TestEntry {
  key: string;
  sequence: number;
  kind: EntryKind;
  expiresAtMs: number;
  value: string;
}

export function put(key: string, sequence: number, value = '', expiresAtMs = 0): TestEntry {
  return { key, sequence, kind: KIND_PUT, expiresAtMs, value };
}

export function del(key: string, sequence: number): TestEntry {
  return { key, sequence, kind: KIND_DELETE, expiresAtMs: 0, value: '' };
}

/** Text ⇄ bytes one to one, so that a test may use any byte. */
export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
export const textOf = (bytes: Uint8Array, start = 0, length = bytes.length): string =>
  Buffer.from(bytes.subarray(start, start + length)).toString('latin1');

/** Key ascending by bytes, then sequence descending. */
export function inTableOrder(entries: readonly TestEntry[]): TestEntry[] {
  return [...entries].sort((a, b) =>
    a.key === b.key ? b.sequence - a.sequence : a.key < b.key ? -1 : 1,
  );
}

/** The same key and sequence only once: the first stays. */
export function withoutTwins(entries: readonly TestEntry[]): TestEntry[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    const name = `${entry.sequence}/${entry.key}`;
    return !seen.has(name) && seen.add(name);
  });
}

export function entryAt(cursor: EntryView): TestEntry {
  return {
    key: textOf(cursor.keyBytes, cursor.keyStart, cursor.keyLength),
    sequence: cursor.sequence,
    kind: cursor.kind,
    expiresAtMs: cursor.expiresAtMs,
    value: textOf(cursor.valueBytes, cursor.valueStart, cursor.valueLength),
  };
}

/** All entries from where the cursor stands. */
export function restOf(cursor: EntryCursor): TestEntry[] {
  const entries: TestEntry[] = [];
  for (; cursor.valid; cursor.next()) entries.push(entryAt(cursor));
  return entries;
}

export function allOf(cursor: EntryCursor): TestEntry[] {
  cursor.seekToFirst();
  return restOf(cursor);
}

/** All that the cursor shows from where it stands backward. */
export function backwardFrom(cursor: ReverseCursor): TestEntry[] {
  const entries: TestEntry[] = [];
  for (; cursor.valid; cursor.previous()) entries.push(entryAt(cursor));
  return entries;
}

/** What going backward must show of `entries`: of each key the newest visible version. */
export function expectedBackward(
  entries: readonly TestEntry[],
  snapshot: number,
  below?: string,
): TestEntry[] {
  const shown = new Map<string, TestEntry>();
  for (const entry of inTableOrder(entries)) {
    const isSeen = entry.sequence <= snapshot && (below === undefined || entry.key < below);
    if (isSeen && !shown.has(entry.key)) shown.set(entry.key, entry);
  }
  return [...shown.values()].reverse();
}

/** What a lookup must find among `entries`. */
export function expectedVersion(
  entries: readonly TestEntry[],
  key: string,
  snapshot: number,
): TestEntry | undefined {
  return inTableOrder(entries).find((entry) => entry.key === key && entry.sequence <= snapshot);
}

/** A cursor over an array in table order, with buffers that it overwrites to catch borrowers. */
export class ArrayCursor implements EntryCursor, ReverseCursor {
  valid = false;
  keyBytes = new Uint8Array(16);
  keyStart = 3;
  keyLength = 0;
  sequence = 0;
  kind: EntryKind = KIND_PUT;
  expiresAtMs = 0;
  valueBytes = new Uint8Array(16);
  valueStart = 5;
  valueLength = 0;
  readonly #entries: readonly TestEntry[];
  #shown: readonly TestEntry[] = [];
  #at = 0;

  constructor(entries: readonly TestEntry[]) {
    this.#entries = entries;
  }

  seekToFirst(): void {
    this.#shown = this.#entries;
    this.#show(0);
  }

  seekToLast(snapshot: number): void {
    this.#shown = expectedBackward(this.#entries, snapshot);
    this.#show(0);
  }

  seekBefore(key: Uint8Array, snapshot: number): void {
    this.#shown = expectedBackward(this.#entries, snapshot, textOf(key));
    this.#show(0);
  }

  previous(): void {
    this.#show(this.#at + 1);
  }

  seek(key: Uint8Array): void {
    this.#shown = this.#entries;
    const wanted = textOf(key);
    const at = this.#entries.findIndex((entry) => entry.key >= wanted);
    this.#show(at < 0 ? this.#entries.length : at);
  }

  next(): void {
    this.#show(this.#at + 1);
  }

  #show(at: number): void {
    this.#at = at;
    this.keyBytes.fill(0xee);
    this.valueBytes.fill(0xee);
    const entry = this.#shown[at];
    this.valid = entry !== undefined;
    if (entry === undefined) return;
    this.keyBytes = padded(entry.key, this.keyStart);
    this.keyLength = entry.key.length;
    this.sequence = entry.sequence;
    this.kind = entry.kind;
    this.expiresAtMs = entry.expiresAtMs;
    this.valueBytes = padded(entry.value, this.valueStart);
    this.valueLength = entry.value.length;
  }
}

function padded(text: string, start: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(start + text.length + 2).fill(0xdd);
  bytes.set(bytesOf(text), start);
  return bytes;
}
