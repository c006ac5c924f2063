import type { Random } from '../../src/base/random.js';

/** A small fast generator (sfc32): the same seed gives the same sequence on every machine. */
export class SeededRandom implements Random {
  readonly seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** The seed counts modulo 2^53; neighbouring seeds give unrelated sequences. */
  constructor(seed: number) {
    this.seed = seed;
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 12; i++) this.uint32();
  }

  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 ≤ result < 1. */
  float(): number {
    return this.uint32() / 2 ** 32;
  }

  /** An integer, 0 ≤ result < n; n must be at least 1. */
  nextInt(n: number): number {
    return Math.floor(this.float() * n);
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.float() < p;
  }

  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new Error('There is nothing to pick from');
    return choices[this.nextInt(choices.length)] as T;
  }

  fill(target: Uint8Array): Uint8Array {
    for (let i = 0; i < target.length; i++) target[i] = this.uint32();
    return target;
  }
}
