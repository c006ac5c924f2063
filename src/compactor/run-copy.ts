/**
 * Copies files of a shard into a backup (docs/formats/backup.md). Names there say the content, so a
 * file that is there is the one that is wanted. Nothing bears its name before it is whole and
 * synced; a killed job leaves temporary files at most, which the next backup removes.
 *
 * The shard may die meanwhile, and its next life may unlink tables or reuse segments: so nothing is
 * believed. A table has the checksum that the manifest has for it (a link is the same file, and
 * verifying it is for `stormkv backup verify`); a segment is walked frame by frame.
 */
import { crc32 } from 'node:zlib';
import { CorruptionError, StormError, systemCodeOf } from '../base/errors.js';
import type { CopiedLog, CopyFile, CopyJob, JobOutput } from '../rpc/jobs.js';
import { backupLogName } from '../storage/backup-inventory.js';
import { readWhole } from '../storage/check-wal.js';
import { temporaryName } from '../storage/file-names.js';
import type { FileSystem } from '../storage/file-system.js';
import { walkSegment } from '../storage/segment-walk.js';

const COPY_BYTES = 1 << 20;
/** What a file system answers that does not link, or not these two files. */
const NO_LINK = ['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES'];

export function runCopy(fs: FileSystem, { dir, backupDir, files }: CopyJob): JobOutput {
  const output = { bytesRead: 0, bytesWritten: 0 };
  const logs: CopiedLog[] = [];
  for (const file of files) {
    if (file.kind === 'table') {
      const to = `${backupDir}/${file.to}`;
      const written = copyTable(fs, `${dir}/${file.name}`, to, file);
      output.bytesWritten += written;
      output.bytesRead += written;
    } else {
      const { log, written } = copyLog(fs, `${dir}/${file.name}`, backupDir, file);
      logs.push(log);
      output.bytesRead += log.endOffset;
      output.bytesWritten += written;
    }
  }
  fs.syncDir(backupDir);
  return { tables: [], ...output, logs };
}

/** Returns how many bytes were written: none for a link, and none for what was there. */
function copyTable(
  fs: FileSystem,
  from: string,
  to: string,
  { sizeBytes, crc32: sum, isLink }: Extract<CopyFile, { kind: 'table' }>,
): number {
  if (fs.stat(to)?.sizeBytes === sizeBytes) return 0;
  refuseOtherSize(fs, from, sizeBytes);
  const temporary = temporaryName(to);
  removeIfThere(fs, temporary);
  removeIfThere(fs, to);
  if (isLink && tryLink(fs, from, to)) return 0;
  const copied = copyBytes(fs, from, temporary, sizeBytes);
  if (copied !== sum) {
    fs.remove(temporary);
    throw new CorruptionError(
      `The checksum of the whole file is ${copied} and should be ${sum}: the table is damaged`,
      { file: from, offset: 0 },
    );
  }
  fs.rename(temporary, to);
  return sizeBytes;
}

function refuseOtherSize(fs: FileSystem, from: string, sizeBytes: number): void {
  const found = fs.stat(from);
  if (found === undefined) throw new StormError('NOT_FOUND', `${from} is gone`);
  if (found.sizeBytes === sizeBytes) return;
  throw new CorruptionError(`The table has ${found.sizeBytes} bytes and should have ${sizeBytes}`, {
    file: from,
    offset: Math.min(found.sizeBytes, sizeBytes),
  });
}

function tryLink(fs: FileSystem, from: string, to: string): boolean {
  try {
    fs.link(from, to);
    return true;
  } catch (error) {
    if (!NO_LINK.includes(systemCodeOf(error) ?? '')) throw error;
    return false;
  }
}

/** Copies `length` bytes and syncs them; returns their CRC-32. After an error no file is left. */
function copyBytes(fs: FileSystem, from: string, to: string, length: number): number {
  const source = fs.open(from, 'read');
  try {
    const target = fs.open(to, 'create');
    try {
      const buffer = new Uint8Array(Math.min(COPY_BYTES, length));
      let sum = 0;
      for (let at = 0; at < length; ) {
        const got = source.readAt(buffer, 0, Math.min(buffer.length, length - at), at);
        if (got === 0) throw new CorruptionError('The file ends early', { file: from, offset: at });
        target.writeAt(buffer, 0, got, at);
        sum = crc32(buffer.subarray(0, got), sum);
        at += got;
      }
      target.syncData();
      return sum;
    } catch (error) {
      removeIfThere(fs, to);
      throw error;
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
}

function copyLog(
  fs: FileSystem,
  from: string,
  backupDir: string,
  file: Extract<CopyFile, { kind: 'log' }>,
): { log: CopiedLog; written: number } {
  const bytes = readWhole(fs, from);
  const { header, endOffset, lastSequence } = walkSegment(bytes, from, file);
  const log: CopiedLog = {
    number: header.number,
    nonce: header.nonce,
    endOffset,
    segmentBytes: header.sizeBytes,
    crc32: crc32(bytes.subarray(0, endOffset)),
    firstSequence: header.firstSequence,
    lastSequence,
  };
  const kept = bytes.subarray(0, log.endOffset);
  const to = `${backupDir}/${backupLogName(log)}`;
  if (fs.stat(to)?.sizeBytes === kept.length) return { log, written: 0 };
  const temporary = temporaryName(to);
  removeIfThere(fs, temporary);
  const target = fs.open(temporary, 'create');
  try {
    target.writeAt(kept, 0, kept.length, 0);
    target.syncData();
  } finally {
    target.close();
  }
  fs.rename(temporary, to);
  return { log, written: kept.length };
}

function removeIfThere(fs: FileSystem, path: string): void {
  if (fs.stat(path) !== undefined) fs.remove(path);
}
