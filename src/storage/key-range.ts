/** The keys between a table's first and last, both inclusive; tells quickly what lies outside. */
import { commonPrefix, compareBytes, keyHead } from './key-bytes.js';

export class KeyRange {
  readonly #minKey: Uint8Array;
  readonly #maxKey: Uint8Array;
  /** So many bytes all keys of the range have in common; heads begin behind them. */
  readonly #sharedLength: number;
  readonly #minHead: number;
  readonly #maxHead: number;

  constructor(minKey: Uint8Array, maxKey: Uint8Array) {
    this.#minKey = minKey;
    this.#maxKey = maxKey;
    const shared = commonPrefix(minKey, 0, minKey.length, maxKey, 0, maxKey.length);
    this.#sharedLength = shared;
    this.#minHead = keyHead(minKey, shared, minKey.length - shared);
    this.#maxHead = keyHead(maxKey, shared, maxKey.length - shared);
  }

  has(key: Uint8Array, start: number, length: number): boolean {
    const shared = this.#sharedLength;
    if (length < shared) return false;
    const minKey = this.#minKey;
    for (let i = 0; i < shared; i++) if (key[start + i] !== minKey[i]) return false;
    const head = keyHead(key, start + shared, length - shared);
    if (head < this.#minHead || head > this.#maxHead) return false;
    if (head > this.#minHead && head < this.#maxHead) return true;
    const maxKey = this.#maxKey;
    return (
      compareBytes(key, start, length, minKey, 0, minKey.length) >= 0 &&
      compareBytes(key, start, length, maxKey, 0, maxKey.length) <= 0
    );
  }
}
