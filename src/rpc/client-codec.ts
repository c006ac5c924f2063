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

/** BatchSetRequest of an entry run, in bytes of its own. */
export function encodePackedBatch(run: Uint8Array): Buffer {
  const writer = new ProtoWriter(run.length + FIELD_HEADER_BYTES + 16);
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
    else if (reader.tag === bytesTag(3)) text = Buffer.from(reader.bytes()).toString();
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
