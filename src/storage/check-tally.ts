/** Counts what a table's entries amount to, and whether they stand in table order. */
import { type EntryView, KIND_DELETE } from './entry-cursor.js';
import { compareBytes, copyBytes, grown } from './key-bytes.js';
import type { TableProperties } from './table-properties.js';

export class TableTally {
  entryCount = 0;
  /** The last entry added; the key is at [0, lastKeyLength). */
  lastKey: Uint8Array = new Uint8Array(256);
  lastKeyLength = 0;
  lastSequence = 0;
  #hasLast = false;
  #minKey: Uint8Array | undefined;
  #tombstoneCount = 0;
  #immortalCount = 0;
  #minSequence = Number.MAX_SAFE_INTEGER;
  #maxSequence = 0;
  #minExpiresAtMs = 0;
  #maxExpiresAtMs = 0;

  /** Takes the entry and says how it stands to the one before. */
  add(entry: EntryView): 'new-key' | 'older-version' | 'out-of-order' {
    const { keyBytes, keyStart, keyLength, sequence } = entry;
    const place = this.#placeOf(entry);
    this.#minKey ??= keyBytes.slice(keyStart, keyStart + keyLength);
    this.lastKey = grown(this.lastKey, keyLength);
    copyBytes(keyBytes, keyStart, keyLength, this.lastKey, 0);
    this.lastKeyLength = keyLength;
    this.lastSequence = sequence;
    this.#hasLast = true;
    this.entryCount++;
    this.#minSequence = Math.min(this.#minSequence, sequence);
    this.#maxSequence = Math.max(this.#maxSequence, sequence);
    if (entry.kind === KIND_DELETE) this.#tombstoneCount++;
    this.#countExpiry(entry.expiresAtMs);
    return place;
  }

  /** The next entry has no one before it: what stood there could not be read. */
  forgetLast(): void {
    this.#hasLast = false;
  }

  /** The first property that the entries do not bear out, or undefined. */
  differenceFrom(p: TableProperties): string | undefined {
    const counted: [keyof TableProperties, number][] = [
      ['entryCount', this.entryCount],
      ['tombstoneCount', this.#tombstoneCount],
      ['immortalCount', this.#immortalCount],
      ['minSequence', this.#minSequence],
      ['maxSequence', this.#maxSequence],
      ['minExpiresAtMs', this.#minExpiresAtMs],
      ['maxExpiresAtMs', this.#maxExpiresAtMs],
    ];
    for (const [name, count] of counted) {
      if (p[name] !== count) return `${name} is ${String(p[name])}, counted were ${count}`;
    }
    const minKey = this.#minKey ?? this.lastKey.subarray(0, 0);
    if (compareBytes(minKey, 0, minKey.length, p.minKey, 0, p.minKey.length) !== 0) {
      return 'minKey is not the first key';
    }
    const { maxKey } = p;
    const isLast =
      compareBytes(this.lastKey, 0, this.lastKeyLength, maxKey, 0, maxKey.length) === 0;
    return isLast ? undefined : 'maxKey is not the last key';
  }

  #placeOf(entry: EntryView): 'new-key' | 'older-version' | 'out-of-order' {
    if (!this.#hasLast) return 'new-key';
    const { keyBytes, keyStart, keyLength, sequence } = entry;
    const { lastKey, lastKeyLength } = this;
    const order = compareBytes(lastKey, 0, lastKeyLength, keyBytes, keyStart, keyLength);
    if (order < 0) return 'new-key';
    return order === 0 && this.lastSequence > sequence ? 'older-version' : 'out-of-order';
  }

  #countExpiry(expiresAtMs: number): void {
    if (expiresAtMs === 0) {
      this.#immortalCount++;
      return;
    }
    const least = this.#minExpiresAtMs;
    this.#minExpiresAtMs = least === 0 ? expiresAtMs : Math.min(least, expiresAtMs);
    this.#maxExpiresAtMs = Math.max(this.#maxExpiresAtMs, expiresAtMs);
  }
}
