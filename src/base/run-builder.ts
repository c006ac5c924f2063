/** Collects entries into an entry run (entry-run.ts) that grows as they come. */
import {
  deleteLength,
  expiringPutLength,
  putLength,
  RUN_FORMAT,
  RUN_HEADER_BYTES,
  writeDelete,
  writeExpiringPut,
  writePut,
} from './entry-run.js';

const BYTES_FIRST = 4096;

export class RunBuilder {
  /** Entries so far. */
  count = 0;
  #bytes = new Uint8Array(BYTES_FIRST);
  #end = RUN_HEADER_BYTES;

  constructor() {
    this.#bytes[0] = RUN_FORMAT;
  }

  /** Bytes so far, the format number included. */
  get length(): number {
    return this.#end;
  }

  /** `ttlMs` 0 = never expires; a limit that it exceeds is found by who reads the run. */
  put(key: Uint8Array, value: Uint8Array, ttlMs = 0): void {
    this.count++;
    if (ttlMs === 0) {
      this.#reserve(putLength(key.length, value.length));
      this.#end = writePut(this.#bytes, this.#end, key, value);
      return;
    }
    this.#reserve(expiringPutLength(key.length, value.length));
    this.#end = writeExpiringPut(this.#bytes, this.#end, key, value, ttlMs);
  }

  delete(key: Uint8Array): void {
    this.count++;
    this.#reserve(deleteLength(key.length));
    this.#end = writeDelete(this.#bytes, this.#end, key);
  }

  /** The run; a view that the next entry, or `clear`, may overwrite. */
  runView(): Uint8Array {
    return this.#bytes.subarray(0, this.#end);
  }

  clear(): void {
    this.count = 0;
    this.#end = RUN_HEADER_BYTES;
  }

  #reserve(length: number): void {
    const need = this.#end + length;
    if (need <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}
