/**
 * The root file of a data dir: whose data it is, and how keys are spread over its shards. Written
 * once, by the supervisor, before any shard starts (docs/formats/root.md).
 *
 * Creation keeps "new" decidable after a crash at any point: (1) the data dir, durable in its
 * parent; (2) the shard folders, empty, durable in the data dir; (3) ROOT, complete under a
 * temporary name, then renamed, then durable. Data exists only after (3), so a folder without ROOT
 * is new exactly if its shard folders are empty.
 */
import { dirname } from 'node:path';
import { CorruptionError, StormError, systemCodeOf } from '../base/errors.js';
import { shardId } from '../base/ids.js';
import type { Random } from '../base/random.js';
import { SLOT_COUNT, SLOT_HASH_ID } from '../base/slot.js';
import { readCheckedJson, writeCheckedJson } from './checked-json.js';
import { parseFileName, ROOT_FILE, shardDirName } from './file-names.js';
import type { FileSystem } from './file-system.js';

export const ROOT_VERSION = 0;
const SHARD_DIR = /^shard-\d+$/;
const UUID = /^[0-9a-f]{32}$/;

/** The slots of one shard, both ends included. */
export interface SlotRange {
  first: number;
  last: number;
}

export interface Root {
  /** 32 hexadecimal digits, drawn when the data dir was created. */
  readonly storeUuid: string;
  readonly shardCount: number;
  /** Rises with every change of the slot ranges; 1 at first. */
  readonly slotMapEpoch: number;
  /** By shard id; together they hold each slot exactly once. */
  readonly slotRanges: readonly SlotRange[];
  /** The shards' folders are still to be moved out of RESHARD_DIR: see reshard-switch.ts. */
  readonly incoming?: true;
}

export interface RootOptions {
  /** What the operator asked for; undefined = whatever the data dir has. */
  shardCount: number | undefined;
  /** For a new data dir where the operator asked for nothing. */
  shardCountIfNew: number;
  random: Random;
}

/**
 * The root of an existing data dir, checked against its folders, or of a new one, created. On
 * return ROOT and the shard folders are durable. A dir that is neither whole nor new is refused,
 * with nothing changed.
 */
export function openOrCreateRoot(fs: FileSystem, dir: string, options: RootOptions): Root {
  const root = readRoot(fs, dir);
  if (root === undefined) {
    refuseOrphans(fs, dir);
    const shardCount = options.shardCount ?? options.shardCountIfNew;
    return createRoot(fs, dir, { shardCount, random: options.random });
  }
  checkShardCount(dir, root, options.shardCount);
  checkFolders(fs, dir, root);
  // The process that created it may have died before its own sync, while the machine lived on.
  fs.syncDir(dir);
  return root;
}

/**
 * The root of a data dir, or undefined where there is none. Damage is a CorruptionError; a newer
 * version or another hash function is FAILED_PRECONDITION.
 */
export function readRoot(fs: FileSystem, dir: string): Root | undefined {
  const root = readRootOfAnyKind(fs, dir);
  if (root?.incoming === undefined) return root;
  throw new StormError(
    'FAILED_PRECONDITION',
    `A reshard of ${dir} was interrupted behind its switch: start the server once, or run ` +
      '`stormkv reshard` again, and it is completed',
  );
}

/** The same, also of a data dir whose reshard was interrupted behind its switch. */
export function readRootOfAnyKind(fs: FileSystem, dir: string): Root | undefined {
  if (fs.stat(dir) === undefined) return undefined;
  const fields = readCheckedJson(fs, dir, ROOT_FILE);
  return fields === undefined ? undefined : decodeRoot(fields, `${dir}/${ROOT_FILE}`);
}

/** Makes a data dir, which must be new (see openOrCreateRoot), durably. */
export function createRoot(
  fs: FileSystem,
  dir: string,
  { shardCount, random }: { shardCount: number; random: Random },
): Root {
  if (!Number.isInteger(shardCount) || shardCount < 1 || shardCount > SLOT_COUNT) {
    throw new StormError(
      'INVALID_ARGUMENT',
      `The number of shards must be an integer from 1 to ${SLOT_COUNT}: found ${shardCount}`,
    );
  }
  const root: Root = {
    storeUuid: Buffer.from(random.fill(new Uint8Array(16))).toString('hex'),
    shardCount,
    slotMapEpoch: 1,
    slotRanges: equalSlotRanges(shardCount),
  };
  makeDurableDir(fs, dir);
  for (let id = 0; id < shardCount; id++) fs.makeDir(`${dir}/${shardDirName(shardId(id))}`);
  fs.syncDir(dir);
  writeCheckedJson(fs, dir, ROOT_FILE, encodeRoot(root));
  return root;
}

/** All slots in contiguous ranges whose sizes differ by at most one. */
export function equalSlotRanges(shardCount: number): SlotRange[] {
  const start = (id: number) => Math.floor((id * SLOT_COUNT) / shardCount);
  return Array.from({ length: shardCount }, (_, id) => ({
    first: start(id),
    last: start(id + 1) - 1,
  }));
}

/** The fields of a root file. */
export function encodeRoot(root: Root): object {
  return {
    what: 'stormkv root',
    version: ROOT_VERSION,
    storeUuid: root.storeUuid,
    shardCount: root.shardCount,
    slotCount: SLOT_COUNT,
    slotHash: SLOT_HASH_ID,
    slotMapEpoch: root.slotMapEpoch,
    slotRanges: root.slotRanges.map(({ first, last }) => [first, last]),
    ...(root.incoming && { incoming: true }),
  };
}

/** Checks the fields of a root file; `path` names it in errors. */
export function decodeRoot(fields: Record<string, unknown>, path: string): Root {
  const broken = (what: string) => new CorruptionError(what, { file: path, offset: 0 });
  const { version, storeUuid, shardCount, slotMapEpoch, slotCount, slotHash } = fields;
  if (fields['what'] !== 'stormkv root') throw broken('The file is not a root file');
  if (!isCount(version)) throw broken('The version is no number');
  if (version > ROOT_VERSION) {
    throw new StormError(
      'FAILED_PRECONDITION',
      `${path} has format version ${version}, this program knows versions up to ${ROOT_VERSION}: ` +
        'start a newer stormkv',
    );
  }
  if (slotCount !== SLOT_COUNT || slotHash !== SLOT_HASH_ID) {
    throw new StormError(
      'FAILED_PRECONDITION',
      `${path} spreads keys over ${String(slotCount)} slots by ${String(slotHash)}, this program ` +
        `over ${SLOT_COUNT} by ${SLOT_HASH_ID}: start the stormkv that wrote it`,
    );
  }
  if (typeof storeUuid !== 'string' || !UUID.test(storeUuid)) throw broken('The uuid is malformed');
  if (!isCount(slotMapEpoch) || slotMapEpoch < 1) throw broken('The epoch is malformed');
  const slotRanges = decodeRanges(fields['slotRanges']);
  if (slotRanges === undefined || slotRanges.length !== shardCount) {
    throw broken('The slot ranges do not give each slot to exactly one shard');
  }
  const { incoming } = fields;
  if (incoming !== undefined && incoming !== true) throw broken('"incoming" is malformed');
  return { storeUuid, shardCount, slotMapEpoch, slotRanges, ...(incoming && { incoming }) };
}

function decodeRanges(value: unknown): SlotRange[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const ranges: SlotRange[] = [];
  let next = 0;
  for (const pair of value) {
    if (!Array.isArray(pair) || pair.length !== 2) return undefined;
    const [first, last]: unknown[] = pair;
    if (first !== next || !isCount(last) || last < first) return undefined;
    ranges.push({ first, last });
    next = last + 1;
  }
  return next === SLOT_COUNT ? ranges : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function checkShardCount(dir: string, root: Root, wanted: number | undefined): void {
  if (wanted === undefined || wanted === root.shardCount) return;
  throw new StormError(
    'FAILED_PRECONDITION',
    `The data dir ${dir} has ${root.shardCount} shards, ${wanted} were asked for: start with ` +
      `--shards ${root.shardCount}, or rewrite it: stormkv reshard ${dir} --shards ${wanted}`,
  );
}

function checkFolders(fs: FileSystem, dir: string, root: Root): void {
  const present = new Set(fs.list(dir));
  for (let id = 0; id < root.shardCount; id++) {
    const name = shardDirName(shardId(id));
    if (present.delete(name) && fs.stat(`${dir}/${name}`)?.kind === 'directory') continue;
    throw new StormError(
      'FAILED_PRECONDITION',
      `${dir}/${name} is missing, but ${ROOT_FILE} names ${root.shardCount} shards: restore it ` +
        'from the backup that the other shards come from',
    );
  }
  // An empty one may stem from a creation that a crash cut short.
  const extra = [...present].find((name) => SHARD_DIR.test(name) && !isEmpty(fs, `${dir}/${name}`));
  if (extra === undefined) return;
  throw new StormError(
    'FAILED_PRECONDITION',
    `${dir}/${extra} holds data, but ${ROOT_FILE} names only ${root.shardCount} shards: restore ` +
      `the ${ROOT_FILE} it belongs to, or move the folder away`,
  );
}

/** Refuses a dir without ROOT that holds anything that only a store could have written. */
function refuseOrphans(fs: FileSystem, dir: string): void {
  if (fs.stat(dir) === undefined) return;
  const orphan = fs.list(dir).find((name) => {
    if (SHARD_DIR.test(name)) return !isEmpty(fs, `${dir}/${name}`);
    const { kind } = parseFileName(name);
    return kind !== 'temporary' && kind !== 'unknown';
  });
  if (orphan === undefined) return;
  throw new StormError(
    'FAILED_PRECONDITION',
    `${dir} has no ${ROOT_FILE} file, but ${orphan} holds data: restore ${ROOT_FILE} from a ` +
      'backup, or choose another data dir',
  );
}

function isEmpty(fs: FileSystem, path: string): boolean {
  return fs.stat(path)?.kind === 'directory' && fs.list(path).length === 0;
}

/**
 * Makes a directory and its parents, each durable in the one above before the next is made. For the
 * data dir itself, which must exist before it can be locked.
 */
export function makeDurableDir(fs: FileSystem, dir: string): void {
  const missing: string[] = [];
  let existing = dir;
  while (fs.stat(existing) === undefined) {
    missing.push(existing);
    existing = dirname(existing);
  }
  // An earlier attempt may have made this one and died before its sync.
  syncUnlessForbidden(fs, dirname(existing));
  for (const path of missing.reverse()) {
    fs.makeDir(path);
    fs.syncDir(dirname(path));
  }
}

function syncUnlessForbidden(fs: FileSystem, dir: string): void {
  try {
    fs.syncDir(dir);
  } catch (error) {
    // A directory that we may not open is none that we made.
    if (systemCodeOf(error) !== 'EACCES') throw error;
  }
}
