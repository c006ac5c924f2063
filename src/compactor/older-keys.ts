/**
 * Whether a run older than those that are merged may hold a key, by the key ranges of its tables
 * alone. Asked for ascending keys, so each run is walked through once.
 */
import type { KeyRange } from '../rpc/jobs.js';
import { compareBytes } from '../storage/key-bytes.js';

export interface OlderKeys {
  /** Keys must come in ascending order. */
  mayHold(bytes: Uint8Array, start: number, length: number): boolean;
}

/** Where nothing is known of what is older. */
export const MAY_HOLD_ANY: OlderKeys = { mayHold: () => true };

export class OlderRuns implements OlderKeys {
  readonly #runs: readonly (readonly KeyRange[])[];
  /** Of each run the first table that does not end before the key. */
  readonly #at: Int32Array;

  /** Each run ascends by key. */
  constructor(runs: readonly (readonly KeyRange[])[]) {
    this.#runs = runs;
    this.#at = new Int32Array(runs.length);
  }

  mayHold(bytes: Uint8Array, start: number, length: number): boolean {
    for (let i = 0; i < this.#runs.length; i++) {
      const run = this.#runs[i]!;
      let at = this.#at[i]!;
      while (at < run.length && isBefore(run[at]!.maxKey, bytes, start, length)) at++;
      this.#at[i] = at;
      if (at === run.length) continue;
      const { minKey } = run[at]!;
      if (compareBytes(minKey, 0, minKey.length, bytes, start, length) <= 0) return true;
    }
    return false;
  }
}

function isBefore(key: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  return compareBytes(key, 0, key.length, bytes, start, length) < 0;
}
