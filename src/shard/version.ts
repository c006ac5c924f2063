/**
 * The tables of a shard at one moment, each with its open reader. Immutable: a manifest edit makes
 * a new version that shares the readers of the tables that stayed. Belongs to the shard's thread.
 */
import { assert } from '../base/assert.js';
import type { EntryCursor, EntryView, ReverseCursor } from '../storage/entry-cursor.js';
import type { FileSystem } from '../storage/file-system.js';
import { compareBytes } from '../storage/key-bytes.js';
import type { LookupResult } from '../storage/lookup.js';
import type { LookupKey } from '../storage/lookup-key.js';
import type { PlacedTable } from '../storage/manifest-format.js';
import type { ManifestState } from '../storage/manifest-state.js';
import { ReverseRunCursor, RunCursor, type RunTables } from '../storage/run-cursor.js';
import { TableReader, type TableReaderOptions } from '../storage/table-reader.js';
import { DamagedTable } from './damaged-table.js';

export interface OpenTable {
  readonly meta: PlacedTable;
  /** Or what stands in the place of one that is out of service. */
  readonly reader: TableReader | DamagedTable;
}

export interface OpenRun {
  readonly id: number;
  readonly sizeBytes: number;
  /** Ascending by key, ranges disjoint. */
  readonly tables: readonly OpenTable[];
}

export interface TableOpener {
  fs: FileSystem;
  dir: string;
  options: TableReaderOptions;
}

export class Version {
  /** Newest first. */
  readonly runs: readonly OpenRun[];

  private constructor(runs: readonly OpenRun[]) {
    this.runs = runs;
  }

  /** Opens every table that the state names; damage throws a CorruptionError. */
  static open(opener: TableOpener, state: ManifestState): Version {
    return new Version([]).advance(opener, state);
  }

  /**
   * The version for the next state. Readers of tables that left stay open: see `tablesNotIn`.
   * `ready` has tables that were opened before; those that the state names are the new version's.
   * When it throws, nothing that it opened stays open.
   */
  advance(
    opener: TableOpener,
    state: ManifestState,
    ready?: ReadonlyMap<number, TableReader>,
  ): Version {
    const open = new Map(this.tables().map((table) => [table.meta.number as number, table]));
    const fresh: TableReader[] = [];
    const damaged = new Set(state.damaged);
    const tableOf = (meta: PlacedTable): OpenTable => {
      const known = open.get(meta.number);
      const isDamaged = damaged.has(meta.number);
      if (known !== undefined && isDamaged === known.reader instanceof DamagedTable) return known;
      if (isDamaged) return { meta, reader: new DamagedTable(opener.dir, meta) };
      const opened = ready?.get(meta.number);
      if (opened !== undefined) return { meta, reader: opened };
      const reader = TableReader.open(opener.fs, opener.dir, meta, opener.options);
      fresh.push(reader);
      return { meta, reader };
    };
    try {
      const runs = state.runs.map(({ id, tables }) => ({
        id,
        sizeBytes: tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        tables: tables.map(tableOf),
      }));
      return new Version(runs);
    } catch (error) {
      for (const reader of fresh) reader.close();
      throw error;
    }
  }

  tables(): OpenTable[] {
    return this.runs.flatMap(({ tables }) => tables);
  }

  /** True when a table of that run is out of service. */
  isDamaged(run: number): boolean {
    const found = this.runs.find(({ id }) => id === run);
    return found?.tables.some(({ reader }) => reader instanceof DamagedTable) ?? false;
  }

  /** Tables of this version that `next` no longer has. */
  tablesNotIn(next: Version): OpenTable[] {
    const kept = new Set(next.tables().map(({ reader }) => reader));
    return this.tables().filter(({ reader }) => !kept.has(reader));
  }

  /**
   * Finds the newest version of the key at or below `snapshot`, tombstones included. Runs hold
   * descending spans of sequences, so the first hit is the newest.
   */
  get(key: LookupKey, snapshot: number, into: LookupResult): boolean {
    const { runs } = this;
    for (let i = 0; i < runs.length; i++) {
      const { tables } = runs[i]!;
      const table = tables.length === 1 ? tables[0] : tableFor(tables, key);
      if (table?.reader.get(key, snapshot, into) === true) return true;
    }
    return false;
  }

  /** A cursor over each run, newest first; good while the version is the present one. */
  cursors(): EntryCursor[] {
    return this.runs.map(
      (run) =>
        new RunCursor(
          metasOf(run),
          tablesOf(run, (r) => r.cursor()),
        ),
    );
  }

  /** The same, backward. */
  reverseCursors(): ReverseCursor[] {
    return this.runs.map(
      (run) =>
        new ReverseRunCursor(
          metasOf(run),
          tablesOf(run, (r) => r.reverseCursor()),
        ),
    );
  }

  close(): void {
    for (const { reader } of this.tables()) reader.close();
  }
}

/** The table whose key range may hold the key: the last one that does not begin behind it. */
function tableFor(tables: readonly OpenTable[], key: LookupKey): OpenTable | undefined {
  let low = 0;
  let high = tables.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { minKey } = tables[middle]!.meta;
    const order = compareBytes(minKey, 0, minKey.length, key.bytes, key.start, key.length);
    if (order <= 0) low = middle + 1;
    else high = middle;
  }
  return tables[low - 1];
}

function metasOf({ tables }: OpenRun): PlacedTable[] {
  return tables.map(({ meta }) => meta);
}

/** Readers are open already and stay so: the version owns them. */
function tablesOf<Cursor extends EntryView>(
  { tables }: OpenRun,
  cursorOf: (reader: OpenTable['reader']) => Cursor,
): RunTables<Cursor> {
  const readers = new Map(tables.map(({ meta, reader }) => [meta.number, reader]));
  return {
    open(meta) {
      const reader = readers.get(meta.number);
      assert(reader !== undefined, 'a run consists of open tables');
      return cursorOf(reader);
    },
    close: () => {},
  };
}
