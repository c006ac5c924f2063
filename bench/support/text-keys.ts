/** Keys for doors that take text: 16 ASCII bytes, pure functions of a number from a large space. */
import { KEY_BYTES } from './storm-keys.js';

/** Draws numbers and writes their keys; the same seed draws the same again. */
export class TextKeys {
  readonly #space: number;
  #state: number;

  constructor(space: number, seed: number) {
    this.#space = space;
    this.#state = Math.imul(seed + 1, 0x9e3779b1);
  }

  nextNumber(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    return Math.floor((mixed(this.#state) / 2 ** 32) * this.#space);
  }

  writeKey(target: Uint8Array, at: number): void {
    writeTextKey(target, at, this.nextNumber());
  }
}

/** Every byte one of 64 that need no escape. */
export function writeTextKey(target: Uint8Array, at: number, number: number): void {
  let state = Math.imul(number + 1, 0x9e3779b1);
  for (let i = at; i < at + KEY_BYTES; i += 4) {
    state = mixed(state + Math.imul(number, 0x85ebca6b) + i - at);
    target[i] = (state & 63) + 48;
    target[i + 1] = ((state >>> 8) & 63) + 48;
    target[i + 2] = ((state >>> 16) & 63) + 48;
    target[i + 3] = ((state >>> 24) & 63) + 48;
  }
}

function mixed(word: number): number {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
