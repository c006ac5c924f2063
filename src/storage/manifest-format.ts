/**
 * What a shard's manifest records; the document is docs/formats/manifest.md. An edit is a JSON
 * object in a frame of type FRAME_EDIT: edits are rare (one per flush or merge), and a log that a
 * person can read is worth more here than bytes saved. Keys are base64.
 */
import { CorruptionError, StormError } from '../base/errors.js';
import { fileNumber } from '../base/ids.js';
import type { TableMeta } from '../base/table-meta.js';

export const MANIFEST_VERSION = 0;

/** A table with its place: tables of one sorted run share `run` and have disjoint key ranges. */
export interface PlacedTable extends TableMeta {
  run: number;
}

export interface ManifestEdit {
  /** Only in the first edit of a file, which describes the whole state. */
  snapshot?: { version: number; shard: number; storeUuid: string; ownerEpoch: number };
  /** File and run numbers below this may have been handed out; they are never used again. */
  nextNumber?: number;
  /** Every write at or below is in tables. */
  flushedSequence?: number;
  /**
   * Every write at or below was durable, in tables or in the WAL, when the edit was made: the
   * witness by which the loss of whole WAL segments is noticed.
   */
  durableSequence?: number;
  /** The oldest WAL segment that still matters. */
  minSegment?: number;
  add?: PlacedTable[];
  remove?: number[];
  /** Tables that are damaged and out of service from now on; they stay until they are removed. */
  damaged?: number[];
  /** Order of the runs after this edit, newest first. */
  runs?: number[];
}

export function encodeEdit(edit: ManifestEdit): Uint8Array {
  const base64 = (key: Uint8Array): string => Buffer.from(key).toString('base64');
  const add = edit.add?.map((t) => ({ ...t, minKey: base64(t.minKey), maxKey: base64(t.maxKey) }));
  return Buffer.from(JSON.stringify(add === undefined ? edit : { ...edit, add }));
}

/** Decodes an edit whose frame checksum held; anything unexpected is a corruption. */
export function decodeEdit(payload: Uint8Array, file: string, offset: number): ManifestEdit {
  const broken = (why: string, cause?: unknown): CorruptionError =>
    new CorruptionError(`The manifest edit is malformed: ${why}`, { file, offset }, cause);
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(payload).toString('utf8'));
  } catch (error) {
    throw broken('not JSON', error);
  }
  if (!isRecord(parsed)) throw broken('not an object');
  const edit: ManifestEdit = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (name === 'snapshot') edit.snapshot = decodeSnapshot(value, file, broken);
    else if (isCounter(name)) edit[name] = integer(value, name, broken);
    else if (name === 'add') edit.add = list(value, name, broken).map((t) => table(t, broken));
    else if (name === 'remove' || name === 'runs' || name === 'damaged') {
      edit[name] = list(value, name, broken).map((n) => integer(n, name, broken));
    } else throw broken(`unknown field ${name}`);
  }
  return edit;
}

const COUNTERS = ['nextNumber', 'flushedSequence', 'durableSequence', 'minSegment'] as const;

function isCounter(name: string): name is (typeof COUNTERS)[number] {
  return (COUNTERS as readonly string[]).includes(name);
}

type Broken = (why: string) => CorruptionError;

function decodeSnapshot(
  value: unknown,
  file: string,
  broken: Broken,
): ManifestEdit['snapshot'] & {} {
  if (!isRecord(value)) throw broken('snapshot is not an object');
  const version = integer(value['version'], 'version', broken);
  if (version !== MANIFEST_VERSION) {
    throw new StormError(
      'FAILED_PRECONDITION',
      `${file} has manifest format version ${version}, this program reads ${MANIFEST_VERSION}: ` +
        'use the program version that wrote it',
    );
  }
  const storeUuid = value['storeUuid'];
  if (typeof storeUuid !== 'string') throw broken('storeUuid is not a string');
  return {
    version,
    shard: integer(value['shard'], 'shard', broken),
    storeUuid,
    ownerEpoch: integer(value['ownerEpoch'], 'ownerEpoch', broken),
  };
}

function table(value: unknown, broken: Broken): PlacedTable {
  if (!isRecord(value)) throw broken('a table is not an object');
  const int = (name: string): number => integer(value[name], name, broken);
  const bytes = (name: string): Uint8Array => {
    const text = value[name];
    if (typeof text !== 'string') throw broken(`${name} is not base64`);
    return new Uint8Array(Buffer.from(text, 'base64'));
  };
  return {
    number: fileNumber(int('number')),
    run: int('run'),
    sizeBytes: int('sizeBytes'),
    crc32: int('crc32'),
    entryCount: int('entryCount'),
    tombstoneCount: int('tombstoneCount'),
    minKey: bytes('minKey'),
    maxKey: bytes('maxKey'),
    minSequence: int('minSequence'),
    maxSequence: int('maxSequence'),
    minExpiresAtMs: int('minExpiresAtMs'),
    maxExpiresAtMs: int('maxExpiresAtMs'),
    immortalCount: int('immortalCount'),
  };
}

function integer(value: unknown, name: string, broken: Broken): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw broken(`${name} is not a non-negative integer`);
  }
  return value;
}

function list(value: unknown, name: string, broken: Broken): unknown[] {
  if (!Array.isArray(value)) throw broken(`${name} is not a list`);
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
