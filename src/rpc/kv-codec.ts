/**
 * Protobuf of the kv.Kv messages (proto/kv.proto), by hand, because a general decoder costs several
 * times as much. Keys and values come out as views of the message. As in any protobuf decoder,
 * unknown fields are skipped, a field that is given again replaces the earlier one, a known field
 * of another wire type counts as unknown, and absent means empty.
 */
import { bytesTag, numberTag, ProtoReader } from './proto-reader.js';

const EMPTY = new Uint8Array(0);

/** Key and value are views of the message. Numbers of 2^53 and more are not exact. */
export interface SetRequest {
  key: Uint8Array;
  value: Uint8Array;
  ttlMs: number;
  ifAbsent: boolean;
  /** 0 = whatever it has. */
  ifVersion: number;
  wantVersion: boolean;
}

export function decodeSetRequest(message: Uint8Array): SetRequest {
  const request: SetRequest = {
    key: EMPTY,
    value: EMPTY,
    ttlMs: 0,
    ifAbsent: false,
    ifVersion: 0,
    wantVersion: false,
  };
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === KEY_TAG) request.key = reader.bytes();
    else if (reader.tag === VALUE_TAG) request.value = reader.bytes();
    else if (reader.tag === numberTag(3)) request.ttlMs = reader.number();
    else if (reader.tag === numberTag(4)) request.ifAbsent = reader.number() !== 0;
    else if (reader.tag === numberTag(5)) request.ifVersion = reader.number();
    else if (reader.tag === numberTag(6)) request.wantVersion = reader.number() !== 0;
    else reader.skip();
  }
  return request;
}

/** A key, and in field 2 a number: want_version, if_version, ttl_ms, dry_run. */
export interface KeyRequest {
  key: Uint8Array;
  number: number;
}

/** GetRequest, DeleteRequest, ExpireRequest, TtlRequest, DeletePrefixRequest. */
export function decodeKeyRequest(message: Uint8Array): KeyRequest {
  const request: KeyRequest = { key: EMPTY, number: 0 };
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === KEY_TAG) request.key = reader.bytes();
    else if (reader.tag === numberTag(2)) request.number = reader.number();
    else reader.skip();
  }
  return request;
}

const KEY_TAG = bytesTag(1);
const VALUE_TAG = bytesTag(2);

/** GetResponse. */
export function encodeGetResponse(value: Uint8Array): Buffer {
  return encodeFields(EMPTY, value, 0x0a);
}

/** SetRequest. */
export function encodeSetRequest(key: Uint8Array, value: Uint8Array): Buffer {
  return encodeFields(key, value, 0x12);
}

/** GetRequest and DeleteRequest. */
export function encodeKeyRequest(key: Uint8Array): Buffer {
  return encodeFields(key, EMPTY, 0x12);
}

/** The value of a GetResponse; a view of the message. */
export function decodeGetResponse(message: Uint8Array): Uint8Array {
  return decodeKeyRequest(message).key;
}

/** Field 1 from `first`, then another field from `second`; empty fields are left out. */
function encodeFields(first: Uint8Array, second: Uint8Array, secondTag: number): Buffer {
  const target = Buffer.allocUnsafe(fieldLength(first.length) + fieldLength(second.length));
  writeField(target, writeField(target, 0, 0x0a, first), secondTag, second);
  return target;
}

function fieldLength(length: number): number {
  if (length === 0) return 0;
  let bytes = 2 + length;
  for (let rest = length; rest > 0x7f; rest >>>= 7) bytes++;
  return bytes;
}

function writeField(target: Buffer, at: number, tag: number, content: Uint8Array): number {
  if (content.length === 0) return at;
  target[at] = tag;
  let next = at + 1;
  let rest = content.length;
  for (; rest > 0x7f; rest >>>= 7) target[next++] = (rest & 0x7f) | 0x80;
  target[next++] = rest;
  target.set(content, next);
  return next + content.length;
}
