/**
 * A sorted run, that is tables with disjoint ascending key ranges, as one cursor. Tables are opened
 * only when the cursor reaches them and given back when it leaves them, so a run of any length holds
 * one table open.
 */
import type { TableMeta } from '../base/table-meta.js';
import { type EntryCursor, type EntryKind, KIND_PUT } from './entry-cursor.js';
import { compareBytes } from './key-bytes.js';

/** Opens tables for a cursor; both calls come in pairs, one table at a time. */
export interface RunTables {
  open(meta: TableMeta): EntryCursor;
  close(meta: TableMeta): void;
}

export class RunCursor implements EntryCursor {
  valid = false;
  keyBytes: Uint8Array = EMPTY;
  keyStart = 0;
  keyLength = 0;
  sequence = 0;
  kind: EntryKind = KIND_PUT;
  expiresAtMs = 0;
  valueBytes: Uint8Array = EMPTY;
  valueStart = 0;
  valueLength = 0;
  readonly #run: TableMeta[];
  readonly #tables: RunTables;
  #position = 0;
  #current: EntryCursor | undefined;

  /** `run` ascends by key. Not positioned before the first seek. */
  constructor(run: TableMeta[], tables: RunTables) {
    this.#run = run;
    this.#tables = tables;
  }

  seekToFirst(): void {
    this.#enter(0)?.seekToFirst();
    this.#show();
  }

  seek(key: Uint8Array): void {
    let low = 0;
    let high = this.#run.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const maxKey = this.#run[middle]!.maxKey;
      if (compareBytes(maxKey, 0, maxKey.length, key, 0, key.length) < 0) low = middle + 1;
      else high = middle;
    }
    this.#enter(low)?.seek(key);
    this.#show();
  }

  next(): void {
    const current = this.#current;
    if (current === undefined) return;
    this.valid = false;
    current.next();
    if (!current.valid) this.#enter(this.#position + 1)?.seekToFirst();
    this.#show();
  }

  /** Gives the open table back. */
  close(): void {
    this.valid = false;
    this.valueBytes = this.keyBytes = EMPTY;
    const meta = this.#run[this.#position];
    if (this.#current === undefined || meta === undefined) return;
    this.#current = undefined;
    this.#tables.close(meta);
  }

  #enter(position: number): EntryCursor | undefined {
    if (this.#current !== undefined && position === this.#position) return this.#current;
    this.close();
    const meta = this.#run[position];
    if (meta === undefined) return undefined;
    this.#position = position;
    this.#current = this.#tables.open(meta);
    return this.#current;
  }

  #show(): void {
    const from = this.#current;
    if (from === undefined) return;
    this.valid = from.valid;
    this.keyBytes = from.keyBytes;
    this.keyStart = from.keyStart;
    this.keyLength = from.keyLength;
    this.sequence = from.sequence;
    this.kind = from.kind;
    this.expiresAtMs = from.expiresAtMs;
    this.valueBytes = from.valueBytes;
    this.valueStart = from.valueStart;
    this.valueLength = from.valueLength;
  }
}

const EMPTY = new Uint8Array(0);
