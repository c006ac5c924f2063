/**
 * The entry run: how writes travel and rest. One byte format number, then entries without gaps, all
 * of it a msgpack sequence that any decoder reads (docs/formats/entry-run.md). The same bytes go
 * from the door through the ring into the WAL frame; nothing decodes and encodes them again.
 *
 * Entry = `bin key`, then one of
 *   `bin value`                        put
 *   `nil`                              delete
 *   `ext 1: u64 ttl in ms, value`      put that expires; absolute time = commit time + ttl
 * ext types 2 (range delete) and 3 (a client's request id) are reserved and refused.
 */
import { isUtf8 } from 'node:buffer';
import { StormError } from './errors.js';

export const RUN_FORMAT = 0;
export const RUN_HEADER_BYTES = 1;
export const EXT_EXPIRING_VALUE = 1;
const TTL_BYTES = 8;
/** ext 32 header and duration, before the value. */
const EXPIRING_HEADER_BYTES = 6 + TTL_BYTES;
/** Room for the longest headers of one entry: key header, ext header, duration. */
export const ENTRY_OVERHEAD_BYTES_MAX = 5 + EXPIRING_HEADER_BYTES;

const NIL = 0xc0;
const BIN_8 = 0xc4;
const BIN_16 = 0xc5;
const BIN_32 = 0xc6;
const EXT_8 = 0xc7;
const EXT_16 = 0xc8;
const EXT_32 = 0xc9;
const FIXEXT_8 = 0xd7;
const FIXEXT_16 = 0xd8;

export interface EntryLimits {
  keyBytesMax: number;
  valueBytesMax: number;
}

/**
 * Reads a run in place, without allocating: after `next()` returned true the fields tell where the
 * entry's parts lie. Malformed bytes throw INVALID_ARGUMENT; content limits are `checkEntry`'s.
 */
export class RunReader {
  bytes: Uint8Array = EMPTY;
  /** Where the entry begins and where the next one would. */
  entryStart = 0;
  entryEnd = 0;
  keyStart = 0;
  keyLength = 0;
  isDelete = false;
  valueStart = 0;
  valueLength = 0;
  /** Duration until expiry in ms; 0 = never. */
  ttlMs = 0;
  /** Entries read so far. */
  count = 0;
  #end = 0;

  /** Starts reading the run at [start, start + length), format number included. */
  reset(bytes: Uint8Array, start: number, length: number): void {
    if (length < RUN_HEADER_BYTES || bytes[start] !== RUN_FORMAT) {
      const found = length < 1 ? 'nothing' : `format ${bytes[start]}`;
      throw malformed(`it must begin with format ${RUN_FORMAT}: found ${found}`);
    }
    this.bytes = bytes;
    this.entryStart = this.entryEnd = start + RUN_HEADER_BYTES;
    this.#end = start + length;
    this.count = 0;
  }

  /** Moves to the next entry; false at the end of the run. */
  next(): boolean {
    if (this.entryEnd === this.#end) return false;
    this.entryStart = this.entryEnd;
    const afterKey = this.#readKey(this.entryStart);
    this.entryEnd = this.#readValue(afterKey);
    this.count++;
    return true;
  }

  #readKey(at: number): number {
    const tag = at < this.#end ? this.bytes[at]! : -1;
    const header = tag === BIN_8 ? 2 : tag === BIN_16 ? 3 : tag === BIN_32 ? 5 : 0;
    if (header === 0) throw this.#broken(at, 'a key must be msgpack bin');
    this.#need(at, header);
    this.keyLength = this.#uint(at + 1, header - 1);
    this.keyStart = at + header;
    this.#need(this.keyStart, this.keyLength);
    return this.keyStart + this.keyLength;
  }

  #readValue(at: number): number {
    const tag = at < this.#end ? this.bytes[at]! : -1;
    this.ttlMs = 0;
    this.isDelete = tag === NIL;
    if (tag === NIL) {
      this.valueStart = at + 1;
      this.valueLength = 0;
      return at + 1;
    }
    const header = tag === BIN_8 ? 2 : tag === BIN_16 ? 3 : tag === BIN_32 ? 5 : 0;
    if (header === 0) return this.#readExpiring(at, tag);
    this.#need(at, header);
    this.valueLength = this.#uint(at + 1, header - 1);
    this.valueStart = at + header;
    this.#need(this.valueStart, this.valueLength);
    return this.valueStart + this.valueLength;
  }

  #readExpiring(at: number, tag: number): number {
    let lengthBytes = -1;
    let length = 0;
    if (tag === FIXEXT_8) lengthBytes = 0;
    else if (tag === FIXEXT_16) lengthBytes = 0;
    else if (tag === EXT_8) lengthBytes = 1;
    else if (tag === EXT_16) lengthBytes = 2;
    else if (tag === EXT_32) lengthBytes = 4;
    if (lengthBytes < 0) throw this.#broken(at, 'a value must be msgpack bin, nil or ext 1');
    this.#need(at, 2 + lengthBytes);
    if (lengthBytes === 0) length = tag === FIXEXT_8 ? 8 : 16;
    else length = this.#uint(at + 1, lengthBytes);
    const type = this.bytes[at + 1 + lengthBytes]!;
    const payload = at + 2 + lengthBytes;
    this.#need(payload, length);
    if (type !== EXT_EXPIRING_VALUE || length < TTL_BYTES) {
      throw this.#broken(at, `ext type ${type} of ${length} bytes is not known`);
    }
    this.ttlMs = this.#uint(payload, 4) * 2 ** 32 + this.#uint(payload + 4, 4);
    if (this.ttlMs === 0 || this.ttlMs > TTL_MS_MAX) {
      throw this.#broken(at, `a time to live must be 1 to ${TTL_MS_MAX} ms: found ${this.ttlMs}`);
    }
    this.valueStart = payload + TTL_BYTES;
    this.valueLength = length - TTL_BYTES;
    return payload + length;
  }

  #uint(at: number, bytes: number): number {
    const b = this.bytes;
    if (bytes === 1) return b[at]!;
    if (bytes === 2) return (b[at]! << 8) | b[at + 1]!;
    return ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0;
  }

  #need(at: number, length: number): void {
    if (length > this.#end - at) throw this.#broken(at, 'the run ends within an entry');
  }

  #broken(at: number, why: string): StormError {
    return malformed(`entry ${this.count} at byte ${at}: ${why}`);
  }
}

const EMPTY = new Uint8Array(0);
/** A thousand years: far below 2^53 when added to a wall time. */
export const TTL_MS_MAX = 31_556_952_000_000;

function malformed(why: string): StormError {
  return new StormError('INVALID_ARGUMENT', `Malformed entry run: ${why}`);
}

/** Refuses a key that is empty, too long or not UTF-8. */
export function checkKey(
  bytes: Uint8Array,
  start: number,
  length: number,
  limits: EntryLimits,
): void {
  if (length === 0) throw new StormError('INVALID_ARGUMENT', 'The key must not be empty');
  if (length > limits.keyBytesMax) {
    throw new StormError(
      'INVALID_ARGUMENT',
      `The key must be at most ${limits.keyBytesMax} bytes (limits.keyBytesMax): it has ${length}`,
    );
  }
  if (!isValidUtf8(bytes, start, length)) {
    throw new StormError('INVALID_ARGUMENT', 'The key must be valid UTF-8');
  }
}

/** Refuses a value that is too long. */
export function checkValue(length: number, limits: EntryLimits): void {
  if (length <= limits.valueBytesMax) return;
  throw new StormError(
    'INVALID_ARGUMENT',
    `The value must be at most ${limits.valueBytesMax} bytes (limits.valueBytesMax): ` +
      `it has ${length}`,
  );
}

/** Refuses a time to live that is not a whole number from 1 to `TTL_MS_MAX`. */
export function checkTtl(ttlMs: number): void {
  if (Number.isSafeInteger(ttlMs) && ttlMs >= 1 && ttlMs <= TTL_MS_MAX) return;
  throw new StormError(
    'INVALID_ARGUMENT',
    `The time to live must be 1 to ${TTL_MS_MAX} ms: it is ${ttlMs}`,
  );
}

function isValidUtf8(bytes: Uint8Array, start: number, length: number): boolean {
  // Nearly all keys are ASCII, which this loop proves cheaper than a native call.
  const end = start + length;
  for (let i = start; i < end; i++) {
    if (bytes[i]! >= 0x80) return isUtf8(bytes.slice(start, end));
  }
  return true;
}

/** Bytes that `writePut` takes, shortest headers. */
export function putLength(keyLength: number, valueLength: number): number {
  return binHeaderLength(keyLength) + keyLength + binHeaderLength(valueLength) + valueLength;
}

/** Bytes that `writeExpiringPut` takes. */
export function expiringPutLength(keyLength: number, valueLength: number): number {
  return binHeaderLength(keyLength) + keyLength + EXPIRING_HEADER_BYTES + valueLength;
}

/** Bytes that `writeDelete` takes. */
export function deleteLength(keyLength: number): number {
  return binHeaderLength(keyLength) + keyLength + 1;
}

/** Writes a put at `at`; returns the offset behind it. `target` must have the room. */
export function writePut(
  target: Uint8Array,
  at: number,
  key: Uint8Array,
  value: Uint8Array,
): number {
  return writeBin(target, writeBin(target, at, key), value);
}

/** Writes a delete at `at`; returns the offset behind it. */
export function writeDelete(target: Uint8Array, at: number, key: Uint8Array): number {
  const end = writeBin(target, at, key);
  target[end] = NIL;
  return end + 1;
}

/** Writes a put that expires `ttlMs` after its commit; returns the offset behind it. */
export function writeExpiringPut(
  target: Uint8Array,
  at: number,
  key: Uint8Array,
  value: Uint8Array,
  ttlMs: number,
): number {
  const header = writeBin(target, at, key);
  const length = TTL_BYTES + value.length;
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  target[header] = EXT_32;
  view.setUint32(header + 1, length);
  target[header + 5] = EXT_EXPIRING_VALUE;
  view.setUint32(header + 6, Math.floor(ttlMs / 2 ** 32));
  view.setUint32(header + 10, ttlMs >>> 0);
  target.set(value, header + 14);
  return header + 6 + length;
}

function binHeaderLength(length: number): number {
  return length < 0x100 ? 2 : length < 0x10000 ? 3 : 5;
}

function writeBin(target: Uint8Array, at: number, content: Uint8Array): number {
  const length = content.length;
  let body = at + 2;
  if (length < 0x100) {
    target[at] = BIN_8;
    target[at + 1] = length;
  } else if (length < 0x10000) {
    target[at] = BIN_16;
    target[at + 1] = length >>> 8;
    target[at + 2] = length & 0xff;
    body = at + 3;
  } else {
    target[at] = BIN_32;
    target[at + 1] = length >>> 24;
    target[at + 2] = (length >>> 16) & 0xff;
    target[at + 3] = (length >>> 8) & 0xff;
    target[at + 4] = length & 0xff;
    body = at + 5;
  }
  target.set(content, body);
  return body + length;
}
