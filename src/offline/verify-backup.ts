/**
 * Checks a backup without changing anything in it: every block of every table, every frame of the
 * log, and that together they are what the inventory says.
 */
import { crc32 } from 'node:zlib';
import { RunReader } from '../base/entry-run.js';
import { CorruptionError } from '../base/errors.js';
import {
  type BackupLog,
  type BackupShard,
  backupLogName,
  backupShardDir,
  backupTableName,
  type Inventory,
  inventoryName,
} from '../storage/backup-inventory.js';
import { type FindingSink, reporting } from '../storage/check-finding.js';
import { checkRuns } from '../storage/check-runs.js';
import type { CheckReport } from '../storage/check-shard.js';
import { checkTable } from '../storage/check-table.js';
import { readWhole } from '../storage/check-wal.js';
import type { FileSystem } from '../storage/file-system.js';
import { FRAME_DATA, FRAME_HEADER_BYTES } from '../storage/log-frame.js';
import { tablesOf } from '../storage/manifest-state.js';
import { type WalkedSegment, walkSegment } from '../storage/segment-walk.js';

/** All findings go to `report`. Tables in `seen` were checked with an earlier backup. */
export function verifyBackup(
  fs: FileSystem,
  dir: string,
  inventory: Inventory,
  report: CheckReport,
  seen: Set<string> = new Set(),
): void {
  for (const shard of inventory.shards) {
    report.totals.shards++;
    const path = `${dir}/${inventoryName(inventory.id)}`;
    for (const what of checkRuns(shard.state)) {
      report.found({ severity: 'damage', file: path, offset: 0, what });
    }
    verifyTables(fs, dir, shard, report, seen);
    verifyLog(fs, dir, shard, report);
  }
}

function verifyTables(
  fs: FileSystem,
  dir: string,
  { shard, state }: BackupShard,
  { found, progress, totals }: CheckReport,
  seen: Set<string>,
): void {
  const shardDir = backupShardDir(dir, shard);
  for (const meta of tablesOf(state)) {
    const name = backupTableName(meta);
    const path = `${shardDir}/${name}`;
    if (seen.has(path)) continue;
    seen.add(path);
    progress(path);
    const { entryCount } = checkTable(fs, shardDir, meta, found, name);
    totals.tables++;
    totals.tableBytes += meta.sizeBytes;
    totals.entries += entryCount;
  }
}

function verifyLog(
  fs: FileSystem,
  dir: string,
  { shard, state, log, sequence }: BackupShard,
  { found, progress, totals }: CheckReport,
): void {
  const shardDir = backupShardDir(dir, shard);
  let before: WalkedSegment | undefined;
  for (const one of log) {
    const path = `${shardDir}/${backupLogName(one)}`;
    progress(path);
    totals.segments++;
    const walked = reporting(found, path, 0, () => {
      const bytes = readKept(fs, path, one);
      const next = walkSegment(bytes, path, one, (frame, at) => {
        totals.frames++;
        if (frame.type === FRAME_DATA) checkEntries(bytes, path, at, frame);
      });
      if (before !== undefined) checkLink(path, before, next);
      return next;
    });
    before = walked;
  }
  const end = Math.max(log.at(-1)?.lastSequence ?? 0, state.flushedSequence);
  if (end === sequence) return;
  const what = `Tables and log go to sequence ${end}, the backup should go to ${sequence}`;
  found({ severity: 'damage', file: shardDir, offset: 0, what });
}

/** The bytes that the backup keeps of a segment; throws where they are not those. */
export function readKept(fs: FileSystem, path: string, log: BackupLog): Uint8Array {
  const bytes = readWhole(fs, path);
  if (bytes.length !== log.endOffset) {
    throw new CorruptionError(`The file has ${bytes.length} bytes, not ${log.endOffset}`, {
      file: path,
      offset: Math.min(bytes.length, log.endOffset),
    });
  }
  if (crc32(bytes) === log.crc32) return bytes;
  throw new CorruptionError('The checksum of the file is not that of the inventory', {
    file: path,
    offset: 0,
  });
}

function checkEntries(
  bytes: Uint8Array,
  file: string,
  at: number,
  { count, payloadLength }: { count: number; payloadLength: number },
): void {
  const reader = new RunReader();
  reader.reset(bytes, at + FRAME_HEADER_BYTES, payloadLength);
  while (reader.next()) {
    // Counts.
  }
  if (reader.count === count) return;
  throw new CorruptionError(`The frame says ${count} entries and holds ${reader.count}`, {
    file,
    offset: at,
  });
}

function checkLink(file: string, before: WalkedSegment, { header }: WalkedSegment): void {
  const { number, nonce, endOffset, chain } = header.predecessor;
  const isNext =
    number === before.header.number &&
    nonce === before.header.nonce &&
    endOffset === before.endOffset &&
    chain === before.chain;
  if (isNext) return;
  throw new CorruptionError('The segment does not continue the one before it', { file, offset: 0 });
}

/** A sink that counts what is damaged. */
export function countingDamage(found: FindingSink): { found: FindingSink; count: () => number } {
  let damaged = 0;
  return {
    found(finding) {
      if (finding.severity === 'damage') damaged++;
      found(finding);
    },
    count: () => damaged,
  };
}
