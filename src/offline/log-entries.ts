/**
 * The writes of a shard's WAL that are not in tables, as a cursor: of each key the newest one.
 * Holds the payloads of the frames it was given, so whoever has a long log takes them out in parts.
 */
import { RunReader } from '../base/entry-run.js';
import { CorruptionError } from '../base/errors.js';
import {
  type EntryCursor,
  type EntryKind,
  KIND_DELETE,
  KIND_PUT,
} from '../storage/entry-cursor.js';
import type { WalFrame } from '../storage/wal-reader.js';

interface LogEntry {
  bytes: Uint8Array;
  keyStart: number;
  keyLength: number;
  valueStart: number;
  valueLength: number;
  sequence: number;
  kind: EntryKind;
  expiresAtMs: number;
}

const NOTHING = new Uint8Array(0);

export class LogEntries implements EntryCursor {
  valid = false;
  keyBytes: Uint8Array = NOTHING;
  keyStart = 0;
  keyLength = 0;
  sequence = 0;
  kind: EntryKind = KIND_PUT;
  expiresAtMs = 0;
  valueBytes: Uint8Array = NOTHING;
  valueStart = 0;
  valueLength = 0;
  /** Of the payloads that are held. */
  heldBytes = 0;
  /** By the key's bytes as latin1: as strings they have the order of the bytes. */
  readonly #newest = new Map<string, LogEntry>();
  readonly #reader = new RunReader();
  #keys: string[] = [];
  #at = 0;

  get count(): number {
    return this.#newest.size;
  }

  /** Takes the entries of a frame above `flushedSequence`; frames come in the log's order. */
  add({ header, bytes, payloadStart }: WalFrame, flushedSequence: number): void {
    const payload = bytes.slice(payloadStart, payloadStart + header.payloadLength);
    this.heldBytes += payload.length;
    const reader = this.#reader;
    reader.reset(payload, 0, payload.length);
    while (reader.next()) {
      const sequence = header.firstSequence + reader.count - 1;
      if (sequence > flushedSequence) this.#take(reader, payload, sequence, header.commitTimeMs);
    }
    if (reader.count !== header.count) {
      const what = `A WAL frame says ${header.count} entries and holds ${reader.count}`;
      throw new CorruptionError(what, { file: '', offset: header.offset });
    }
  }

  #take(reader: RunReader, bytes: Uint8Array, sequence: number, commitTimeMs: number): void {
    const { keyStart, keyLength, valueStart, valueLength, isDelete, ttlMs } = reader;
    const key = Buffer.from(bytes.buffer, bytes.byteOffset + keyStart, keyLength);
    this.#newest.set(key.toString('latin1'), {
      bytes,
      keyStart,
      keyLength,
      valueStart,
      valueLength,
      sequence,
      kind: isDelete ? KIND_DELETE : KIND_PUT,
      expiresAtMs: ttlMs === 0 ? 0 : commitTimeMs + ttlMs,
    });
  }

  /** Must be called before the first seek, when no more frames come. */
  putInOrder(): void {
    this.#keys = [...this.#newest.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  /** Forgets everything. */
  clear(): void {
    this.#newest.clear();
    this.#keys = [];
    this.heldBytes = 0;
    this.valid = false;
  }

  seekToFirst(): void {
    this.#show(0);
  }

  seek(key: Uint8Array): void {
    const wanted = Buffer.from(key).toString('latin1');
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    this.#show(low);
  }

  next(): void {
    this.#show(this.#at + 1);
  }

  #show(at: number): void {
    this.#at = at;
    const key = this.#keys[at];
    const entry = key === undefined ? undefined : this.#newest.get(key);
    this.valid = entry !== undefined;
    if (entry === undefined) return;
    this.keyBytes = this.valueBytes = entry.bytes;
    this.keyStart = entry.keyStart;
    this.keyLength = entry.keyLength;
    this.valueStart = entry.valueStart;
    this.valueLength = entry.valueLength;
    this.sequence = entry.sequence;
    this.kind = entry.kind;
    this.expiresAtMs = entry.expiresAtMs;
  }
}
