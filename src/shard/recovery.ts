/**
 * Opening a shard's folder (docs/ARCHITECTURE.md, "Recovery"). Every step can be interrupted and
 * repeated:
 *   1. CURRENT and the manifest → which tables and WAL segments count. Neither: a new shard, but
 *      only if nothing in the folder says otherwise. A table that the manifest cannot know means a
 *      lost manifest and is refused.
 *   2. Open the tables (size, footer, index, filter verified).
 *   3. Replay the WAL into MemTables; refuse damage, and an end before what was durable.
 *   4. Sync every segment that was replayed: its bytes may so far exist only in the page cache, and
 *      after this opening they will be read, and so promised. After a failed sync that is not
 *      enough: the kernel may have marked lost pages clean, and forgotten names. Then the segments
 *      are replaced by fresh copies, and the engine flushes what was replayed before anything is
 *      served (`Recovered.distrust`).
 *   5. Write the state to a new manifest. Until then it too may exist only in the page cache, so
 *      nothing that another state might name is touched before.
 *   6. Start a new segment, whose header pins the end that was found; sweep what no state names.
 */
import { RunReader } from '../base/entry-run.js';
import { CorruptionError, StormError } from '../base/errors.js';
import type { EngineOptions } from '../rpc/control.js';
import { BlockCache } from '../storage/block-cache.js';
import { isDistrusted } from '../storage/distrust.js';
import { parseFileName, walFileName } from '../storage/file-names.js';
import type { FileSystem } from '../storage/file-system.js';
import { replaceByFreshCopy } from '../storage/fresh-copy.js';
import { ManifestLog, readManifest } from '../storage/manifest-log.js';
import { EMPTY_STATE, type ManifestState, tablesOf } from '../storage/manifest-state.js';
import { NO_PREDECESSOR, type WalIdentity } from '../storage/wal-format.js';
import { readWal, type WalFrame, type WalReading, walHoldsFrames } from '../storage/wal-reader.js';
import { WalWriter } from '../storage/wal-writer.js';
import type { EngineEnv } from './engine-env.js';
import { EntryPlaces } from './entry-places.js';
import { MemTable } from './mem-table.js';
import { type TableOpener, Version } from './version.js';

/** Enough of an arena per key for its share of the index. */
const ARENA_BYTES_PER_KEY = 128;
/** So many file numbers are reserved at a time. */
export const NUMBER_LEASE = 64;

export interface Recovered {
  manifest: ManifestLog;
  /** First file number that may be used; the state's nextNumber ends the lease. */
  firstNumber: number;
  leaseEnd: number;
  wal: WalWriter;
  version: Version;
  opener: TableOpener;
  /** Oldest first; the last one takes the next writes. */
  memTables: MemTable[];
  lastSequence: number;
  recoveredRecords: number;
  tornTail: boolean;
  /** A sync failed before, in this boot of the machine: see DISTRUST_FILE. */
  distrust: boolean;
}

interface Closable {
  close(): void;
}

/**
 * `distrust`: a sync failed in an earlier life, even if no file says so. When it throws, nothing
 * that it opened stays open.
 */
export function recoverShard(env: EngineEnv, options: EngineOptions, distrust: boolean): Recovered {
  const opened: Closable[] = [];
  const keep = <T extends Closable>(one: T): T => {
    opened.push(one);
    return one;
  };
  try {
    return recover(env, options, distrust, keep);
  } catch (error) {
    for (const one of opened.reverse()) one.close();
    throw error;
  }
}

function recover(
  env: EngineEnv,
  options: EngineOptions,
  distrust: boolean,
  keep: <T extends Closable>(one: T) => T,
): Recovered {
  const { fs } = env;
  const { dir } = options;
  const identity = { shard: options.shard, storeUuid: options.storeUuid };
  const found = readManifest(fs, dir, identity);
  if (found === undefined) clearNewShard(env, dir);
  const state = found?.state ?? EMPTY_STATE;
  const leaseEnd = Math.max(state.nextNumber + NUMBER_LEASE, checkNumbers(env, dir, state));
  const opener = tableOpener(env, options);
  const version = keep(Version.open(opener, state));
  const replay = new Replay(env, options.arenaBytes);
  const isSuspect = distrust || isDistrusted(fs, dir);
  const reading = found === undefined ? undefined : replayWal(env, options, state, replay);
  if (reading !== undefined) makeDurable(fs, dir, reading, isSuspect);
  const ownerEpoch = Math.max(state.ownerEpoch, reading?.ownerEpoch ?? 0) + 1;
  const lastSequence = Math.max(reading?.end.lastSequence ?? 0, state.flushedSequence);
  const next: ManifestState = {
    ...state,
    ownerEpoch,
    nextNumber: leaseEnd,
    durableSequence: lastSequence,
  };
  const startWal = (): WalWriter => keep(openWal(env, options, reading, ownerEpoch, lastSequence));
  // A new shard has its first segment before CURRENT can say that there must be one.
  const firstWal = found === undefined ? startWal() : undefined;
  const manifest = keep(ManifestLog.start(fs, dir, env.random, identity, next));
  // Only now is the state that was read surely on disk: what it does not name may go.
  sweep(env, dir, state, manifest.number);
  if (isSuspect && reading !== undefined) removeSpares(fs, reading);
  const wal = firstWal ?? startWal();
  return {
    manifest,
    firstNumber: state.nextNumber,
    leaseEnd,
    wal,
    version,
    opener,
    memTables: replay.memTables,
    lastSequence,
    recoveredRecords: replay.records,
    tornTail: reading?.tornTail ?? false,
    distrust: isSuspect,
  };
}

function tableOpener(env: EngineEnv, options: EngineOptions): TableOpener {
  return {
    fs: env.fs,
    dir: options.dir,
    options: {
      mode: options.readMode === 'pread' ? 'pread' : 'mmap',
      verify: options.readVerify,
      ...(options.blockCacheBytes > 0 && { cache: new BlockCache(options.blockCacheBytes) }),
    },
  };
}

/** Without CURRENT a folder is new only if it holds nothing that a write could have left. */
function clearNewShard({ fs }: EngineEnv, dir: string): void {
  const names = fs.list(dir);
  const kinds = names.map((name) => parseFileName(name).kind);
  if (kinds.includes('table') || walHoldsFrames(fs, dir)) {
    throw new StormError(
      'DATA_CORRUPTION',
      `${dir} holds data but no CURRENT file, so it is not known which files count: ` +
        'restore the file or a backup',
    );
  }
  // Segments of a first opening that was cut short: their numbers would come twice.
  names.forEach((name, i) => {
    if (kinds[i] === 'wal' || kinds[i] === 'manifest') fs.remove(`${dir}/${name}`);
  });
}

/**
 * Refuses tables that this manifest cannot know. Returns a number above every manifest in the
 * folder: one of them may be the current one on disk, though not in the page cache.
 */
function checkNumbers({ fs }: EngineEnv, dir: string, state: ManifestState): number {
  let free = 0;
  for (const name of fs.list(dir)) {
    const parsed = parseFileName(name);
    if (parsed.kind === 'manifest') free = Math.max(free, parsed.number + 1);
    if (parsed.kind !== 'table' || parsed.number < state.nextNumber) continue;
    throw new CorruptionError(
      `The table is newer than the manifest, which reserved numbers below ${state.nextNumber}; ` +
        'the manifest may be an old copy',
      { file: `${dir}/${name}`, offset: 0 },
    );
  }
  return free;
}

/** Removes what no state names: results of jobs that were not committed, and former manifests. */
function sweep({ fs }: EngineEnv, dir: string, state: ManifestState, manifest: number): void {
  const named = new Set(tablesOf(state).map(({ number }) => number as number));
  for (const name of fs.list(dir)) {
    const parsed = parseFileName(name);
    const stale =
      parsed.kind === 'temporary' ||
      (parsed.kind === 'manifest' && parsed.number !== manifest) ||
      (parsed.kind === 'table' && !named.has(parsed.number));
    if (stale) fs.remove(`${dir}/${name}`);
  }
}

function walIdentity(options: EngineOptions): WalIdentity {
  return { shard: options.shard, storeUuid: new Uint8Array(Buffer.from(options.storeUuid, 'hex')) };
}

function replayWal(
  env: EngineEnv,
  options: EngineOptions,
  state: ManifestState,
  replay: Replay,
): WalReading {
  const reading = readWal(
    env.fs,
    options.dir,
    walIdentity(options),
    state.minSegment,
    state.flushedSequence,
    (frame) => replay.frame(frame, state.flushedSequence),
  );
  refuseLostEnd(reading, state);
  return reading;
}

/**
 * What was replayed may exist only in the page cache. A sync of all segments makes it durable;
 * after a failed sync only fresh copies do: of the newest segment the disk may lack the end, and of
 * each the name, if it was the sync of the folder that failed.
 */
function makeDurable(fs: FileSystem, dir: string, reading: WalReading, isSuspect: boolean): void {
  for (const { path, slot } of reading.live) {
    if (isSuspect) replaceByFreshCopy(fs, dir, walFileName(slot));
    else syncFile(fs, path);
  }
}

/**
 * After a failed sync spares may be names that the disk does not know. Only once the new manifest
 * is durable: what is a spare to the state in the page cache may be needed by the one on disk.
 */
function removeSpares(fs: FileSystem, reading: WalReading): void {
  for (const { path } of reading.spares.splice(0)) fs.remove(path);
}

function syncFile(fs: FileSystem, path: string): void {
  const handle = fs.open(path, 'update');
  try {
    handle.syncData();
  } finally {
    handle.close();
  }
}

/** Refuses a log that ends before what the manifest knows to have been durable. */
function refuseLostEnd({ end, live }: WalReading, state: ManifestState): void {
  const known = Math.max(end.lastSequence, state.flushedSequence);
  if (known >= state.durableSequence) return;
  throw new CorruptionError(
    `The WAL ends at sequence ${end.lastSequence}, but all through ${state.durableSequence} was ` +
      'durable: its newest segment is missing or an old copy',
    { file: live.at(-1)?.path ?? '', offset: end.endOffset, sequence: end.lastSequence + 1 },
  );
}

function openWal(
  env: EngineEnv,
  options: EngineOptions,
  reading: WalReading | undefined,
  ownerEpoch: number,
  lastSequence: number,
): WalWriter {
  return WalWriter.open(
    env.fs,
    options.dir,
    env.random,
    { segmentBytes: options.walSegmentBytes, sparesMax: options.walSparesMax },
    {
      identity: walIdentity(options),
      ownerEpoch,
      live: reading?.live ?? [],
      spares: reading?.spares ?? [],
      end: reading?.end ?? NO_PREDECESSOR,
      firstSequence: lastSequence + 1,
    },
  );
}

/** Applies replayed frames to MemTables, taking as many arenas as it needs. */
class Replay {
  readonly memTables: MemTable[] = [];
  records = 0;
  readonly #env: EngineEnv;
  readonly #arenaBytes: number;
  readonly #reader = new RunReader();
  readonly #places = new EntryPlaces();

  constructor(env: EngineEnv, arenaBytes: number) {
    this.#env = env;
    this.#arenaBytes = arenaBytes;
  }

  frame({ header, bytes, payloadStart }: WalFrame, flushedSequence: number): void {
    const bound = MemTable.boundFor(header.payloadLength, header.count);
    const table = this.#tableWithRoom(bound, header.count);
    const reader = this.#reader;
    const { firstSequence, count, commitTimeMs } = header;
    reader.reset(bytes, payloadStart, header.payloadLength);
    while (reader.next()) this.#places.set(reader.count - 1, reader, 0);
    if (reader.count !== count) {
      throw new StormError(
        'DATA_CORRUPTION',
        `A WAL frame at sequence ${firstSequence} says ${count} entries and holds ${reader.count}`,
      );
    }
    const from = Math.min(count, Math.max(0, flushedSequence + 1 - firstSequence));
    this.#places.applyTo(table, bytes, from, count, commitTimeMs, firstSequence);
    this.records += count - from;
  }

  #tableWithRoom(bound: number, entryCount: number): MemTable {
    const last = this.memTables.at(-1);
    if (last?.hasRoomFor(bound, entryCount) === true) return last;
    const lent = this.#env.arenas.take();
    if (lent !== undefined) {
      const table = new MemTable(lent);
      this.memTables.push(table);
      if (table.hasRoomFor(bound, entryCount)) return table;
    }
    // The log may hold more than the pool lends, for one after the arenas were made smaller. It
    // must be read all the same; a foreign arena is dropped after its flush.
    const needed = 2 * (bound + entryCount * ARENA_BYTES_PER_KEY);
    const table = new MemTable(new SharedArrayBuffer(Math.max(this.#arenaBytes, needed)));
    this.memTables.push(table);
    return table;
  }
}
