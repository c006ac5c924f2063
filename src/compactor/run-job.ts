/**
 * The pool's single entry: runs any job and turns its failure into an answer. Jobs are stateless; a
 * failed one leaves no file of its own behind, and a killed one only what recovery removes.
 */
import { unreachable } from '../base/assert.js';
import { CorruptionError, messageOf, StormError, systemCodeOf } from '../base/errors.js';
import type { TableOptions } from '../base/table-meta.js';
import type {
  FillSegmentJob,
  Job,
  JobOutput,
  JobResult,
  RemoveJob,
  TouchArenaJob,
} from '../rpc/jobs.js';
import { SyncAlarm } from '../rpc/sync-alarm.js';
import { compressionFor } from '../storage/block-codec.js';
import { leaveDistrust } from '../storage/distrust.js';
import { temporaryName } from '../storage/file-names.js';
import type { FileSystem } from '../storage/file-system.js';
import { WatchedFolder } from '../storage/watched-folder.js';
import { createZeroFile } from '../storage/zero-file.js';
import { NEVER_RESTS, type PaceClock } from './merge-pace.js';
import { runCopy } from './run-copy.js';
import { runFlush } from './run-flush.js';
import { runMerge } from './run-merge.js';
import { runScrub } from './run-scrub.js';

const PAGE_BYTES = 4096;

/** Runs the job to its end; never throws. `clock`: of merges that are to work slowly. */
export function runJob(fs: FileSystem, job: Job, clock: PaceClock = NEVER_RESTS): JobResult {
  try {
    return { ok: true, output: dispatch(watched(fs, job), job, clock) };
  } catch (error) {
    return failureOf(error);
  }
}

/** Names that other jobs and the shard have made in the folder may be lost with a failed sync. */
function watched(fs: FileSystem, job: Job): FileSystem {
  if (job.syncAlarm === undefined || !('dir' in job)) return fs;
  const alarm = new SyncAlarm(job.syncAlarm);
  return new WatchedFolder(fs, job.dir, () => {
    alarm.raise();
    leaveDistrust(fs, job.dir);
  });
}

function dispatch(fs: FileSystem, job: Job, clock: PaceClock): JobOutput {
  switch (job.kind) {
    case 'flush':
      return runFlush(fs, { ...job, table: tableOptions(job.table, 'flush') });
    case 'merge':
      return runMerge(fs, { ...job, table: tableOptions(job.table, 'merge') }, clock);
    case 'fill-segment':
      return fillSegment(fs, job);
    case 'touch-arena':
      return touchArena(job);
    case 'copy':
      return runCopy(fs, job);
    case 'scrub':
      return runScrub(fs, job);
    case 'remove':
      return removeFiles(fs, job);
    default:
      return unreachable(job, 'job');
  }
}

function tableOptions(table: TableOptions, purpose: 'flush' | 'merge'): TableOptions {
  return { ...table, compression: compressionFor(table.compression ?? 'none', purpose) };
}

/**
 * Makes a file of real zeros, so that the log writes into blocks that exist: neither the size nor
 * the extents of the file change on the hot path.
 */
function fillSegment(fs: FileSystem, job: FillSegmentJob): JobOutput {
  const path = `${job.dir}/${job.name}`;
  const temporaryPath = temporaryName(path);
  if (fs.stat(path) !== undefined) {
    // Renaming over it could destroy a live log.
    throw new StormError('FAILED_PRECONDITION', `${path} exists: choose another slot`);
  }
  removeIfThere(fs, temporaryPath);
  try {
    createZeroFile(fs, temporaryPath, job.sizeBytes);
    fs.rename(temporaryPath, path);
    fs.syncDir(job.dir);
  } catch (error) {
    removeQuietly(fs, temporaryPath);
    removeQuietly(fs, path);
    throw error;
  }
  return { tables: [], bytesRead: 0, bytesWritten: job.sizeBytes };
}

/** Makes the system provide every page now, so that the shard's thread meets no page fault. */
function touchArena(job: TouchArenaJob): JobOutput {
  const bytes = new Uint8Array(job.arena);
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) bytes[at] = 0;
  return { tables: [], bytesRead: 0, bytesWritten: 0 };
}

/** As many as can be removed; what stays, the shard's next opening removes. */
function removeFiles(fs: FileSystem, { dir, names }: RemoveJob): JobOutput {
  for (const name of names) removeQuietly(fs, `${dir}/${name}`);
  return { tables: [], bytesRead: 0, bytesWritten: 0 };
}

function failureOf(error: unknown): JobResult {
  const code = error instanceof StormError ? error.code : (systemCodeOf(error) ?? 'INTERNAL');
  const message = messageOf(error);
  if (error instanceof CorruptionError) {
    return { ok: false, code, message, file: error.site.file, offset: error.site.offset };
  }
  const file = pathOf(error);
  return file === undefined ? { ok: false, code, message } : { ok: false, code, message, file };
}

/** System errors of calls that take a path name it. */
function pathOf(error: unknown): string | undefined {
  if (error instanceof Error && 'path' in error && typeof error.path === 'string') {
    return error.path;
  }
  return undefined;
}

function removeIfThere(fs: FileSystem, path: string): void {
  if (fs.stat(path) !== undefined) fs.remove(path);
}

function removeQuietly(fs: FileSystem, path: string): void {
  try {
    removeIfThere(fs, path);
  } catch {
    // The error that led here matters more; recovery removes what stays.
  }
}
