/**
 * Memory of a failed sync, for the next life of the shard: from then on the page cache may show
 * what the disk does not have (docs/formats/wal.md, "When a write or sync fails").
 */
import { StormError, systemCodeOf } from '../base/errors.js';
import { DISTRUST_FILE } from './file-names.js';
import type { FileSystem } from './file-system.js';

/** Leaves the word for the next opening. Never synced: it shall live as long as the page cache. */
export function leaveDistrust(fs: FileSystem, dir: string): void {
  try {
    fs.open(`${dir}/${DISTRUST_FILE}`, 'create').close();
  } catch {
    // It exists, or the disk takes nothing any more: the supervisor knows of a poison as well.
  }
}

export function isDistrusted(fs: FileSystem, dir: string): boolean {
  return fs.stat(`${dir}/${DISTRUST_FILE}`) !== undefined;
}

/** Whether a call of the system failed, and not a check of ours. */
export function isDiskFailure(error: unknown): boolean {
  if (error instanceof StormError) return isDiskFailure(error.cause);
  return systemCodeOf(error) !== undefined;
}
