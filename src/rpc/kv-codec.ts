/**
 * Protobuf of the kv.Kv messages (proto/kv.proto), by hand, because a general decoder costs several
 * times as much. Keys and values come out as views of the message. As in any protobuf decoder,
 * unknown fields are skipped, a field that is given again replaces the earlier one, a known field
 * of another wire type counts as unknown, and absent means empty.
 */
import { StormError } from '../base/errors.js';

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const GROUP_START = 3;
const GROUP_END = 4;
const FIXED_32 = 5;
const GROUP_DEPTH_MAX = 16;
const EMPTY = new Uint8Array(0);

/** Field 1 (key) and field 2 (value) of a request; views of the message. */
export interface KvRequest {
  key: Uint8Array;
  value: Uint8Array;
}

/** Reads SetRequest, and GetRequest and DeleteRequest too, whose `value` no one looks at. */
export function decodeKvRequest(message: Uint8Array): KvRequest {
  return new Reader(message).readMessage();
}

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
  return decodeKvRequest(message).key;
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

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  readMessage(): KvRequest {
    const request: KvRequest = { key: EMPTY, value: EMPTY };
    while (this.#at < this.#bytes.length) {
      const tag = this.#readTag();
      if (tag === ((1 << 3) | LENGTH_DELIMITED)) request.key = this.#readBytes();
      else if (tag === ((2 << 3) | LENGTH_DELIMITED)) request.value = this.#readBytes();
      else this.#skip(tag, 0);
    }
    return request;
  }

  #readTag(): number {
    const start = this.#at;
    const tag = this.#readVarint();
    if (tag > 0xffff_ffff || tag >>> 3 === 0) throw malformed(start, 'no such field number');
    return tag;
  }

  #readBytes(): Uint8Array {
    const start = this.#at;
    const length = this.#readVarint();
    const from = this.#at;
    if (length > this.#bytes.length - from) {
      throw malformed(start, `a field of ${length} bytes reaches past the end`);
    }
    this.#at = from + length;
    return this.#bytes.subarray(from, from + length);
  }

  /** Up to ten bytes; beyond 2^53 inexact, which only matters for being too large. */
  #readVarint(): number {
    const start = this.#at;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw malformed(start, 'the message ends within a number');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw malformed(start, 'a number has more than ten bytes');
  }

  #skip(tag: number, depth: number): void {
    const start = this.#at;
    const wireType = tag & 7;
    if (wireType === VARINT) this.#readVarint();
    else if (wireType === LENGTH_DELIMITED) this.#readBytes();
    else if (wireType === FIXED_64) this.#at += 8;
    else if (wireType === FIXED_32) this.#at += 4;
    else if (wireType === GROUP_START) this.#skipGroup(tag, depth + 1);
    else throw malformed(start, wireType === GROUP_END ? 'a group ends twice' : 'no such type');
    if (this.#at > this.#bytes.length) throw malformed(start, 'the message ends within a number');
  }

  #skipGroup(startTag: number, depth: number): void {
    const start = this.#at;
    if (depth > GROUP_DEPTH_MAX) throw malformed(start, 'groups are nested too deep');
    for (;;) {
      const tag = this.#readTag();
      if ((tag & 7) !== GROUP_END) this.#skip(tag, depth);
      else if (tag >>> 3 === startTag >>> 3) return;
      else throw malformed(start, 'a group ends as another one');
    }
  }
}

function malformed(at: number, why: string): StormError {
  return new StormError('INVALID_ARGUMENT', `Malformed protobuf message at byte ${at}: ${why}`);
}
