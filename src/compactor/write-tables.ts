/**
 * Entries in, tables out: splits a sorted stream over as many tables as it needs. Used by flushes
 * and merges; runs on a pool thread and remembers nothing.
 */
import { assert } from '../base/assert.js';
import type { FileNumber } from '../base/ids.js';
import type { TableMeta, TableOptions } from '../base/table-meta.js';
import type { EntryCursor, EntryKind } from '../storage/entry-cursor.js';
import { tableFileName } from '../storage/file-names.js';
import type { FileSystem } from '../storage/file-system.js';
import { TableWriter } from '../storage/table-writer.js';

/**
 * Writes all entries from where `source` stands (it must be positioned) to tables in `dir`; returns
 * them ascending by key, synced with their directory entries. None for an empty source. On an error
 * all files of the call are removed.
 *
 * A table ends when it has `options.tableBytesMax`, but never between two versions of a key. The
 * last number of `outputs` takes whatever is left: too large a table is better than a lost job.
 */
export function writeTables(
  fs: FileSystem,
  dir: string,
  source: EntryCursor,
  outputs: FileNumber[],
  options: TableOptions,
): TableMeta[] {
  const series = new TableSeries(fs, dir, outputs, options);
  try {
    for (; source.valid; source.next()) {
      series.add(
        source.keyBytes,
        source.keyStart,
        source.keyLength,
        source.sequence,
        source.kind,
        source.expiresAtMs,
        source.valueBytes,
        source.valueStart,
        source.valueLength,
      );
    }
    return series.finish();
  } catch (error) {
    series.abandon();
    throw error;
  }
}

/** The same, entry by entry, for a caller that chooses among them. */
export class TableSeries {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #outputs: FileNumber[];
  readonly #options: TableOptions;
  readonly #finished: TableMeta[] = [];
  #writer: TableWriter | undefined;
  #outputsUsed = 0;

  /** The caller ends with `finish` or, after any error, `abandon`. */
  constructor(fs: FileSystem, dir: string, outputs: FileNumber[], options: TableOptions) {
    this.#fs = fs;
    this.#dir = dir;
    this.#outputs = outputs;
    this.#options = options;
  }

  /** Adds an entry behind the last one in table order (see TableWriter.add). */
  add(
    keyBytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    sequence: number,
    kind: EntryKind,
    expiresAtMs: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    let writer = this.#writer;
    if (writer === undefined || this.#isFull(writer, keyBytes, keyStart, keyLength)) {
      writer = this.#startTable();
    }
    writer.add(
      keyBytes,
      keyStart,
      keyLength,
      sequence,
      kind,
      expiresAtMs,
      valueBytes,
      valueStart,
      valueLength,
    );
  }

  /** Completes the last table and makes all of them durable, directory included. */
  finish(): TableMeta[] {
    this.#finishTable();
    if (this.#finished.length > 0) this.#fs.syncDir(this.#dir);
    return this.#finished;
  }

  /** Removes every file made so far. For use after an error, so it reports none of its own. */
  abandon(): void {
    this.#writer?.abandon();
    this.#writer = undefined;
    for (const { number } of this.#finished) {
      try {
        this.#fs.remove(`${this.#dir}/${tableFileName(number)}`);
      } catch {
        // Nobody refers to the file: recovery removes it as an orphan.
      }
    }
    this.#finished.length = 0;
  }

  #isFull(writer: TableWriter, keyBytes: Uint8Array, keyStart: number, keyLength: number): boolean {
    if (writer.estimatedSizeBytes < this.#options.tableBytesMax) return false;
    if (this.#outputsUsed === this.#outputs.length) return false;
    return writer.isNewKey(keyBytes, keyStart, keyLength);
  }

  #startTable(): TableWriter {
    this.#finishTable();
    const number = this.#outputs[this.#outputsUsed];
    assert(number !== undefined, 'a job that writes tables needs at least one output number');
    this.#outputsUsed++;
    this.#writer = TableWriter.create(this.#fs, this.#dir, number, this.#options);
    return this.#writer;
  }

  #finishTable(): void {
    if (this.#writer === undefined) return;
    this.#finished.push(this.#writer.finish());
    this.#writer = undefined;
  }
}
