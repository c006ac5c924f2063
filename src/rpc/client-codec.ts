/**
 * The client's side of kv.Kv's messages on many keys (proto/kv.proto): what batch-codec.ts is to
 * the server. Bytes are views of messages. Decoders throw INTERNAL or INVALID_ARGUMENT for what no
 * server of ours sends.
 */
import { StormError } from '../base/errors.js';
import { VersionConflict } from '../base/version-conflict.js';
import { bytesTag, numberTag, ProtoReader } from './proto-reader.js';
import { ProtoWriter } from './proto-writer.js';
import { codeOfStatus } from './status-map.js';

/** Room for the tag and length of the one field of a packed batch. */
const FIELD_HEADER_BYTES = 11;
const STATUS_ABORTED = 10;

export interface AnsweredError {
  /** Of the entry in its batch; 4294967295 = all of them. */
  index: number;
  /** A gRPC status code. */
  code: number;
  error: StormError;
}

export interface BatchAnswer {
  written: number;
  errors: AnsweredError[];
}

/** BatchSetRequest of an entry run, in the writer's bytes, or in bytes of its own. */
export function encodePackedBatch(
  run: Uint8Array,
  writer = new ProtoWriter(run.length + FIELD_HEADER_BYTES + 16),
): Buffer {
  writer.clear();
  writer.bytes(2, run);
  return writer.resultView();
}

/** BatchSetResponse. */
export function decodeBatchSetResponse(message: Uint8Array): BatchAnswer {
  const answer: BatchAnswer = { written: 0, errors: [] };
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === numberTag(1)) answer.written = reader.number();
    else if (reader.tag === bytesTag(2)) answer.errors.push(decodeEntryError(reader.bytes()));
    else reader.skip();
  }
  return answer;
}

function decodeEntryError(message: Uint8Array): AnsweredError {
  let index = 0;
  let code = 0;
  let text = '';
  let retryAfterMs = 0;
  let isUnknown = false;
  let version = 0;
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === numberTag(1)) index = reader.number();
    else if (reader.tag === numberTag(2)) code = reader.number();
    else if (reader.tag === bytesTag(3)) text = textOf(reader.bytes());
    else if (reader.tag === numberTag(4)) retryAfterMs = reader.number();
    else if (reader.tag === numberTag(5)) isUnknown = reader.number() !== 0;
    else if (reader.tag === numberTag(6)) version = reader.number();
    else reader.skip();
  }
  const isConflict = code === STATUS_ABORTED && version > 0;
  const outcome = isUnknown ? 'unknown' : 'not-applied';
  const hint = retryAfterMs > 0 ? { retryAfterMs } : {};
  const error = isConflict
    ? new VersionConflict(version)
    : new StormError(codeOfStatus(code), text, { outcome, ...hint });
  return { index, code, error };
}

/** BatchGetRequest; keys are UTF-8. */
export function encodeBatchGetRequest(keys: readonly Uint8Array[]): Buffer {
  const writer = new ProtoWriter(keys.length * 32 + 64);
  for (const key of keys) writer.message(1, key);
  return writer.resultView();
}

export interface FoundValue {
  /** A view of the message. */
  value: Uint8Array;
  version: number;
}

/** BatchGetResponse: in the order of the keys, undefined where a key has no value. */
export function decodeBatchGetResponse(message: Uint8Array): (FoundValue | undefined)[] {
  const results: (FoundValue | undefined)[] = [];
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) results.push(decodeGetResult(reader.bytes()));
    else reader.skip();
  }
  return results;
}

function decodeGetResult(message: Uint8Array): FoundValue | undefined {
  let value: Uint8Array = EMPTY;
  let isFound = false;
  let version = 0;
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) value = reader.bytes();
    else if (reader.tag === numberTag(2)) isFound = reader.number() !== 0;
    else if (reader.tag === numberTag(3)) version = reader.number();
    else reader.skip();
  }
  return isFound ? { value, version } : undefined;
}

const EMPTY = new Uint8Array(0);

export interface ConditionFields {
  ttlMs: number;
  ifAbsent: boolean;
  ifVersion: number;
}

/** SetRequest that asks for the version. */
export function encodeConditionalSet(
  key: Uint8Array,
  value: Uint8Array,
  { ttlMs, ifAbsent, ifVersion }: ConditionFields,
): Buffer {
  const writer = new ProtoWriter(key.length + value.length + 64);
  writer.bytes(1, key);
  writer.bytes(2, value);
  writer.number(3, ttlMs);
  writer.number(4, ifAbsent);
  writer.number(5, ifVersion);
  writer.number(6, true);
  return writer.resultView();
}

/** Above all field numbers in use; a higher one must not become the length of an array. */
const FIELDS_MAX = 64;

/** A message whose fields are numbers: field 1 comes first; absent ones are 0. */
export function decodeNumbers(message: Uint8Array): number[] {
  const numbers: number[] = [];
  const reader = new ProtoReader(message);
  while (reader.next()) {
    const field = reader.tag >>> 3;
    if (field <= FIELDS_MAX && reader.tag === numberTag(field)) {
      while (numbers.length < field) numbers.push(0);
      numbers[field - 1] = reader.number();
    } else {
      reader.skip();
    }
  }
  return numbers;
}

export interface ScanFields {
  from?: Uint8Array | undefined;
  to?: Uint8Array | undefined;
  prefix?: Uint8Array | undefined;
  reverse: boolean;
  keysOnly: boolean;
  limit: number;
  cursor: string;
}

/** ScanRequest. */
export function encodeScanRequest(fields: ScanFields): Buffer {
  const writer = new ProtoWriter(256);
  // Bounds and direction are the cursor's, where there is one.
  if (fields.cursor === '') {
    if (fields.from !== undefined) writer.bytes(1, fields.from);
    if (fields.to !== undefined) writer.bytes(2, fields.to);
    if (fields.prefix !== undefined) writer.bytes(3, fields.prefix);
    writer.number(4, fields.reverse);
  }
  writer.number(5, fields.limit);
  writer.number(7, fields.keysOnly);
  writer.text(8, fields.cursor);
  return writer.resultView();
}

export interface ScannedPage {
  entries: { key: string; value: Buffer; version: number }[];
  /** Empty when there is no more. */
  cursor: string;
  freshSnapshot: boolean;
}

/** ScanResponse; values are views of the message. */
export function decodeScanResponse(message: Buffer): ScannedPage {
  const page: ScannedPage = { entries: [], cursor: '', freshSnapshot: false };
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) page.entries.push(decodeScanEntry(reader.bytes()));
    else if (reader.tag === bytesTag(2)) page.cursor = textOf(reader.bytes());
    else if (reader.tag === numberTag(3)) page.freshSnapshot = reader.number() !== 0;
    else reader.skip();
  }
  return page;
}

function decodeScanEntry(message: Uint8Array): { key: string; value: Buffer; version: number } {
  const entry = { key: '', value: bufferOf(EMPTY), version: 0 };
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) entry.key = textOf(reader.bytes());
    else if (reader.tag === bytesTag(2)) entry.value = bufferOf(reader.bytes());
    else if (reader.tag === numberTag(3)) entry.version = reader.number();
    else reader.skip();
  }
  return entry;
}

function textOf(bytes: Uint8Array): string {
  return bufferOf(bytes).toString();
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
