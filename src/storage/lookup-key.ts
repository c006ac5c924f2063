/**
 * A key that is looked up in many tables: where its bytes lie, and its hash for their filters, made
 * once and only if a table asks. Reused from lookup to lookup.
 */
import { hash32 } from '../base/hash.js';
import { FILTER_HASH_SEED } from './bloom-filter.js';

export class LookupKey {
  bytes: Uint8Array = EMPTY;
  start = 0;
  length = 0;
  /** −1 = not made yet. */
  #filterHash = -1;

  /** Takes up the key at [start, start + length) of `bytes`, which it borrows. */
  set(bytes: Uint8Array, start = 0, length = bytes.length - start): this {
    this.bytes = bytes;
    this.start = start;
    this.length = length;
    this.#filterHash = -1;
    return this;
  }

  get filterHash(): number {
    if (this.#filterHash < 0) {
      this.#filterHash = hash32(this.bytes, this.start, this.length, FILTER_HASH_SEED);
    }
    return this.#filterHash;
  }
}

const EMPTY = new Uint8Array(0);
