/**
 * The inventory of a backup (docs/formats/backup.md): what it consists of, where its files lie in
 * the backup folder, and the point in time that it describes.
 */
import { CorruptionError, StormError } from '../base/errors.js';
import { shardId } from '../base/ids.js';
import type { TableMeta } from '../base/table-meta.js';
import { readCheckedJson, writeCheckedJson } from './checked-json.js';
import { shardDirName } from './file-names.js';
import type { FileSystem } from './file-system.js';
import { decodeEdit, encodeEdit, MANIFEST_VERSION } from './manifest-format.js';
import { applyEdit, EMPTY_STATE, type ManifestState, snapshotEdit } from './manifest-state.js';
import { decodeRoot, encodeRoot, type Root } from './root-manifest.js';

export const BACKUP_VERSION = 0;
/** About 350 bytes per table: millions of them. */
const INVENTORY_BYTES_MAX = 2 ** 30;
const INVENTORY_NAME = /^backup-(\d{6,})\.json$/;

/** What is kept of a segment of the log. */
export interface BackupLog {
  number: number;
  nonce: number;
  /** So many bytes from its beginning are kept: whole frames. */
  endOffset: number;
  /** Of the whole segment. */
  segmentBytes: number;
  /** Of the bytes that are kept. */
  crc32: number;
  firstSequence: number;
  lastSequence: number;
}

export interface BackupShard {
  shard: number;
  state: ManifestState;
  /** The last sequence number in the backup. */
  sequence: number;
  /** Wall time when that was so. */
  takenAtMs: number;
  /** No write in tables was committed later. */
  tablesAtMs: number;
  /** Oldest first. */
  log: BackupLog[];
}

export interface Inventory {
  id: number;
  createdMs: number;
  /** Version of the program that wrote it. */
  program: string;
  root: Root;
  shards: BackupShard[];
}

export function inventoryName(id: number): string {
  return `backup-${String(id).padStart(6, '0')}.json`;
}

/** Names within a shard's folder of the backup. */
export function backupTableName({ number, crc32 }: TableMeta): string {
  const crc = crc32.toString(16).padStart(8, '0');
  return `table-${String(number).padStart(6, '0')}-${crc}.sst`;
}

export function backupLogName(log: Pick<BackupLog, 'number' | 'nonce' | 'endOffset'>): string {
  const { number, nonce, endOffset } = log;
  const digits = nonce.toString(16).padStart(12, '0');
  return `log-${String(number).padStart(6, '0')}-${digits}-${endOffset}.wal`;
}

export function backupShardDir(dir: string, shard: number): string {
  return `${dir}/${shardDirName(shardId(shard))}`;
}

/** Ids of the backups in the folder, ascending; empty where there is no such folder. */
export function listBackups(fs: FileSystem, dir: string): number[] {
  if (fs.stat(dir)?.kind !== 'directory') return [];
  const ids = fs.list(dir).flatMap((name) => {
    const id = Number(INVENTORY_NAME.exec(name)?.[1]);
    return Number.isSafeInteger(id) && id > 0 && inventoryName(id) === name ? [id] : [];
  });
  return ids.sort((a, b) => a - b);
}

/** Makes the inventory durable: from then on there is that backup. */
export function writeInventory(fs: FileSystem, dir: string, inventory: Inventory): void {
  const { id, createdMs, program, root, shards } = inventory;
  writeCheckedJson(fs, dir, inventoryName(id), {
    what: 'stormkv backup',
    version: BACKUP_VERSION,
    id,
    createdMs,
    program,
    root: encodeRoot(root),
    shards: shards.map(({ state, ...rest }) => ({
      ...rest,
      state: JSON.parse(Buffer.from(encodeState(state, rest.shard, root)).toString('utf8')),
    })),
  });
}

function encodeState(state: ManifestState, shard: number, { storeUuid }: Root): Uint8Array {
  return encodeEdit(snapshotEdit(state, { shard, storeUuid, version: MANIFEST_VERSION }));
}

/** Throws NOT_FOUND, DATA_CORRUPTION, or FAILED_PRECONDITION for a newer version. */
export function readInventory(fs: FileSystem, dir: string, id: number): Inventory {
  const path = `${dir}/${inventoryName(id)}`;
  const fields = readCheckedJson(fs, dir, inventoryName(id), INVENTORY_BYTES_MAX);
  if (fields === undefined) {
    throw new StormError(
      'NOT_FOUND',
      `There is no backup ${id} in ${dir}: see stormkv backup list`,
    );
  }
  const { what, version, createdMs, program, root, shards } = fields;
  if (what !== 'stormkv backup') throw broken(path, 'The file is no inventory of a backup');
  if (!isCount(version)) throw broken(path, 'The version is no number');
  if (version > BACKUP_VERSION) {
    throw new StormError(
      'FAILED_PRECONDITION',
      `${path} has format version ${version}, this program knows versions up to ` +
        `${BACKUP_VERSION}: use a newer stormkv`,
    );
  }
  if (fields['id'] !== id) throw broken(path, 'The inventory bears the name of another one');
  if (!isCount(createdMs) || typeof program !== 'string') throw broken(path, 'Fields are missing');
  if (!isRecord(root) || !Array.isArray(shards)) throw broken(path, 'Fields are missing');
  const decoded = decodeRoot(root, path);
  if (shards.length !== decoded.shardCount) throw broken(path, 'It does not have every shard');
  return {
    id,
    createdMs,
    program,
    root: decoded,
    shards: shards.map((one: unknown, i) => decodeShard(one, i, path)),
  };
}

const SHARD_FIELDS = ['sequence', 'takenAtMs', 'tablesAtMs'] as const;
const LOG_FIELDS = [
  'number',
  'nonce',
  'endOffset',
  'segmentBytes',
  'crc32',
  'firstSequence',
  'lastSequence',
] as const;

function decodeShard(value: unknown, shard: number, path: string): BackupShard {
  if (!isRecord(value) || value['shard'] !== shard) throw broken(path, `Shard ${shard} is missing`);
  const { state, log } = value;
  if (!isRecord(state) || !Array.isArray(log)) throw broken(path, `Shard ${shard} is malformed`);
  const edit = decodeEdit(Buffer.from(JSON.stringify(state)), path, 0);
  if (edit.snapshot?.shard !== shard) throw broken(path, `Shard ${shard} has another one's state`);
  return {
    shard,
    state: applyEdit(EMPTY_STATE, edit),
    ...counts(value, SHARD_FIELDS, path),
    log: log.map((one: unknown) => {
      if (!isRecord(one)) throw broken(path, `Shard ${shard} has a malformed log`);
      return counts(one, LOG_FIELDS, path);
    }),
  };
}

function counts<Name extends string>(
  value: Record<string, unknown>,
  names: readonly Name[],
  path: string,
): Record<Name, number> {
  const found = {} as Record<Name, number>;
  for (const name of names) {
    const count = value[name];
    if (!isCount(count)) throw broken(path, `${name} is no number`);
    found[name] = count;
  }
  return found;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function broken(file: string, what: string): CorruptionError {
  return new CorruptionError(what, { file, offset: 0 });
}
