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

/**
 * The value of a key's number: half random, half a repetition of that, as in db_bench: compression
 * halves it and finds nothing in common with its neighbours.
 */
export function sampleValue(number: number): Uint8Array {
  const value = new Uint8Array(VALUE_BYTES);
  const random = new KeyStream(number);
  random.writeKey(value, 0);
  random.writeKey(value, KEY_BYTES);
  value.copyWithin(VALUE_BYTES / 2, 0, VALUE_BYTES / 2);
  return value;
}

/** So many batches have values of their own before they come again. */
const TEMPLATES = 16;

/** Runs of puts whose keys are replaced each time, so that making a batch costs only its keys. */
export class BatchMaker {
  readonly #runs: Uint8Array[];
  readonly #keys: KeyStream;
  readonly #count: number;
  #next = 0;

  constructor(count: number, seed: number) {
    this.#count = count;
    this.#keys = new KeyStream(seed);
    this.#runs = Array.from({ length: TEMPLATES }, (_, i) => templateOf(count, i * count));
  }

  /** The next batch, as an entry run; valid until so many more have been made. */
  make(): Uint8Array {
    const run = this.#runs[this.#next++ % TEMPLATES] ?? EMPTY;
    // Behind the msgpack header of the key, which is two bytes for so short a one.
    let at = RUN_HEADER_BYTES + 2;
    for (let i = 0; i < this.#count; i++, at += PUT_BYTES) this.#keys.writeKey(run, at);
    return run;
  }
}

const EMPTY = new Uint8Array(0);

function templateOf(count: number, firstNumber: number): Uint8Array {
  const run = new Uint8Array(RUN_HEADER_BYTES + count * PUT_BYTES);
  run[0] = RUN_FORMAT;
  const key = new Uint8Array(KEY_BYTES);
  let at = RUN_HEADER_BYTES;
  for (let i = 0; i < count; i++) at = writePut(run, at, key, sampleValue(firstNumber + i));
  return run;
}
