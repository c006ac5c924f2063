/**
 * All shards of a stopped store as one cursor in the order of keys. What the logs hold goes to
 * temporary tables where it is much, so memory is bounded whatever the logs' sizes.
 */
import { fileNumber } from '../base/ids.js';
import type { TableMeta, TableOptions } from '../base/table-meta.js';
import { TableSeries } from '../compactor/write-tables.js';
import type { EntryCursor } from '../storage/entry-cursor.js';
import type { FileSystem } from '../storage/file-system.js';
import { MergeCursor } from '../storage/merge-cursor.js';
import { RunCursor } from '../storage/run-cursor.js';
import { LogEntries } from './log-entries.js';
import { openStoredShard, ReadTables } from './stored-shard.js';

/** So much of a log is held in memory, and so much of it may stay there. */
const LOG_BYTES_MAX = 64 * 1024 * 1024;
const LOG_BYTES_KEPT = 4 * 1024 * 1024;

export interface WholeStore {
  /** Every version of every key. Not positioned. */
  cursor: EntryCursor;
  /** How many entries the cursor shows, unless data is lost. */
  entryCount: number;
  dataBytes: number;
  lastSequence: number;
  ownerEpoch: number;
  close(): void;
}

export interface StoreShards {
  storeUuid: string;
  /** Folders of the shards, by id. */
  dirs: readonly string[];
  /** Exists and is empty; what is written to it is the caller's to remove. */
  temporaryDir: string;
  table: TableOptions;
}

export function openWholeStore(fs: FileSystem, shards: StoreShards): WholeStore {
  const parts = new LogParts(fs, shards);
  const cursors: EntryCursor[] = [];
  const runs: RunCursor[] = [];
  const whole = { entryCount: 0, dataBytes: 0, lastSequence: 0, ownerEpoch: 0 };
  shards.dirs.forEach((dir, shard) => {
    const { storeUuid } = shards;
    let logged = 0;
    const stored = openStoredShard(fs, dir, { shard, storeUuid }, (frame, flushed) => {
      logged += frame.header.count;
      parts.add(frame, flushed);
    });
    const fromLog = parts.finish();
    cursors.push(...fromLog.cursors, ...stored.runs);
    runs.push(...fromLog.runs, ...stored.runs);
    whole.entryCount += stored.entryCount - logged + fromLog.entryCount;
    whole.dataBytes += stored.dataBytes;
    whole.lastSequence = Math.max(whole.lastSequence, stored.lastSequence);
    whole.ownerEpoch = Math.max(whole.ownerEpoch, stored.ownerEpoch);
  });
  return {
    cursor: new MergeCursor(cursors),
    ...whole,
    close() {
      for (const run of runs) run.close();
    },
  };
}

type Frame = Parameters<LogEntries['add']>[0];

/** The log of one shard after the other, as cursors. */
class LogParts {
  readonly #fs: FileSystem;
  readonly #shards: StoreShards;
  readonly #tables: ReadTables;
  #log = new LogEntries();
  #written: TableMeta[][] = [];
  #nextNumber = 1;

  constructor(fs: FileSystem, shards: StoreShards) {
    this.#fs = fs;
    this.#shards = shards;
    this.#tables = new ReadTables(fs, shards.temporaryDir);
  }

  add(frame: Frame, flushedSequence: number): void {
    this.#log.add(frame, flushedSequence);
    if (this.#log.heldBytes > LOG_BYTES_MAX) this.#writeOut();
  }

  /** What the shard's log held; the next frames are another shard's. */
  finish(): { cursors: EntryCursor[]; runs: RunCursor[]; entryCount: number } {
    if (this.#log.heldBytes > LOG_BYTES_KEPT) this.#writeOut();
    const log = this.#log;
    log.putInOrder();
    const written = this.#written;
    this.#log = new LogEntries();
    this.#written = [];
    const runs = written.map((run) => new RunCursor(run, this.#tables));
    const inTables = written.flat().reduce((sum, { entryCount }) => sum + entryCount, 0);
    return { cursors: [log, ...runs], runs, entryCount: inTables + log.count };
  }

  #writeOut(): void {
    const log = this.#log;
    log.putInOrder();
    log.seekToFirst();
    const number = fileNumber(this.#nextNumber++);
    const { temporaryDir, table } = this.#shards;
    const series = new TableSeries(this.#fs, temporaryDir, [number], table);
    for (; log.valid; log.next()) addEntry(series, log);
    this.#written.push(series.finish());
    this.#log = new LogEntries();
  }
}

/** Adds what the cursor shows. */
export function addEntry(series: TableSeries, from: EntryCursor): void {
  series.add(
    from.keyBytes,
    from.keyStart,
    from.keyLength,
    from.sequence,
    from.kind,
    from.expiresAtMs,
    from.valueBytes,
    from.valueStart,
    from.valueLength,
  );
}
