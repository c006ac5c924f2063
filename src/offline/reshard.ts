/**
 * Rewrites the data dir of a stopped server for another number of shards.
 *   1. One pass over all shards, merged in the order of keys: what is alive goes to tables of its
 *      new shard, in a side folder; each new shard gets one sorted run, an empty log, a manifest.
 *   2. The new shards are read back whole; count and digest must be those of the pass.
 *   3. The switch (storage/reshard-switch.ts).
 * Versions stay: an entry keeps its sequence number, and each new shard goes on above the last one
 * of all old shards, so no version ever names other bytes. Deletes, superseded versions and what
 * had expired when it began are left behind. The caller holds the data dir's lock.
 */
import { CorruptionError, StormError } from '../base/errors.js';
import { fileNumber, shardId } from '../base/ids.js';
import type { Random } from '../base/random.js';
import { SLOT_COUNT, slotOfKey } from '../base/slot.js';
import type { TableMeta, TableOptions } from '../base/table-meta.js';
import { TableSeries } from '../compactor/write-tables.js';
import { shardDirName } from '../storage/file-names.js';
import type { FileSystem } from '../storage/file-system.js';
import { ManifestLog } from '../storage/manifest-log.js';
import {
  finishReshard,
  incomingDir,
  RESHARD_DIR,
  switchShards,
} from '../storage/reshard-switch.js';
import { equalSlotRanges, type Root } from '../storage/root-manifest.js';
import { NO_PREDECESSOR } from '../storage/wal-format.js';
import { WalWriter } from '../storage/wal-writer.js';
import { ContentDigest } from './content-digest.js';
import { NewestEntries } from './newest-entries.js';
import { rootOf } from './stored-entries.js';
import { addEntry, openWholeStore, type WholeStore } from './whole-store.js';

const PROGRESS_EVERY = 4096;
const SHARDS_MAX = 256;

export interface ReshardOptions {
  shardCount: number;
  table: TableOptions;
  walSegmentBytes: number;
  random: Random;
  /** What has expired by then is left behind. */
  nowMs: number;
  progress(phase: 'rewriting' | 'verifying', done: number, total: number): void;
}

export interface ReshardResult {
  fromShards: number;
  toShards: number;
  /** Keys with a value. */
  entries: number;
  /** Superseded, deleted or expired. */
  leftBehind: number;
  /** Of keys, values, versions and expiries, in the order of keys. */
  digest: string;
  /** New writes get versions above. */
  lastSequence: number;
  tableBytes: number;
}

export interface ReshardPlan {
  root: Root;
  /** Every version counts. */
  entries: number;
  dataBytes: number;
  freeBytes: number;
}

/** What a reshard would have to do. Completes or clears away one that was interrupted. */
export function planReshard(fs: FileSystem, dir: string, options: ReshardOptions): ReshardPlan {
  const { shardCount } = options;
  if (!Number.isInteger(shardCount) || shardCount < 1 || shardCount > SHARDS_MAX) {
    const text = `The number of shards must be from 1 to ${SHARDS_MAX}: found ${shardCount}`;
    throw new StormError('INVALID_ARGUMENT', text);
  }
  finishReshard(fs, dir);
  const root = rootOf(fs, dir);
  const store = openStore(fs, dir, root, options);
  store.close();
  finishReshard(fs, dir);
  const { entryCount: entries, dataBytes } = store;
  return { root, entries, dataBytes, freeBytes: fs.space(dir).freeBytes };
}

/** When it throws, the data dir is the old store, or the new one where the switch was begun. */
export function reshard(fs: FileSystem, dir: string, options: ReshardOptions): ReshardResult {
  const { root, dataBytes, freeBytes } = planReshard(fs, dir, options);
  if (dataBytes > freeBytes) {
    throw new StormError(
      'RESOURCE_EXHAUSTED',
      `A second copy of ${dataBytes} bytes is written before the first one goes, and the file ` +
        `system of ${dir} has ${freeBytes} bytes free: make room`,
    );
  }
  const store = openStore(fs, dir, root, options);
  let built: Built;
  try {
    built = build(fs, dir, root, store, options);
  } finally {
    store.close();
  }
  verify(fs, dir, root, built, options);
  removeTemporary(fs, dir);
  switchShards(fs, dir, root, options.shardCount);
  return {
    fromShards: root.shardCount,
    toShards: options.shardCount,
    entries: built.entries,
    leftBehind: store.entryCount - built.entries,
    digest: built.digest,
    lastSequence: store.lastSequence,
    tableBytes: built.tableBytes,
  };
}

function temporaryDir(dir: string): string {
  return `${dir}/${RESHARD_DIR}/log`;
}

function removeTemporary(fs: FileSystem, dir: string): void {
  const path = temporaryDir(dir);
  for (const name of fs.list(path)) fs.remove(`${path}/${name}`);
  fs.removeDir(path);
}

function openStore(fs: FileSystem, dir: string, root: Root, { table }: ReshardOptions): WholeStore {
  fs.makeDir(temporaryDir(dir));
  const dirs = root.slotRanges.map((_, shard) => `${dir}/${shardDirName(shardId(shard))}`);
  const shards = { storeUuid: root.storeUuid, dirs, temporaryDir: temporaryDir(dir), table };
  return openWholeStore(fs, shards);
}

interface Built {
  entries: number;
  digest: string;
  tableBytes: number;
}

function build(
  fs: FileSystem,
  dir: string,
  root: Root,
  store: WholeStore,
  options: ReshardOptions,
): Built {
  const { shardCount, table } = options;
  const dirs = Array.from({ length: shardCount }, (_, shard) => incomingDir(dir, shard));
  for (const path of dirs) fs.makeDir(path);
  // All might belong to one shard; a number that is not used is lost, and that is all.
  const tablesMax = 16 + 2 * Math.ceil(store.dataBytes / table.tableBytesMax);
  const numbers = Array.from({ length: tablesMax }, (_, i) => fileNumber(i + 1));
  const series = dirs.map((path) => new TableSeries(fs, path, [...numbers], table));
  const digest = distribute(store, series, options);
  let tableBytes = 0;
  series.forEach((one, shard) => {
    const tables = one.finish();
    tableBytes += tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const identity = { shard, storeUuid: root.storeUuid };
    startShard(fs, dirs[shard]!, identity, { store, tables, tablesMax, options });
  });
  return { entries: digest.entries, digest: digest.result(), tableBytes };
}

function distribute(
  store: WholeStore,
  series: readonly TableSeries[],
  { nowMs, progress }: ReshardOptions,
): ContentDigest {
  const owner = slotOwners(series.length);
  const digest = new ContentDigest();
  store.cursor.seekToFirst();
  const newest = new NewestEntries(store.cursor, nowMs);
  const { entry } = newest;
  while (newest.next()) {
    digest.add(entry);
    addEntry(series[owner[slotOfKey(entry.keyBytes, entry.keyStart, entry.keyLength)]!]!, entry);
    if (digest.entries % PROGRESS_EVERY === 0) progress('rewriting', newest.seen, store.entryCount);
  }
  if (newest.seen !== store.entryCount) {
    const what = `The store has ${store.entryCount} entries, and ${newest.seen} were read`;
    throw new CorruptionError(what, { file: '', offset: 0 });
  }
  return digest;
}

function slotOwners(shardCount: number): Uint16Array {
  const owners = new Uint16Array(SLOT_COUNT);
  equalSlotRanges(shardCount).forEach(({ first, last }, shard) => {
    owners.fill(shard, first, last + 1);
  });
  return owners;
}

interface ShardContent {
  store: WholeStore;
  tables: TableMeta[];
  tablesMax: number;
  options: ReshardOptions;
}

/** An empty log that goes on behind every old shard, and a manifest; both durable. */
function startShard(
  fs: FileSystem,
  path: string,
  identity: { shard: number; storeUuid: string },
  { store, tables, tablesMax, options }: ShardContent,
): void {
  const { lastSequence } = store;
  const ownerEpoch = store.ownerEpoch + 1;
  const storeUuid = new Uint8Array(Buffer.from(identity.storeUuid, 'hex'));
  const wal = WalWriter.open(
    fs,
    path,
    options.random,
    { segmentBytes: options.walSegmentBytes, sparesMax: 0 },
    {
      identity: { shard: identity.shard, storeUuid },
      ownerEpoch,
      live: [],
      spares: [],
      end: NO_PREDECESSOR,
      firstSequence: lastSequence + 1,
    },
  );
  wal.close();
  const run = tablesMax + 1;
  const placed = tables.map((table) => ({ ...table, run }));
  ManifestLog.start(fs, path, options.random, identity, {
    ownerEpoch,
    nextNumber: run + 1,
    flushedSequence: lastSequence,
    durableSequence: lastSequence,
    minSegment: 1,
    runs: placed.length === 0 ? [] : [{ id: run, tables: placed }],
  }).close();
}

/** Reads the new shards as a start would, from the disk's files, and compares. */
function verify(
  fs: FileSystem,
  dir: string,
  root: Root,
  built: Built,
  { shardCount, table, progress }: ReshardOptions,
): void {
  const dirs = Array.from({ length: shardCount }, (_, shard) => incomingDir(dir, shard));
  const temporary = temporaryDir(dir);
  const shards = { storeUuid: root.storeUuid, dirs, temporaryDir: temporary, table };
  const store = openWholeStore(fs, shards);
  const digest = new ContentDigest();
  try {
    store.cursor.seekToFirst();
    const newest = new NewestEntries(store.cursor, 0);
    while (newest.next()) {
      digest.add(newest.entry);
      if (digest.entries % PROGRESS_EVERY === 0)
        progress('verifying', digest.entries, built.entries);
    }
  } finally {
    store.close();
  }
  if (digest.entries === built.entries && digest.result() === built.digest) return;
  throw new CorruptionError(
    `The new shards hold ${digest.entries} entries, which differ from the ${built.entries} ` +
      'written: nothing was switched; check disk and memory of this machine',
    { file: `${dir}/${RESHARD_DIR}`, offset: 0 },
  );
}
