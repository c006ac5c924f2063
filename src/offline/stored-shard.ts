/**
 * A shard of a stopped server, read as it would be after a start, with nothing in its folder
 * changed: no recovery is done. Tables are read with large reads, every block verified; the log is
 * replayed into memory, and its unfinished end, if a crash left one, is passed over as a start
 * would do. Damage is refused, also as at a start. The caller holds the data dir's lock.
 */
import { StormError } from '../base/errors.js';
import type { TableMeta } from '../base/table-meta.js';
import type { EntryCursor } from '../storage/entry-cursor.js';
import { parseFileName } from '../storage/file-names.js';
import type { FileSystem } from '../storage/file-system.js';
import { type ManifestIdentity, readManifest } from '../storage/manifest-log.js';
import { EMPTY_STATE, type ManifestState } from '../storage/manifest-state.js';
import { RunCursor, type RunTables } from '../storage/run-cursor.js';
import { TableReader } from '../storage/table-reader.js';
import { readWal, type WalFrame, type WalReading, walHoldsFrames } from '../storage/wal-reader.js';

const READAHEAD_BYTES = 256 * 1024;

export interface StoredShard {
  /** The last write's; 0 where there was none. */
  lastSequence: number;
  ownerEpoch: number;
  /** In tables and log; superseded and deleted ones count. */
  entryCount: number;
  /** Of tables and of the log's frames. */
  dataBytes: number;
  /** Of each sorted run, newest first. Not positioned. */
  runs: RunCursor[];
}

/**
 * Opens the shard in `dir` and hands each frame of the log that matters to `onFrame`, with the
 * sequence number up to which entries are in tables. The caller closes the runs.
 */
export function openStoredShard(
  fs: FileSystem,
  dir: string,
  identity: ManifestIdentity,
  onFrame: (frame: WalFrame, flushedSequence: number) => void,
): StoredShard {
  const found = readManifest(fs, dir, identity);
  if (found === undefined) refuseWithoutManifest(fs, dir);
  const state = found?.state ?? EMPTY_STATE;
  const tables = state.runs.flatMap((run) => run.tables);
  let entryCount = tables.reduce((sum, table) => sum + table.entryCount, 0);
  let dataBytes = tables.reduce((sum, table) => sum + table.sizeBytes, 0);
  let reading: WalReading | undefined;
  if (found !== undefined) {
    reading = readLog(fs, dir, identity, state, (frame) => {
      entryCount += frame.header.count;
      dataBytes += frame.header.payloadLength;
      onFrame(frame, state.flushedSequence);
    });
  }
  const runTables = new ReadTables(fs, dir);
  return {
    lastSequence: Math.max(reading?.end.lastSequence ?? 0, state.flushedSequence),
    ownerEpoch: Math.max(reading?.ownerEpoch ?? 0, state.ownerEpoch),
    entryCount,
    dataBytes,
    runs: state.runs.map((run) => new RunCursor(run.tables, runTables)),
  };
}

function readLog(
  fs: FileSystem,
  dir: string,
  identity: ManifestIdentity,
  state: ManifestState,
  onFrame: (frame: WalFrame) => void,
): WalReading {
  const storeUuid = new Uint8Array(Buffer.from(identity.storeUuid, 'hex'));
  const whose = { shard: identity.shard, storeUuid };
  const { minSegment, flushedSequence, durableSequence } = state;
  const reading = readWal(fs, dir, whose, minSegment, flushedSequence, onFrame);
  const known = Math.max(reading.end.lastSequence, flushedSequence);
  if (known >= durableSequence) return reading;
  throw new StormError(
    'DATA_CORRUPTION',
    `The WAL in ${dir} ends at sequence ${known}, but all through ${durableSequence} was ` +
      'durable: its newest segment is missing or an old copy; restore it or a backup',
  );
}

function refuseWithoutManifest(fs: FileSystem, dir: string): void {
  const hasTables = fs.list(dir).some((name) => parseFileName(name).kind === 'table');
  if (!hasTables && !walHoldsFrames(fs, dir)) return;
  throw new StormError(
    'DATA_CORRUPTION',
    `${dir} holds data but no CURRENT file, so it is not known which files count: ` +
      'restore the file or a backup',
  );
}

/** One table of each run is open at a time. */
export class ReadTables implements RunTables {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #open = new Map<number, TableReader>();

  constructor(fs: FileSystem, dir: string) {
    this.#fs = fs;
    this.#dir = dir;
  }

  open(meta: TableMeta): EntryCursor {
    const reader = TableReader.open(this.#fs, this.#dir, meta, { mode: 'pread', verify: 'always' });
    this.#open.set(meta.number, reader);
    return reader.cursor(READAHEAD_BYTES);
  }

  close(meta: TableMeta): void {
    this.#open.get(meta.number)?.close();
    this.#open.delete(meta.number);
  }
}
