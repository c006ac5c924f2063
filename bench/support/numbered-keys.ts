/** Keys that are pure functions of their numbers, so that a space of them needs no memory. */
import { KEY_BYTES } from './storm-keys.js';

/** Writes key `number` at `at`: four words of a mix that spreads neighbours over all keys. */
export function writeNumberedKey(target: Uint8Array, at: number, number: number): void {
  let state = Math.imul(number + 1, 0x9e3779b1);
  for (let i = at; i < at + KEY_BYTES; i += 4) {
    state = mixed(state + Math.imul(number, 0x85ebca6b) + i - at);
    target[i] = state;
    target[i + 1] = state >>> 8;
    target[i + 2] = state >>> 16;
    target[i + 3] = state >>> 24;
  }
}

function mixed(word: number): number {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return x ^ (x >>> 16);
}

/** Uniform draws from a space of keys, and how many different ones were drawn so far. */
export class DrawnKeys {
  distinct = 0;
  readonly #space: number;
  readonly #drawn: Uint8Array;
  #state: number;

  constructor(space: number, seed: number) {
    this.#space = space;
    this.#drawn = new Uint8Array(Math.ceil(space / 8));
    this.#state = seed;
  }

  next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    const number = Math.floor(((mixed(this.#state) >>> 0) / 2 ** 32) * this.#space);
    const byte = number >>> 3;
    const bit = 1 << (number & 7);
    const before = this.#drawn[byte] ?? 0;
    if ((before & bit) === 0) {
      this.#drawn[byte] = before | bit;
      this.distinct++;
    }
    return number;
  }

  wasDrawn(number: number): boolean {
    return ((this.#drawn[number >>> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }
}
