/**
 * Reads protobuf messages field by field, in place. As in any protobuf decoder, unknown fields are
 * skipped, and a known field of another wire type counts as unknown.
 */
import { StormError } from '../base/errors.js';

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const GROUP_START = 3;
const GROUP_END = 4;
const FIXED_32 = 5;
const GROUP_DEPTH_MAX = 16;

/** The tag of a string, bytes or message field. */
export const bytesTag = (field: number): number => (field << 3) | LENGTH_DELIMITED;
/** The tag of an integer or bool field. */
export const numberTag = (field: number): number => (field << 3) | VARINT;
/** The tag of a double field. */
export const doubleTag = (field: number): number => (field << 3) | FIXED_64;

export class ProtoReader {
  /** Field number and wire type of the field at hand. */
  tag = 0;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Moves to the next field; false at the end of the message. */
  next(): boolean {
    if (this.#at >= this.#bytes.length) return false;
    this.tag = this.#readTag();
    return true;
  }

  /** The content of a field whose tag is `bytesTag(…)`; a view of the message. */
  bytes(): Uint8Array {
    return this.#readBytes();
  }

  /** The content of a field whose tag is `numberTag(…)`. */
  number(): number {
    return this.#readVarint();
  }

  /** Passes over the field, whatever it is. */
  skip(): void {
    this.#skip(this.tag, 0);
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

  /** Up to ten bytes; beyond 2^53 inexact, and then refused for being too large. */
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
