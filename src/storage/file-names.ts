/**
 * Names of the files in a data dir: the only place that builds or parses one. A data dir holds the
 * root file and one folder per shard; everything else lives in a shard's folder. Numbers have at
 * least six digits, so that an ordinary listing is in order; parsing accepts only the exact
 * spelling that building gives, so two names never mean the same file.
 */
import { type FileNumber, fileNumber, type ShardId } from '../base/ids.js';

/**
 * Exists after a write or sync of the WAL failed: the page cache may then show bytes that the disk
 * does not have. Never synced: it shall live exactly as long as that page cache.
 */
export const DISTRUST_FILE = 'DISTRUST';
/** Names the manifest in force within a shard's folder. */
export const CURRENT_FILE = 'CURRENT';
/** Describes the data dir as a whole: shard count, slot map, identity. */
export const ROOT_FILE = 'ROOT';

const TEMPORARY_SUFFIX = '.tmp';
const NUMBERED = /^(?:table-(\d{6,})\.sst|manifest-(\d{6,})\.log|wal-(\d{6,})\.seg)$/;

export type FileName =
  | { kind: 'table' | 'manifest'; number: FileNumber }
  | { kind: 'wal'; number: number }
  | { kind: 'current' | 'temporary' | 'unknown' };

export function tableFileName(number: FileNumber): string {
  return `table-${digits(number, 6)}.sst`;
}

export function manifestFileName(number: FileNumber): string {
  return `manifest-${digits(number, 6)}.log`;
}

/** A slot is a place that segments come and go in; which segment it holds stands in its header. */
export function walFileName(slot: number): string {
  return `wal-${digits(slot, 6)}.seg`;
}

/** The name that a file bears until it is complete; recovery removes what still has one. */
export function temporaryName(name: string): string {
  return name + TEMPORARY_SUFFIX;
}

export function shardDirName(id: ShardId): string {
  return `shard-${digits(id, 3)}`;
}

/** What a name (not a path) found in a shard's folder means. */
export function parseFileName(name: string): FileName {
  if (name === CURRENT_FILE) return { kind: 'current' };
  if (name.endsWith(TEMPORARY_SUFFIX)) return { kind: 'temporary' };
  const match = NUMBERED.exec(name);
  if (match === null) return { kind: 'unknown' };
  const [, table, manifest, wal] = match;
  const written = table ?? manifest ?? wal ?? '';
  const number = Number(written);
  if (!Number.isSafeInteger(number) || digits(number, 6) !== written) return { kind: 'unknown' };
  if (table !== undefined) return { kind: 'table', number: fileNumber(number) };
  if (manifest !== undefined) return { kind: 'manifest', number: fileNumber(number) };
  return { kind: 'wal', number };
}

function digits(number: number, width: number): string {
  return String(number).padStart(width, '0');
}
