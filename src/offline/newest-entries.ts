/** What a reader would see of a cursor over versions: of each key the newest, if it has a value. */
import { type EntryCursor, KIND_DELETE } from '../storage/entry-cursor.js';
import { compareBytes, copyBytes } from '../storage/key-bytes.js';

const KEY_BYTES_FIRST = 256;

export class NewestEntries {
  /** Shows the entry while `next` returned true. */
  readonly entry: EntryCursor;
  /** Entries so far, also those that were not shown. */
  seen = 0;
  readonly #nowMs: number;
  #last = new Uint8Array(KEY_BYTES_FIRST);
  #lastLength = -1;
  #isMoved = true;

  /** `source` is positioned. What has expired at `nowMs` is left out; 0 keeps it. */
  constructor(source: EntryCursor, nowMs: number) {
    this.entry = source;
    this.#nowMs = nowMs;
  }

  /** Moves to the next key that has a value; false at the end. */
  next(): boolean {
    const { entry } = this;
    if (!this.#isMoved) entry.next();
    this.#isMoved = false;
    for (; entry.valid; entry.next()) {
      this.seen++;
      const { keyBytes, keyStart, keyLength } = entry;
      if (this.#isLast(keyBytes, keyStart, keyLength)) continue;
      if (keyLength > this.#last.length) this.#last = new Uint8Array(keyLength * 2);
      copyBytes(keyBytes, keyStart, keyLength, this.#last, 0);
      this.#lastLength = keyLength;
      if (entry.kind === KIND_DELETE) continue;
      const { expiresAtMs } = entry;
      if (expiresAtMs === 0 || this.#nowMs === 0 || expiresAtMs > this.#nowMs) return true;
    }
    return false;
  }

  #isLast(bytes: Uint8Array, start: number, length: number): boolean {
    if (length !== this.#lastLength) return false;
    return compareBytes(bytes, start, length, this.#last, 0, length) === 0;
  }
}
