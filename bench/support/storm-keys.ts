/**
 * The keys and values of the benches: 16 random bytes and 64 bytes. A generator is a pure function
 * of its seed, so a reader can make the same keys again without remembering them.
 */
import { putLength, RUN_FORMAT, RUN_HEADER_BYTES, writePut } from '../../src/base/entry-run.js';

export const KEY_BYTES = 16;
export const VALUE_BYTES = 64;
export const ENTRY_BYTES = KEY_BYTES + VALUE_BYTES;
const PUT_BYTES = putLength(KEY_BYTES, VALUE_BYTES);

/** xoshiro128**: 16 bytes of its output are one key. Fast enough not to be what is measured. */
export class KeyStream {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.#a = Math.imul(seed + 1, 0x9e3779b1);
    this.#b = Math.imul(seed + 2, 0x85ebca6b);
    this.#c = Math.imul(seed + 3, 0xc2b2ae35);
    this.#d = 0x27d4eb2f;
    for (let i = 0; i < 16; i++) this.#next();
  }

  /** Writes the next key at `at` of `target`. */
  writeKey(target: Uint8Array, at: number): void {
    for (let i = at; i < at + KEY_BYTES; i += 4) {
      const word = this.#next();
      target[i] = word;
      target[i + 1] = word >>> 8;
      target[i + 2] = word >>> 16;
      target[i + 3] = word >>> 24;
    }
  }

  #next(): number {
    const scrambled = Math.imul(this.#b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }
}

/** A value of half random, half repeated bytes, as db_bench's: what compresses, compresses by half. */
export function sampleValue(): Uint8Array {
  const value = new Uint8Array(VALUE_BYTES);
  const keys = new KeyStream(7);
  keys.writeKey(value, 0);
  keys.writeKey(value, KEY_BYTES);
  value.copyWithin(VALUE_BYTES / 2, 0, VALUE_BYTES / 2);
  return value;
}

/** A run of puts whose keys `fill` replaces each time, so that making a batch costs only its keys. */
export class BatchTemplate {
  readonly run: Uint8Array;
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
    this.run = new Uint8Array(RUN_HEADER_BYTES + count * PUT_BYTES);
    this.run[0] = RUN_FORMAT;
    const key = new Uint8Array(KEY_BYTES);
    const value = sampleValue();
    let at = RUN_HEADER_BYTES;
    for (let i = 0; i < count; i++) at = writePut(this.run, at, key, value);
  }

  fill(keys: KeyStream): void {
    // Behind the msgpack header of the key, which is two bytes for so short a one.
    let at = RUN_HEADER_BYTES + 2;
    for (let i = 0; i < this.#count; i++, at += PUT_BYTES) keys.writeKey(this.run, at);
  }
}
