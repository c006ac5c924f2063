/**
 * Makes a data dir from a backup (docs/formats/backup.md, "Restoring"). Checksums of all files are
 * compared on the way; ROOT is written last, so a restore that was cut short leaves no data dir
 * that a server would open.
 */
import { crc32 } from 'node:zlib';
import { CorruptionError, StormError } from '../base/errors.js';
import { shardId } from '../base/ids.js';
import type { Random } from '../base/random.js';
import type { TableMeta } from '../base/table-meta.js';
import {
  type BackupLog,
  type BackupShard,
  backupLogName,
  backupShardDir,
  backupTableName,
  type Inventory,
} from '../storage/backup-inventory.js';
import { writeCheckedJson } from '../storage/checked-json.js';
import { ROOT_FILE, shardDirName, tableFileName, walFileName } from '../storage/file-names.js';
import type { FileSystem } from '../storage/file-system.js';
import { FRAME_DATA, frameBytes } from '../storage/log-frame.js';
import { ManifestLog } from '../storage/manifest-log.js';
import { tablesOf } from '../storage/manifest-state.js';
import { encodeRoot, makeDurableDir } from '../storage/root-manifest.js';
import { walkSegment } from '../storage/segment-walk.js';
import { SEGMENT_HEADER_BYTES } from '../storage/wal-format.js';
import { readWal } from '../storage/wal-reader.js';
import { readKept } from './verify-backup.js';

const COPY_BYTES = 1 << 20;

/** How far to go back within the backup: shard by shard by sequence number, or all by time. */
export interface RestorePoint {
  sequences?: ReadonlyMap<number, number>;
  timeMs?: number;
}

export interface RestoreProgress {
  doneBytes: number;
  totalBytes: number;
}

export interface RestoredShard {
  shard: number;
  /** The last sequence number that the restored shard has. */
  sequence: number;
  /** When that was committed, as far as the log of the backup tells; 0 = it does not. */
  committedMs: number;
}

/** A segment of the restored log. */
interface Kept {
  log: BackupLog;
  /** Its frames up to here. */
  endOffset: number;
}

interface Cut {
  kept: Kept[];
  sequence: number;
  committedMs: number;
}

/**
 * Restores into `dataDir`, which must be empty or not exist. Everything that can be refused is
 * refused before anything is written.
 */
export function restoreBackup(
  fs: FileSystem,
  random: Random,
  { dir, inventory }: { dir: string; inventory: Inventory },
  dataDir: string,
  point: RestorePoint,
  progress: (progress: RestoreProgress) => void,
): RestoredShard[] {
  refuseUsed(fs, dataDir);
  refuseUnknownShards(inventory, point);
  const cuts = inventory.shards.map((shard) => cutOf(fs, dir, shard, point));
  const copy = new Copy(fs, inventory, progress);
  makeDurableDir(fs, dataDir);
  for (const { shard } of inventory.shards) fs.makeDir(`${dataDir}/${nameOf(shard)}`);
  fs.syncDir(dataDir);
  const restored = inventory.shards.map((shard, i) => {
    const cut = cuts[i] as Cut;
    restoreShard(fs, random, copy, { dir, dataDir, inventory, shard, cut });
    return { shard: shard.shard, sequence: cut.sequence, committedMs: cut.committedMs };
  });
  writeCheckedJson(fs, dataDir, ROOT_FILE, encodeRoot(inventory.root));
  return restored;
}

function nameOf(shard: number): string {
  return shardDirName(shardId(shard));
}

function refuseUsed(fs: FileSystem, dataDir: string): void {
  const stat = fs.stat(dataDir);
  if (stat === undefined) return;
  if (stat.kind === 'directory' && fs.list(dataDir).length === 0) return;
  throw new StormError(
    'FAILED_PRECONDITION',
    `${dataDir} is not empty: a backup is restored only into a new folder. If a restore was cut ` +
      'short there, remove the folder first',
  );
}

function refuseUnknownShards({ shards }: Inventory, { sequences }: RestorePoint): void {
  for (const shard of sequences?.keys() ?? []) {
    if (shards[shard] !== undefined) continue;
    throw new StormError(
      'INVALID_ARGUMENT',
      `The backup has the shards 0 to ${shards.length - 1}: found ${shard}`,
    );
  }
}

/** Decides where the log of a shard ends; refuses a point that the backup does not cover. */
function cutOf(fs: FileSystem, dir: string, shard: BackupShard, point: RestorePoint): Cut {
  const wanted = point.sequences?.get(shard.shard);
  if (wanted !== undefined) refuseSequence(shard, wanted);
  const { flushedSequence } = shard.state;
  const cut: Cut = { kept: [], sequence: flushedSequence, committedMs: 0 };
  let firstMs: number | undefined;
  let isOver = false;
  for (const log of shard.log) {
    if (isOver && cut.kept.length > 0) break;
    const path = `${backupShardDir(dir, shard.shard)}/${backupLogName(log)}`;
    const kept = { log, endOffset: SEGMENT_HEADER_BYTES };
    cut.kept.push(kept);
    walkSegment(readKept(fs, path, log), path, log, (frame, at) => {
      const last = frame.firstSequence + frame.count - 1;
      const isNew = frame.type === FRAME_DATA && last > flushedSequence;
      if (isNew) firstMs ??= frame.commitTimeMs;
      if (isNew && isBehind(last, frame.commitTimeMs, wanted, point.timeMs)) isOver = true;
      if (isOver) return;
      kept.endOffset = at + frameBytes(frame.payloadLength);
      if (frame.type !== FRAME_DATA) return;
      cut.sequence = Math.max(cut.sequence, last);
      cut.committedMs = frame.commitTimeMs;
    });
  }
  if (point.timeMs !== undefined) refuseTime(shard, point.timeMs, firstMs);
  return cut;
}

function isBehind(
  sequence: number,
  committedMs: number,
  wanted: number | undefined,
  timeMs: number | undefined,
): boolean {
  if (wanted !== undefined && sequence > wanted) return true;
  return timeMs !== undefined && committedMs > timeMs;
}

function refuseSequence({ shard, state, sequence }: BackupShard, wanted: number): void {
  if (wanted >= state.flushedSequence && wanted <= sequence) return;
  throw new StormError(
    'INVALID_ARGUMENT',
    `For shard ${shard} this backup covers the sequence numbers ${state.flushedSequence} to ` +
      `${sequence}, not ${wanted}: choose one of them, or another backup`,
  );
}

function refuseTime(
  { shard, tablesAtMs, takenAtMs }: BackupShard,
  timeMs: number,
  firstMs: number | undefined,
): void {
  const fromMs = Math.min(tablesAtMs, firstMs ?? tablesAtMs);
  if (timeMs >= fromMs && timeMs <= takenAtMs) return;
  throw new StormError(
    'INVALID_ARGUMENT',
    `For shard ${shard} this backup covers ${timeText(fromMs)} to ${timeText(takenAtMs)}, not ` +
      `${timeText(timeMs)}: choose a time within, or another backup (stormkv backup list)`,
  );
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

interface ShardOrder {
  dir: string;
  dataDir: string;
  inventory: Inventory;
  shard: BackupShard;
  cut: Cut;
}

function restoreShard(fs: FileSystem, random: Random, copy: Copy, order: ShardOrder): void {
  const { dir, dataDir, inventory, shard, cut } = order;
  const from = backupShardDir(dir, shard.shard);
  const to = `${dataDir}/${nameOf(shard.shard)}`;
  for (const table of tablesOf(shard.state)) copy.table(from, to, table);
  for (const kept of cut.kept) copy.segment(from, to, kept);
  fs.syncDir(to);
  const { storeUuid } = inventory.root;
  const state = { ...shard.state, durableSequence: cut.sequence };
  const identity = { shard: shard.shard, storeUuid };
  ManifestLog.start(fs, to, random, identity, state).close();
  const uuid = new Uint8Array(Buffer.from(storeUuid, 'hex'));
  const { minSegment, flushedSequence } = state;
  const whose = { shard: shard.shard, storeUuid: uuid };
  readWal(fs, to, whose, minSegment, flushedSequence, () => {});
}

/** Copies files and says how far it is. */
class Copy {
  readonly #fs: FileSystem;
  readonly #progress: (progress: RestoreProgress) => void;
  readonly #totalBytes: number;
  readonly #buffer = new Uint8Array(COPY_BYTES);
  #doneBytes = 0;

  constructor(
    fs: FileSystem,
    { shards }: Inventory,
    progress: (progress: RestoreProgress) => void,
  ) {
    this.#fs = fs;
    this.#progress = progress;
    this.#totalBytes = shards
      .flatMap(({ state }) => tablesOf(state))
      .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  table(from: string, to: string, meta: TableMeta): void {
    const path = `${from}/${backupTableName(meta)}`;
    const source = this.#fs.open(path, 'read');
    try {
      const target = this.#fs.open(`${to}/${tableFileName(meta.number)}`, 'create');
      try {
        let sum = 0;
        let at = 0;
        for (;;) {
          const got = source.readAt(this.#buffer, 0, this.#buffer.length, at);
          if (got === 0) break;
          target.writeAt(this.#buffer, 0, got, at);
          sum = crc32(this.#buffer.subarray(0, got), sum);
          at += got;
          this.#doneBytes += got;
          this.#progress({ doneBytes: this.#doneBytes, totalBytes: this.#totalBytes });
        }
        if (sum !== meta.crc32 || at !== meta.sizeBytes) throw damaged(path);
        target.syncData();
      } finally {
        target.close();
      }
    } finally {
      source.close();
    }
  }

  /** Real zeros behind what is kept: the file will be used again as a segment. */
  segment(from: string, to: string, { log, endOffset }: Kept): void {
    const bytes = readKept(this.#fs, `${from}/${backupLogName(log)}`, log);
    const target = this.#fs.open(`${to}/${walFileName(log.number)}`, 'create');
    try {
      const whole = new Uint8Array(log.segmentBytes);
      whole.set(bytes.subarray(0, endOffset));
      target.writeAt(whole, 0, whole.length, 0);
      target.syncData();
    } finally {
      target.close();
    }
  }
}

function damaged(file: string): CorruptionError {
  return new CorruptionError(
    'The table in the backup is damaged: run stormkv backup verify, and restore another backup',
    { file, offset: 0 },
  );
}
