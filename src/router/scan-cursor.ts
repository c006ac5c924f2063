/**
 * Where a scan can be taken up again, as text for clients to keep and give back: base64url of
 * msgpack. It holds no secret and grants nothing: whoever has it may scan anyway. The check only
 * tells apart what was cut or mistyped.
 *
 *   [1, reverse, from | nil, to | nil, key, [snapshot id | nil …], [shard …], slotMapEpoch], check
 *
 * `key` is the last one that was answered. A snapshot id of nil means that the shard has nothing
 * more; `shards` lists the shards that the scan reads, so that a cluster with another map of slots
 * begins anew with all of them.
 */
import { StormError } from '../base/errors.js';
import { hash32 } from '../base/hash.js';
import { decodeMessage, encodeMessage } from '../rpc/message-codec.js';
import type { KeyRange } from './key-range.js';

export interface ScanPosition extends KeyRange {
  reverse: boolean;
  lastKey: Uint8Array;
  /** In the order of `shards`; undefined = exhausted. */
  snapshotIds: readonly (number | undefined)[];
  shards: readonly number[];
  slotMapEpoch: number;
}

const CURSOR_FORMAT = 1;
const CHECK_SEED = 0x5c41;
const SHARDS_MAX = 4096;
/** Besides three keys: per shard a snapshot id and a number, and the rest. */
const OVERHEAD_BYTES_MAX = 64;
const SHARD_BYTES_MAX = 9 + 3;

export function encodeCursor(position: ScanPosition): string {
  const { reverse, from, to, lastKey, snapshotIds, shards, slotMapEpoch } = position;
  const ids = snapshotIds.map((id) => id ?? null);
  const bounds = [from ?? null, to ?? null];
  const fields = [CURSOR_FORMAT, reverse, ...bounds, lastKey, ids, shards, slotMapEpoch];
  const body = encodeMessage(fields);
  const bytes = Buffer.alloc(body.length + 4);
  bytes.set(body);
  bytes.writeUInt32BE(hash32(body, 0, body.length, CHECK_SEED), body.length);
  return bytes.toString('base64url');
}

/** Throws INVALID_ARGUMENT when the text is no cursor. */
export function decodeCursor(text: string, keyBytesMax: number, shardCount: number): ScanPosition {
  const bytesMax =
    3 * (keyBytesMax + 6) + Math.min(shardCount, SHARDS_MAX) * SHARD_BYTES_MAX + OVERHEAD_BYTES_MAX;
  if (text.length > Math.ceil((bytesMax * 4) / 3)) throw badCursor('it is too long');
  if (!/^[\w-]+$/.test(text)) throw badCursor('it has characters that none has');
  const bytes = Buffer.from(text, 'base64url');
  const length = bytes.length - 4;
  if (length < 1) throw badCursor('it is too short');
  if (bytes.readUInt32BE(length) !== hash32(bytes, 0, length, CHECK_SEED)) {
    throw badCursor('it was cut or changed');
  }
  const position = positionOf(fieldsOf(bytes, length), keyBytesMax);
  if (position === undefined) throw badCursor('it comes from another version');
  return position;
}

function fieldsOf(bytes: Uint8Array, length: number): unknown {
  try {
    return decodeMessage(bytes, 0, length);
  } catch {
    // Whatever is wrong with it: it has not come from us.
    return undefined;
  }
}

function positionOf(fields: unknown, keyBytesMax: number): ScanPosition | undefined {
  if (!Array.isArray(fields) || fields.length !== 8) return undefined;
  const [format, reverse, from, to, lastKey, ids, shards, slotMapEpoch] = fields as unknown[];
  const isKey = (value: unknown, max: number): value is Uint8Array =>
    value instanceof Uint8Array && value.length <= max;
  const isBound = (value: unknown): value is Uint8Array | null =>
    value === null || isKey(value, keyBytesMax);
  const isSound =
    format === CURSOR_FORMAT &&
    typeof reverse === 'boolean' &&
    isBound(from) &&
    isBound(to) &&
    isKey(lastKey, keyBytesMax) &&
    isUint(slotMapEpoch) &&
    isListOf(ids, (id) => id === null || isUint(id)) &&
    isListOf(shards, isUint) &&
    ids.length === shards.length;
  if (!isSound) return undefined;
  return {
    reverse,
    from: from ?? undefined,
    to: to ?? undefined,
    lastKey,
    snapshotIds: ids.map((id) => (id as number | null) ?? undefined),
    shards: shards as number[],
    slotMapEpoch,
  };
}

function isUint(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.length <= SHARDS_MAX && value.every(isItem);
}

function badCursor(why: string): StormError {
  return new StormError('INVALID_ARGUMENT', `The cursor cannot be used: ${why}; begin without it`);
}
