/**
 * A sorted run, that is tables with disjoint ascending key ranges, as one cursor, forward and
 * backward. Tables are opened only when the cursor reaches them and given back when it leaves them,
 * so a run of any length holds one table open.
 */
import type { TableMeta } from '../base/table-meta.js';
import {
  type EntryCursor,
  type EntryKind,
  type EntryView,
  KIND_PUT,
  type ReverseCursor,
} from './entry-cursor.js';
import { compareBytes } from './key-bytes.js';

const EMPTY = new Uint8Array(0);

/** Opens tables for a cursor; both calls come in pairs, one table at a time. */
export interface RunTables<Cursor extends EntryView = EntryCursor> {
  open(meta: TableMeta): Cursor;
  close(meta: TableMeta): void;
}

/** A place in a run; shows the entry of its table's cursor as its own. */
class RunPosition<Cursor extends EntryView> implements EntryView {
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
  protected readonly run: readonly TableMeta[];
  protected position = 0;
  protected current: Cursor | undefined;
  readonly #tables: RunTables<Cursor>;

  protected constructor(run: readonly TableMeta[], tables: RunTables<Cursor>) {
    this.run = run;
    this.#tables = tables;
  }

  /** Gives the open table back. */
  close(): void {
    this.valid = false;
    this.valueBytes = this.keyBytes = EMPTY;
    const meta = this.run[this.position];
    if (this.current === undefined || meta === undefined) return;
    this.current = undefined;
    this.#tables.close(meta);
  }

  /** The cursor of the table at `position`; undefined where the run has none. */
  protected enter(position: number): Cursor | undefined {
    if (this.current !== undefined && position === this.position) return this.current;
    this.close();
    const meta = this.run[position];
    if (meta === undefined) return undefined;
    this.position = position;
    this.current = this.#tables.open(meta);
    return this.current;
  }

  protected show(): void {
    const from = this.current;
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

export class RunCursor extends RunPosition<EntryCursor> implements EntryCursor {
  /** `run` ascends by key. Not positioned before the first seek. */
  constructor(run: readonly TableMeta[], tables: RunTables<EntryCursor>) {
    super(run, tables);
  }

  seekToFirst(): void {
    this.enter(0)?.seekToFirst();
    this.show();
  }

  seek(key: Uint8Array): void {
    const { run } = this;
    let low = 0;
    let high = run.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { maxKey } = run[middle]!;
      if (compareBytes(maxKey, 0, maxKey.length, key, 0, key.length) < 0) low = middle + 1;
      else high = middle;
    }
    this.enter(low)?.seek(key);
    this.show();
  }

  next(): void {
    const { current } = this;
    if (current === undefined) return;
    this.valid = false;
    current.next();
    if (!current.valid) this.enter(this.position + 1)?.seekToFirst();
    this.show();
  }
}

export class ReverseRunCursor extends RunPosition<ReverseCursor> implements ReverseCursor {
  #snapshot = 0;

  /** `run` ascends by key. Not positioned before the first seek. */
  constructor(run: readonly TableMeta[], tables: RunTables<ReverseCursor>) {
    super(run, tables);
  }

  seekToLast(snapshot: number): void {
    this.#snapshot = snapshot;
    this.valid = false;
    this.#enterFromBehind(this.run.length - 1);
  }

  seekBefore(key: Uint8Array, snapshot: number): void {
    this.#snapshot = snapshot;
    this.valid = false;
    const { run } = this;
    let low = 0;
    let high = run.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { minKey } = run[middle]!;
      if (compareBytes(minKey, 0, minKey.length, key, 0, key.length) < 0) low = middle + 1;
      else high = middle;
    }
    const current = this.enter(low - 1);
    if (current === undefined) return;
    current.seekBefore(key, snapshot);
    this.#showOrGoOn(current);
  }

  previous(): void {
    const { current } = this;
    if (current === undefined) return;
    this.valid = false;
    current.previous();
    this.#showOrGoOn(current);
  }

  #showOrGoOn(current: ReverseCursor): void {
    if (current.valid) this.show();
    else this.#enterFromBehind(this.position - 1);
  }

  /** Shows the last visible entry at or before the table at `from`; there may be none. */
  #enterFromBehind(from: number): void {
    for (let position = from; position >= 0; position--) {
      // What was written after the snapshot need not even be opened.
      if (this.run[position]!.minSequence > this.#snapshot) continue;
      const current = this.enter(position);
      current?.seekToLast(this.#snapshot);
      if (current?.valid === true) {
        this.show();
        return;
      }
    }
    this.close();
  }
}
