/** Seeded randomness for the demo: the same seed and name give the same throws on every machine. */
import { hash32 } from '../base/hash.js';

export class Dice {
  #state: number;

  /** Different names give unrelated sequences. */
  constructor(seed: number, name: string) {
    const bytes = Buffer.from(name, 'utf8');
    this.#state = hash32(bytes, 0, bytes.length, seed);
  }

  /** 0 ≤ result < 1. */
  float(): number {
    // A Weyl sequence, mixed: small, and good enough to make answers from.
    this.#state = (this.#state + 0x9e37_79b9) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  }

  /** A whole number, min ≤ result ≤ max. */
  between(min: number, max: number): number {
    return min + Math.floor(this.float() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.between(0, choices.length - 1)] ?? choices[0];
  }
}
