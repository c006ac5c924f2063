/**
 * A bloom filter whose bits for one key all lie in one line of 64 bytes (a CPU cache line), so that
 * a lookup misses the cache once. At 10 bits per key about 1 % of absent keys pass.
 *
 *   filter = probes u32, lines u32, line{lines}
 *
 * The upper part of a key's hash picks the line; each probe multiplies the hash by an odd constant
 * and takes the top nine bits as the bit within the line. A hash of 32 bits is enough: even with 40
 * M keys in one table it adds 1 % of false positives, and tables hold a few million at most.
 */
import { CorruptionError } from '../base/errors.js';
import { readU32, writeU32 } from './table-format.js';

const HEADER_BYTES = 8;
const LINE_BYTES = 64;
const LINE_BITS = LINE_BYTES * 8;
const PROBES_MAX = 16;
const PROBE_FACTOR = 0x9e3779b1;
/** Keeps `hash * lines` below 2^53; a filter of 128 MiB is far beyond any table. */
const LINES_MAX = 2 ** 21;

/** Seed of `hash32` for keys in filters; part of the format. */
export const FILTER_HASH_SEED = 0x53544f52;

/** Collects key hashes and turns them into a filter once their number is known. */
export class FilterBuilder {
  readonly #bitsPerKey: number;
  #hashes = new Uint32Array(4096);
  #count = 0;

  constructor(bitsPerKey: number) {
    this.#bitsPerKey = bitsPerKey;
  }

  add(hash: number): void {
    if (this.#count === this.#hashes.length) {
      const larger = new Uint32Array(this.#hashes.length * 2);
      larger.set(this.#hashes);
      this.#hashes = larger;
    }
    this.#hashes[this.#count++] = hash;
  }

  get lengthBytes(): number {
    return HEADER_BYTES + this.#lines() * LINE_BYTES;
  }

  /** Writes the section's content at `at`; returns the offset behind it. */
  write(target: Uint8Array, at: number): number {
    const lines = this.#lines();
    const probes = probesFor(this.#bitsPerKey);
    const linesAt = at + HEADER_BYTES;
    const end = linesAt + lines * LINE_BYTES;
    writeU32(target, at, probes);
    writeU32(target, at + 4, lines);
    target.fill(0, linesAt, end);
    for (let i = 0; i < this.#count; i++) {
      let hash = this.#hashes[i]!;
      const line = linesAt + lineOf(hash, lines) * LINE_BYTES;
      for (let probe = 0; probe < probes; probe++) {
        hash = Math.imul(hash, PROBE_FACTOR);
        const bit = hash >>> 23;
        target[line + (bit >>> 3)]! |= 1 << (bit & 7);
      }
    }
    return end;
  }

  #lines(): number {
    const needed = Math.ceil((this.#count * this.#bitsPerKey) / LINE_BITS);
    return Math.min(Math.max(needed, 1), LINES_MAX);
  }
}

/** Tests keys against verified filter bytes where they lie. */
export class BloomFilter {
  readonly #bytes: Uint8Array;
  readonly #linesAt: number;
  readonly #lines: number;
  readonly #probes: number;

  /** The filter lies at [start, start + length) of `bytes`. Throws CorruptionError. */
  constructor(bytes: Uint8Array, start: number, length: number, file: string, offset: number) {
    const whole = length >= HEADER_BYTES;
    this.#bytes = bytes;
    this.#linesAt = start + HEADER_BYTES;
    this.#probes = whole ? readU32(bytes, start) : 0;
    this.#lines = whole ? readU32(bytes, start + 4) : 0;
    const inRange =
      this.#probes >= 1 &&
      this.#probes <= PROBES_MAX &&
      this.#lines >= 1 &&
      this.#lines <= LINES_MAX;
    if (!inRange || HEADER_BYTES + this.#lines * LINE_BYTES !== length) {
      throw new CorruptionError('The bloom filter contradicts itself', { file, offset });
    }
  }

  get shape(): { probes: number; lines: number } {
    return { probes: this.#probes, lines: this.#lines };
  }

  /**
   * False: no entry of the table has a key with this hash. All bits are tested, although one would
   * do: an exit at any of them cannot be predicted, and a processor that predicts the answer goes
   * on to the next table's filter while it waits for the memory of this one.
   */
  mayContain(keyHash: number): boolean {
    const bytes = this.#bytes;
    const probes = this.#probes;
    const line = this.#linesAt + lineOf(keyHash, this.#lines) * LINE_BYTES;
    let hash = keyHash;
    let all = 1;
    for (let probe = 0; probe < probes; probe++) {
      hash = Math.imul(hash, PROBE_FACTOR);
      const bit = hash >>> 23;
      all &= bytes[line + (bit >>> 3)]! >>> (bit & 7);
    }
    return all !== 0;
  }
}

function lineOf(hash: number, lines: number): number {
  return Math.floor((hash * lines) / 2 ** 32);
}

/** ln 2 times the bits per key gives the fewest false positives. */
function probesFor(bitsPerKey: number): number {
  return Math.min(Math.max(Math.round(bitsPerKey * Math.LN2), 1), PROBES_MAX);
}
