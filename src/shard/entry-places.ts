/**
 * Where the entries of a run lie in a buffer, so that they are parsed once: a commit group notes
 * them while it is staged, a replay while it reads. Reused; nothing is allocated per entry.
 */
import type { RunReader } from '../base/entry-run.js';
import { KIND_DELETE, KIND_PUT } from '../storage/entry-cursor.js';
import { hashKey, type MemTable } from './mem-table.js';

const INTS_PER_ENTRY = 4;
const ENTRIES_AT_FIRST = 256;
const DELETED = -1;
/** Entries whose slots in the index are fetched together: see MemTable.touch. */
const APPLIED_AT_ONCE = 64;

export class EntryPlaces {
  /** Key start, key length, value start, value length (−1: delete) of each entry. */
  #places = new Int32Array(ENTRIES_AT_FIRST * INTS_PER_ENTRY);
  #ttlMs = new Float64Array(ENTRIES_AT_FIRST);
  readonly #hashes = new Uint32Array(APPLIED_AT_ONCE);

  /** Notes the reader's entry as the one at `index`; `shift`: how far away its bytes will lie. */
  set(index: number, reader: RunReader, shift: number): void {
    if (index >= this.#ttlMs.length) this.#grow();
    const places = this.#places;
    const at = index * INTS_PER_ENTRY;
    places[at] = reader.keyStart + shift;
    places[at + 1] = reader.keyLength;
    places[at + 2] = reader.valueStart + shift;
    places[at + 3] = reader.isDelete ? DELETED : reader.valueLength;
    this.#ttlMs[index] = reader.ttlMs;
  }

  keyStart(index: number): number {
    return this.#places[index * INTS_PER_ENTRY]!;
  }

  keyLength(index: number): number {
    return this.#places[index * INTS_PER_ENTRY + 1]!;
  }

  isDelete(index: number): boolean {
    return this.#places[index * INTS_PER_ENTRY + 3] === DELETED;
  }

  /**
   * Puts the entries [from, to) into the MemTable, in order. Their bytes lie in `bytes`; the entry
   * at index 0 has, or would have, the sequence number `firstSequence`.
   */
  applyTo(
    table: MemTable,
    bytes: Uint8Array,
    from: number,
    to: number,
    commitTimeMs: number,
    firstSequence: number,
  ): void {
    const hashes = this.#hashes;
    for (let start = from; start < to; start += APPLIED_AT_ONCE) {
      const end = Math.min(start + APPLIED_AT_ONCE, to);
      for (let i = start; i < end; i++) {
        hashes[i - start] = hashKey(bytes, this.keyStart(i), this.keyLength(i));
      }
      table.touch(hashes, end - start);
      for (let i = start; i < end; i++) {
        this.#apply(table, hashes[i - start]!, bytes, i, commitTimeMs, firstSequence + i);
      }
    }
  }

  #apply(
    table: MemTable,
    hash: number,
    bytes: Uint8Array,
    index: number,
    commitTimeMs: number,
    sequence: number,
  ): void {
    const places = this.#places;
    const at = index * INTS_PER_ENTRY;
    const valueLength = places[at + 3]!;
    const ttlMs = this.#ttlMs[index]!;
    table.addHashed(
      hash,
      bytes,
      places[at]!,
      places[at + 1]!,
      places[at + 2]!,
      valueLength === DELETED ? 0 : valueLength,
      valueLength === DELETED ? KIND_DELETE : KIND_PUT,
      ttlMs === 0 ? 0 : commitTimeMs + ttlMs,
      sequence,
    );
  }

  #grow(): void {
    const places = new Int32Array(this.#places.length * 2);
    places.set(this.#places);
    this.#places = places;
    const ttlMs = new Float64Array(this.#ttlMs.length * 2);
    ttlMs.set(this.#ttlMs);
    this.#ttlMs = ttlMs;
  }
}
