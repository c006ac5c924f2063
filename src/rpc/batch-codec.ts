/** Protobuf of the messages of kv.Kv on many keys (proto/kv.proto). Bytes are views of messages. */
import { TTL_MS_MAX } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import { RunBuilder } from '../base/run-builder.js';
import { VersionConflict } from '../base/version-conflict.js';
import { decodeSetRequest } from './kv-codec.js';
import type {
  Batch,
  BatchSetResult,
  EntryError,
  GetResult,
  ScanPage,
  ScanRequest,
} from './kv-operations.js';
import { bytesTag, numberTag, ProtoReader } from './proto-reader.js';
import { ProtoWriter } from './proto-writer.js';
import { GRPC_STATUS_OF } from './status-map.js';
import type { Condition } from './write-messages.js';

/** Throws INVALID_ARGUMENT. */
export function decodeBatchSetRequest(message: Uint8Array): Batch {
  // A packed batch needs neither of them.
  let builder: RunBuilder | undefined;
  const conditions: Condition[] = [];
  let packed: Uint8Array | undefined;
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) {
      builder ??= new RunBuilder();
      addEntry(reader.bytes(), builder, conditions);
    } else if (reader.tag === bytesTag(2)) packed = reader.bytes();
    else reader.skip();
  }
  const isPacked = packed !== undefined && packed.length > 0;
  if (!isPacked || packed === undefined) {
    return { run: (builder ?? new RunBuilder()).runView(), conditions };
  }
  if (builder !== undefined) {
    const text = 'A batch has either `entries` or `packed`, not both';
    throw new StormError('INVALID_ARGUMENT', text);
  }
  return { run: packed };
}

function addEntry(message: Uint8Array, builder: RunBuilder, conditions: Condition[]): void {
  const request = decodeSetRequest(message);
  const index = builder.count;
  if (request.ttlMs > TTL_MS_MAX) {
    const text = `Entry ${index}: ttl_ms must be at most ${TTL_MS_MAX}: it is ${request.ttlMs}`;
    throw new StormError('INVALID_ARGUMENT', text);
  }
  const version = conditionOf(request.ifAbsent, request.ifVersion);
  if (version !== undefined) conditions.push({ index, version });
  builder.put(request.key, request.value, request.ttlMs);
}

/** The version that a request's conditions ask for; 0 = absent, undefined = any. */
export function conditionOf(ifAbsent: boolean, ifVersion: number): number | undefined {
  if (ifAbsent && ifVersion !== 0) {
    const text = 'Give either if_absent or if_version: no key has a version and no value';
    throw new StormError('INVALID_ARGUMENT', text);
  }
  return ifAbsent ? 0 : ifVersion === 0 ? undefined : ifVersion;
}

export function encodeBatchSetResponse({ written, errors }: BatchSetResult): Buffer {
  const writer = new ProtoWriter();
  const entry = new ProtoWriter();
  writer.number(1, written);
  for (const error of errors) {
    entry.clear();
    writeEntryError(entry, error);
    writer.message(2, entry.resultView());
  }
  return writer.resultView();
}

function writeEntryError(writer: ProtoWriter, { index, error }: EntryError): void {
  writer.number(1, index);
  writer.number(2, GRPC_STATUS_OF[error.code]);
  writer.text(3, error.message);
  writer.number(4, Math.min(Math.ceil(error.retryAfterMs ?? 0), 0xffff_ffff));
  writer.number(5, error.outcome === 'unknown');
  writer.number(6, error instanceof VersionConflict ? error.version : 0);
}

export function decodeBatchGetRequest(message: Uint8Array): Uint8Array[] {
  const keys: Uint8Array[] = [];
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) keys.push(reader.bytes());
    else reader.skip();
  }
  return keys;
}

export function encodeBatchGetResponse(results: readonly (GetResult | undefined)[]): Buffer {
  const writer = new ProtoWriter(4096);
  const entry = new ProtoWriter();
  for (const result of results) {
    entry.clear();
    if (result !== undefined) {
      entry.bytes(1, result.value);
      entry.number(2, true);
      entry.number(3, result.sequence);
    }
    writer.message(1, entry.resultView());
  }
  return writer.resultView();
}

export function decodeScanRequest(message: Uint8Array): ScanRequest {
  const request: ScanRequest = {};
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) request.from = reader.bytes();
    else if (reader.tag === bytesTag(2)) request.to = reader.bytes();
    else if (reader.tag === bytesTag(3)) request.prefix = reader.bytes();
    else if (reader.tag === numberTag(4)) request.reverse = reader.number() !== 0;
    else if (reader.tag === numberTag(5)) request.limit = reader.number();
    else if (reader.tag === numberTag(6)) request.bytesMax = reader.number();
    else if (reader.tag === numberTag(7)) request.keysOnly = reader.number() !== 0;
    else if (reader.tag === bytesTag(8)) request.cursor = Buffer.from(reader.bytes()).toString();
    else reader.skip();
  }
  return request;
}

export function encodeScanResponse({ entries, cursor = '', freshSnapshot }: ScanPage): Buffer {
  const writer = new ProtoWriter(4096);
  const entry = new ProtoWriter();
  for (const { key, value, version, expiresAtMs = 0 } of entries) {
    entry.clear();
    entry.bytes(1, key);
    if (value !== undefined) entry.bytes(2, value);
    entry.number(3, version);
    entry.number(4, expiresAtMs);
    writer.message(1, entry.resultView());
  }
  writer.text(2, cursor);
  writer.number(3, freshSnapshot);
  return writer.resultView();
}
