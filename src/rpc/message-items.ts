/**
 * What lies in the bins of MULTI_GET, VALUES and PAGE: msgpack sequences, written and read in
 * place.
 *
 *   keys of a MULTI_GET     bin key, …
 *   items of a VALUES       nil (no value), or cf u64 version and bin value; in the keys' order
 *   items of a PAGE         bin key, bin value, cf u64 version     an entry
 *                           bin key, nil,       cf u64 version     an entry of a scan of keys only
 *                           either with cf u64 expiresAtMs behind  an entry that expires
 *                           bin key, false                         no entry: the scan goes on here
 *
 * The last is how a page tells that it looked at many deleted keys: it ends a page that is not the
 * last, names the key, inclusive in either direction, at which the next page begins, and lets even
 * a page without entries make progress. Without it the next page begins behind the last entry.
 *
 * The encoders write into scratch bytes and return the offset behind what they wrote; the room was
 * made sure of with the length functions.
 */
import { StormError } from '../base/errors.js';
import { BIN_8, BIN_16, BIN_32, FALSE, NIL, UINT_64, UINT_64_BYTES } from './message-bytes.js';

export const MISSING_ITEM_BYTES = 1;

/** Bytes that `putKeyItem` takes. */
export const keyItemLength = (keyLength: number): number => binLength(keyLength);
/** Bytes that `putValueItem` takes. */
export const valueItemLength = (length: number): number => UINT_64_BYTES + binLength(length);
/** Bytes that `putPageItem` takes. */
export const pageItemLength = (keyLength: number, valueLength: number): number =>
  binLength(keyLength) + binLength(valueLength) + UINT_64_BYTES;
/** Bytes that `putPageKey` takes. */
export const pageKeyLength = (keyLength: number): number =>
  binLength(keyLength) + 1 + UINT_64_BYTES;
/** Bytes that `putPageExpiry` takes. */
export const PAGE_EXPIRY_BYTES = UINT_64_BYTES;
/** Bytes that `putPageMark` takes. */
export const pageMarkLength = (keyLength: number): number => binLength(keyLength) + 1;

/** A key to get. */
export function putKeyItem(target: Uint8Array, at: number, key: Uint8Array): number {
  return putBin(target, at, key, 0, key.length);
}

/** A value that was asked for. */
export function putValueItem(
  target: Uint8Array,
  at: number,
  sequence: number,
  valueBytes: Uint8Array,
  valueStart: number,
  valueLength: number,
): number {
  const end = putVersion(target, at, sequence);
  return putBin(target, end, valueBytes, valueStart, valueLength);
}

/** A key that was asked for and has no value. */
export function putMissingItem(target: Uint8Array, at: number): number {
  target[at] = NIL;
  return at + 1;
}

/** An entry of a page. */
export function putPageItem(
  target: Uint8Array,
  at: number,
  keyBytes: Uint8Array,
  keyStart: number,
  keyLength: number,
  valueBytes: Uint8Array,
  valueStart: number,
  valueLength: number,
  sequence: number,
): number {
  const keyEnd = putBin(target, at, keyBytes, keyStart, keyLength);
  return putVersion(target, putBin(target, keyEnd, valueBytes, valueStart, valueLength), sequence);
}

/** An entry of a page of keys only. */
export function putPageKey(
  target: Uint8Array,
  at: number,
  keyBytes: Uint8Array,
  keyStart: number,
  keyLength: number,
  sequence: number,
): number {
  const keyEnd = putBin(target, at, keyBytes, keyStart, keyLength);
  target[keyEnd] = NIL;
  return putVersion(target, keyEnd + 1, sequence);
}

/** When the entry before it expires: wall time in ms. Left out for one that never does. */
export function putPageExpiry(target: Uint8Array, at: number, expiresAtMs: number): number {
  return putVersion(target, at, expiresAtMs);
}

/** Where the next page begins; the last item of a page. */
export function putPageMark(
  target: Uint8Array,
  at: number,
  keyBytes: Uint8Array,
  keyStart: number,
  keyLength: number,
): number {
  const keyEnd = putBin(target, at, keyBytes, keyStart, keyLength);
  target[keyEnd] = FALSE;
  return keyEnd + 1;
}

/**
 * Reads any of the sequences in place, without allocating. The caller knows which one it is and
 * calls the `next…` of it; malformed bytes throw INTERNAL.
 */
export class ItemReader {
  bytes: Uint8Array = EMPTY;
  keyStart = 0;
  keyLength = 0;
  /** Without a value: a missing key, or a page of keys only. */
  hasValue = false;
  valueStart = 0;
  valueLength = 0;
  sequence = 0;
  /** Of a page item: wall time in ms; 0 = never expires. */
  expiresAtMs = 0;
  /** The page item is no entry but the place where the next page begins. */
  isMark = false;
  #at = 0;
  #end = 0;

  reset(bytes: Uint8Array, start: number, length: number): void {
    this.bytes = bytes;
    this.#at = start;
    this.#end = start + length;
  }

  /** The next key of a MULTI_GET; false at the end. */
  nextKey(): boolean {
    if (this.#at === this.#end) return false;
    this.#readKey();
    return true;
  }

  /** The next item of a VALUES; false at the end. */
  nextValue(): boolean {
    if (this.#at === this.#end) return false;
    this.hasValue = this.bytes[this.#at] !== NIL;
    if (this.hasValue) {
      this.sequence = this.#readUint64();
      this.#readValue();
    } else this.#at++;
    return true;
  }

  /** The next item of a PAGE; false at the end. */
  nextEntry(): boolean {
    if (this.#at === this.#end) return false;
    this.#readKey();
    if (this.#at === this.#end) throw malformedItem();
    const tag = this.bytes[this.#at]!;
    this.isMark = tag === FALSE;
    this.hasValue = tag !== FALSE && tag !== NIL;
    if (this.hasValue) this.#readValue();
    else this.#at++;
    if (this.isMark && this.#at !== this.#end) throw malformedItem();
    if (this.isMark) return true;
    this.sequence = this.#readUint64();
    // Whatever follows begins with a key: this tag can mean nothing else.
    const expires = this.#at < this.#end && this.bytes[this.#at] === UINT_64;
    this.expiresAtMs = expires ? this.#readUint64() : 0;
    return true;
  }

  #readKey(): void {
    this.keyLength = this.#readBinLength();
    this.keyStart = this.#at;
    this.#at += this.keyLength;
  }

  #readValue(): void {
    this.valueLength = this.#readBinLength();
    this.valueStart = this.#at;
    this.#at += this.valueLength;
  }

  #readUint64(): number {
    const at = this.#at;
    if (this.#end - at < UINT_64_BYTES || this.bytes[at] !== UINT_64) throw malformedItem();
    const value = this.#uint(at + 1, 4) * 2 ** 32 + this.#uint(at + 5, 4);
    if (!Number.isSafeInteger(value)) throw malformedItem();
    this.#at = at + UINT_64_BYTES;
    return value;
  }

  /** Moves behind the header of a bin; its content is known to lie within the sequence. */
  #readBinLength(): number {
    const at = this.#at;
    const tag = at < this.#end ? this.bytes[at]! : -1;
    const width = tag === BIN_8 ? 1 : tag === BIN_16 ? 2 : tag === BIN_32 ? 4 : 0;
    if (width === 0 || this.#end - at < 1 + width) throw malformedItem();
    const length = this.#uint(at + 1, width);
    this.#at = at + 1 + width;
    if (length > this.#end - this.#at) throw malformedItem();
    return length;
  }

  #uint(at: number, width: number): number {
    let value = 0;
    for (let i = at; i < at + width; i++) value = value * 256 + this.bytes[i]!;
    return value;
  }
}

const EMPTY = new Uint8Array(0);

function binLength(length: number): number {
  return length + (length < 0x100 ? 2 : length < 0x1_0000 ? 3 : 5);
}

function putBin(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  length: number,
): number {
  let to = at;
  if (length < 0x100) target[to++] = BIN_8;
  else if (length < 0x1_0000) {
    target[to++] = BIN_16;
    target[to++] = length >>> 8;
  } else {
    target[to++] = BIN_32;
    target[to++] = length >>> 24;
    target[to++] = (length >>> 16) & 0xff;
    target[to++] = (length >>> 8) & 0xff;
  }
  target[to++] = length & 0xff;
  target.set(source.subarray(start, start + length), to);
  return to + length;
}

function putVersion(target: Uint8Array, at: number, sequence: number): number {
  target[at] = UINT_64;
  let high = Math.floor(sequence / 2 ** 32);
  let low = sequence >>> 0;
  for (let i = 4; i >= 1; i--) {
    target[at + i] = high & 0xff;
    target[at + 4 + i] = low & 0xff;
    high >>>= 8;
    low >>>= 8;
  }
  return at + UINT_64_BYTES;
}

function malformedItem(): StormError {
  return new StormError('INTERNAL', 'Malformed items of a message', { outcome: 'unknown' });
}
