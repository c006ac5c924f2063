/**
 * Copies what is intact out of a damaged data dir into a fresh one, and says what is not: every
 * range of keys and of sequence numbers in which something is missing. Reads SRC, never writes it.
 *
 * Of each key the newest version that can be read is taken, by its sequence number, so it does not
 * matter whether the order of the tables is known. Within a lost range that may be an older version
 * than the one that was there, or one that had been deleted: `doubtful` counts such keys.
 */
import { messageOf, StormError } from '../base/errors.js';
import { fileNumber, shardId } from '../base/ids.js';
import type { Random } from '../base/random.js';
import type { TableMeta, TableOptions } from '../base/table-meta.js';
import { TableSeries } from '../compactor/write-tables.js';
import { checkDataDir } from '../storage/check-data-dir.js';
import { surveyManifest } from '../storage/check-manifest.js';
import { readCheckedJson, writeCheckedJson } from '../storage/checked-json.js';
import { KIND_DELETE } from '../storage/entry-cursor.js';
import {
  CURRENT_FILE,
  parseFileName,
  ROOT_FILE,
  shardDirName,
  tableFileName,
} from '../storage/file-names.js';
import type { FileSystem } from '../storage/file-system.js';
import { ManifestLog, readManifest } from '../storage/manifest-log.js';
import { EMPTY_STATE, type ManifestState, tablesOf } from '../storage/manifest-state.js';
import { MergeCursor } from '../storage/merge-cursor.js';
import {
  encodeRoot,
  equalSlotRanges,
  makeDurableDir,
  type Root,
  readRoot,
} from '../storage/root-manifest.js';
import { NO_PREDECESSOR } from '../storage/wal-format.js';
import { WalWriter } from '../storage/wal-writer.js';
import { LogEntries } from './log-entries.js';
import { surveyLog } from './salvaged-log.js';
import { SalvagedCursor, type SalvagedTable, surveyTableFile } from './salvaged-table.js';

const SHARD_DIR = /^shard-(\d+)$/;

export interface LostRange {
  shard: number;
  file: string;
  what: string;
  /** Keys from the first to the second, both included; undefined: no bound is known. */
  keys?: { from: Uint8Array | undefined; to: Uint8Array | undefined };
  /** Both included; an infinite end: nobody knows whether there was more. */
  sequences?: { from: number; to: number };
}

export interface SalvageReport {
  shards: { shard: number; entries: number; tables: number; frames: number }[];
  lost: LostRange[];
  /** Keys with a value. */
  entries: number;
  /** Of these, keys within a lost range: what was newer may be missing. */
  doubtful: number;
}

export interface SalvageOptions {
  random: Random;
  table: TableOptions;
  walSegmentBytes: number;
  progress(file: string): void;
}

interface ShardSources {
  shard: number;
  tables: SalvagedTable[];
  log: LogEntries;
  frames: number;
  lastSequence: number;
  lost: LostRange[];
}

/** `dst` undefined: only the report is made. `dst` must be empty or not exist. */
export function salvage(
  fs: FileSystem,
  src: string,
  dst: string | undefined,
  options: SalvageOptions,
): SalvageReport {
  if (dst !== undefined) refuseUsed(fs, dst);
  const report: SalvageReport = { shards: [], lost: [], entries: 0, doubtful: 0 };
  const root = rootOfDamaged(fs, src, options.random, report.lost);
  if (dst !== undefined) makeDurableDir(fs, dst);
  for (let shard = 0; shard < root.shardCount; shard++) {
    const sources = surveyShard(fs, src, shard, root.storeUuid, options.progress);
    report.lost.push(...sources.lost);
    const dir = dst === undefined ? undefined : `${dst}/${shardDirName(shardId(shard))}`;
    const entries = writeShard(fs, dir, sources, root.fresh, options, report);
    const { tables, frames } = sources;
    report.shards.push({ shard, entries, tables: tables.length, frames });
    report.entries += entries;
  }
  if (dst === undefined) return report;
  fs.syncDir(dst);
  writeCheckedJson(fs, dst, ROOT_FILE, encodeRoot(root.fresh));
  verify(fs, dst);
  return report;
}

function refuseUsed(fs: FileSystem, dst: string): void {
  const stat = fs.stat(dst);
  if (stat === undefined || (stat.kind === 'directory' && fs.list(dst).length === 0)) return;
  throw new StormError('FAILED_PRECONDITION', `${dst} is not empty: name a new folder`);
}

interface DamagedRoot {
  shardCount: number;
  /** Of the source; undefined where nothing tells. */
  storeUuid: string | undefined;
  /** Of the copy: another store, whose versions go on above. */
  fresh: Root;
}

function rootOfDamaged(
  fs: FileSystem,
  src: string,
  random: Random,
  lost: LostRange[],
): DamagedRoot {
  const storeUuid = Buffer.from(random.fill(new Uint8Array(16))).toString('hex');
  const file = `${src}/${ROOT_FILE}`;
  let why = 'there is none';
  try {
    const root = readRoot(fs, src);
    if (root !== undefined) {
      const { shardCount, slotMapEpoch, slotRanges } = root;
      const fresh = { storeUuid, shardCount, slotMapEpoch, slotRanges };
      return { shardCount, storeUuid: root.storeUuid, fresh };
    }
  } catch (error) {
    if (error instanceof StormError && error.code === 'FAILED_PRECONDITION') throw error;
    why = messageOf(error);
  }
  const numbers = fs.list(src).flatMap((name) => SHARD_DIR.exec(name)?.[1] ?? []);
  const shardCount = numbers.reduce((max, digits) => Math.max(max, Number(digits) + 1), 0);
  if (shardCount === 0) {
    throw new StormError('INVALID_ARGUMENT', `There are no shards in ${src}: is it a data dir?`);
  }
  const what = `ROOT cannot be read (${why}); ${shardCount} shard folders were found`;
  lost.push({ shard: shardCount - 1, file, what });
  const slotRanges = equalSlotRanges(shardCount);
  const fresh = { storeUuid, shardCount, slotMapEpoch: 1, slotRanges };
  return { shardCount, storeUuid: uuidOf(fs, src), fresh };
}

function uuidOf(fs: FileSystem, src: string): string | undefined {
  for (const name of fs.list(src).filter((one) => SHARD_DIR.test(one))) {
    try {
      const uuid = readCheckedJson(fs, `${src}/${name}`, CURRENT_FILE)?.['storeUuid'];
      if (typeof uuid === 'string') return uuid;
    } catch {
      // The next shard may know it.
    }
  }
  return undefined;
}

function surveyShard(
  fs: FileSystem,
  src: string,
  shard: number,
  storeUuid: string | undefined,
  progress: (file: string) => void,
): ShardSources {
  const dir = `${src}/${shardDirName(shardId(shard))}`;
  const sources: ShardSources = {
    shard,
    tables: [],
    log: new LogEntries(),
    frames: 0,
    lastSequence: 0,
    lost: [],
  };
  if (fs.stat(dir)?.kind !== 'directory') {
    const keys = { from: undefined, to: undefined };
    sources.lost.push({ shard, file: dir, what: 'The folder of the shard is missing', keys });
    return sources;
  }
  const { state, isWhole } = stateOf(fs, dir, shard, storeUuid, sources.lost);
  surveyTables(fs, dir, isWhole ? state : undefined, sources, progress);
  const inTables = Math.max(0, ...sources.tables.map(({ maxSequence }) => maxSequence));
  progress(`${dir} (log)`);
  const log = surveyLog(fs, dir, {
    minSegment: isWhole ? state.minSegment : undefined,
    flushedSequence: isWhole ? state.flushedSequence : Math.max(state.flushedSequence, inTables),
    durableSequence: state.durableSequence,
    storeUuid,
    shard,
  });
  for (const frame of log.frames) {
    sources.log.add(frame, isWhole ? state.flushedSequence : 0);
  }
  sources.log.putInOrder();
  sources.frames = log.frames.length;
  const isEmpty = fs.list(dir).length === 0;
  for (const { fromSequence: from, toSequence: to, why: what } of isEmpty ? [] : log.lost) {
    sources.lost.push({ shard, file: dir, what, sequences: { from, to } });
  }
  sources.lastSequence = Math.max(log.lastSequence, inTables, state.durableSequence);
  return sources;
}

/** The state by the manifest; where that is damaged, the last one that can be read, or none. */
function stateOf(
  fs: FileSystem,
  dir: string,
  shard: number,
  storeUuid: string | undefined,
  lost: LostRange[],
): { state: ManifestState; isWhole: boolean } {
  const file = `${dir}/${CURRENT_FILE}`;
  let why = 'there is no CURRENT file';
  try {
    const uuid = storeUuid ?? '';
    const found = readManifest(fs, dir, { shard, storeUuid: uuid });
    if (found !== undefined) return { state: found.state, isWhole: true };
    if (fs.list(dir).length === 0) return { state: EMPTY_STATE, isWhole: true };
  } catch (error) {
    why = messageOf(error);
  }
  const what = `The manifest cannot be read (${why}); every table and segment found is used`;
  lost.push({ shard, file, what, keys: { from: undefined, to: undefined } });
  let state = EMPTY_STATE;
  for (const name of fs.list(dir)) {
    if (parseFileName(name).kind !== 'manifest') continue;
    const end = (found: ManifestState): void => {
      if (found.flushedSequence >= state.flushedSequence) state = found;
    };
    surveyManifest(fs, `${dir}/${name}`, { end }, () => {});
  }
  return { state, isWhole: false };
}

function surveyTables(
  fs: FileSystem,
  dir: string,
  state: ManifestState | undefined,
  sources: ShardSources,
  progress: (file: string) => void,
): void {
  const named: { name: string; meta: TableMeta | undefined }[] =
    state === undefined
      ? fs
          .list(dir)
          .filter((name) => parseFileName(name).kind === 'table')
          .map((name) => ({ name, meta: undefined }))
      : tablesOf(state).map((meta) => ({ name: tableFileName(meta.number), meta }));
  for (const { name, meta } of named) {
    const path = `${dir}/${name}`;
    progress(path);
    const table = surveyTableFile(fs, path, meta);
    sources.tables.push(table);
    const sequences = meta && { from: meta.minSequence, to: meta.maxSequence };
    for (const { fromKey: from, toKey: to } of table.lost) {
      const range = { shard: sources.shard, file: path, what: table.why, keys: { from, to } };
      sources.lost.push(sequences === undefined ? range : { ...range, sequences });
    }
  }
}

/** Writes the newest version of each key into a shard's folder, if there is one; counts them. */
function writeShard(
  fs: FileSystem,
  dir: string | undefined,
  sources: ShardSources,
  root: Root,
  options: SalvageOptions,
  report: SalvageReport,
): number {
  const outputs = numbersFor(sources, options.table);
  if (dir !== undefined) fs.makeDir(dir);
  const series = dir && new TableSeries(fs, dir, outputs.map(fileNumber), options.table);
  const cursors = sources.tables.map((table) => new SalvagedCursor(fs, table));
  const merged = new MergeCursor([sources.log, ...cursors]);
  let last: Uint8Array | undefined;
  let entries = 0;
  for (merged.seekToFirst(); merged.valid; merged.next()) {
    const { keyBytes, keyStart, keyLength, sequence } = merged;
    const key = keyBytes.slice(keyStart, keyStart + keyLength);
    if (last !== undefined && Buffer.compare(last, key) === 0) continue;
    last = key;
    if (merged.kind === KIND_DELETE) continue;
    entries++;
    if (sources.lost.some((range) => isDoubtful(range, key, sequence))) report.doubtful++;
    const { kind, expiresAtMs, valueBytes, valueStart, valueLength } = merged;
    if (!series) continue;
    series.add(
      key,
      0,
      key.length,
      sequence,
      kind,
      expiresAtMs,
      valueBytes,
      valueStart,
      valueLength,
    );
  }
  if (dir !== undefined && series) finishShard(fs, dir, series.finish(), sources, root, options);
  return entries;
}

function numbersFor({ tables, log }: ShardSources, { tableBytesMax }: TableOptions): number[] {
  const blocks = tables.flatMap((table) => table.blocks);
  const bytes = blocks.reduce((sum, { length }) => sum + length, log.heldBytes);
  // Stored compressed, they may become larger.
  const count = Math.ceil((8 * bytes) / tableBytesMax) + 2;
  return Array.from({ length: count }, (_, i) => i + 2);
}

/** What was lost may have been a newer version of the key. */
function isDoubtful({ keys, sequences }: LostRange, key: Uint8Array, sequence: number): boolean {
  if (sequences !== undefined && sequences.to <= sequence) return false;
  if (keys === undefined) return sequences !== undefined;
  if (keys.from !== undefined && Buffer.compare(key, keys.from) < 0) return false;
  return keys.to === undefined || Buffer.compare(key, keys.to) <= 0;
}

function finishShard(
  fs: FileSystem,
  dir: string,
  tables: TableMeta[],
  { shard, lastSequence }: ShardSources,
  { storeUuid }: Root,
  { random, walSegmentBytes }: SalvageOptions,
): void {
  const uuid = new Uint8Array(Buffer.from(storeUuid, 'hex'));
  const sizes = { segmentBytes: walSegmentBytes, sparesMax: 0 };
  WalWriter.open(fs, dir, random, sizes, {
    identity: { shard, storeUuid: uuid },
    ownerEpoch: 1,
    live: [],
    spares: [],
    end: NO_PREDECESSOR,
    firstSequence: lastSequence + 1,
  }).close();
  const placed = tables.map((table) => ({ ...table, run: 1 }));
  const state: ManifestState = {
    ownerEpoch: 1,
    nextNumber: Math.max(1, ...tables.map(({ number }) => number)) + 1,
    flushedSequence: lastSequence,
    durableSequence: lastSequence,
    minSegment: 1,
    runs: placed.length === 0 ? [] : [{ id: 1, tables: placed }],
  };
  fs.syncDir(dir);
  ManifestLog.start(fs, dir, random, { shard, storeUuid }, state).close();
}

function verify(fs: FileSystem, dst: string): void {
  const totals = { shards: 0, tables: 0, tableBytes: 0, entries: 0, segments: 0, frames: 0 };
  checkDataDir(fs, dst, {
    found({ severity, file, what }) {
      if (severity !== 'damage') return;
      throw new StormError('DATA_CORRUPTION', `The copy is damaged: ${what} (${file}); try again`);
    },
    progress: () => {},
    totals,
  });
}
