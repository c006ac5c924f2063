/** A digest of a store's content in the order of its keys: keys, values, versions and expiries. */
import { createHash } from 'node:crypto';
import type { EntryView } from '../storage/entry-cursor.js';
import { copyBytes } from '../storage/key-bytes.js';

const BUFFER_BYTES = 256 * 1024;
const HEAD_BYTES = 24;

export class ContentDigest {
  entries = 0;
  readonly #hash = createHash('sha256');
  #buffer = new Uint8Array(BUFFER_BYTES);
  #view = new DataView(this.#buffer.buffer);
  #end = 0;

  add(entry: EntryView): void {
    const { keyBytes, keyStart, keyLength, valueBytes, valueStart, valueLength } = entry;
    const length = HEAD_BYTES + keyLength + valueLength;
    if (this.#end + length > this.#buffer.length) this.#makeRoom(length);
    const at = this.#end;
    this.#view.setUint32(at, keyLength);
    this.#view.setUint32(at + 4, valueLength);
    this.#view.setFloat64(at + 8, entry.sequence);
    this.#view.setFloat64(at + 16, entry.expiresAtMs);
    copyBytes(keyBytes, keyStart, keyLength, this.#buffer, at + HEAD_BYTES);
    copyBytes(valueBytes, valueStart, valueLength, this.#buffer, at + HEAD_BYTES + keyLength);
    this.#end = at + length;
    this.entries++;
  }

  /** Hexadecimal; nothing can be added any more. */
  result(): string {
    this.#hash.update(this.#buffer.subarray(0, this.#end));
    return this.#hash.digest('hex');
  }

  #makeRoom(length: number): void {
    this.#hash.update(this.#buffer.subarray(0, this.#end));
    this.#end = 0;
    if (length <= this.#buffer.length) return;
    this.#buffer = new Uint8Array(length);
    this.#view = new DataView(this.#buffer.buffer);
  }
}
