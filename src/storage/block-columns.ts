/**
 * The entries of one block, taken apart. Keys of a block depend on those before them, so who wants
 * to go through them backward decodes the block once and looks things up here. Reused from block to
 * block, without allocating once it is large enough.
 */
import type { BlockReader } from './block-reader.js';
import { type EntryKind, type EntryView, KIND_DELETE, KIND_PUT } from './entry-cursor.js';
import { compareBytes, copyBytes, grown } from './key-bytes.js';

export class BlockColumns {
  count = 0;
  /** The keys one behind the other; key i ends at keyEnd(i). Replaced when it must grow. */
  keyBytes: Uint8Array = EMPTY;
  #keyEnds = new Uint32Array(0);
  #valueStarts = new Uint32Array(0);
  #valueLengths = new Uint32Array(0);
  #sequences = new Float64Array(0);
  #expiries = new Float64Array(0);
  #kinds = new Uint8Array(0);
  #valueBytes: Uint8Array = EMPTY;

  /** Takes the entries of the block that `from` has open, up to the first key ≥ `bound`. */
  fill(from: BlockReader, bound: Uint8Array | undefined): void {
    this.count = 0;
    for (from.toFirst(); from.valid; from.nextInBlock()) {
      const { keyBytes, keyLength } = from;
      if (
        bound !== undefined &&
        compareBytes(keyBytes, 0, keyLength, bound, 0, bound.length) >= 0
      ) {
        break;
      }
      this.#append(from);
    }
    this.#valueBytes = from.valueBytes;
  }

  sequence(at: number): number {
    return this.#sequences[at]!;
  }

  keyEnd(at: number): number {
    return this.#keyEnds[at]!;
  }

  /** True when entries `a` and `b` are versions of one key. */
  haveSameKey(a: number, b: number): boolean {
    const aStart = this.#keyStart(a);
    const bStart = this.#keyStart(b);
    const aLength = this.#keyEnds[a]! - aStart;
    const bLength = this.#keyEnds[b]! - bStart;
    return compareBytes(this.keyBytes, aStart, aLength, this.keyBytes, bStart, bLength) === 0;
  }

  /** Lets `view` show the entry; it borrows the bytes until the next `fill`. */
  show(at: number, view: EntryView): void {
    const keyStart = this.#keyStart(at);
    view.keyBytes = this.keyBytes;
    view.keyStart = keyStart;
    view.keyLength = this.#keyEnds[at]! - keyStart;
    view.sequence = this.#sequences[at]!;
    view.kind = kindOf(this.#kinds[at]!);
    view.expiresAtMs = this.#expiries[at]!;
    view.valueBytes = this.#valueBytes;
    view.valueStart = this.#valueStarts[at]!;
    view.valueLength = this.#valueLengths[at]!;
    view.valid = true;
  }

  /** Drops the reference to the block's bytes. */
  release(): void {
    this.count = 0;
    this.#valueBytes = EMPTY;
  }

  #keyStart(at: number): number {
    return at === 0 ? 0 : this.#keyEnds[at - 1]!;
  }

  #append(from: BlockReader): void {
    const at = this.count++;
    if (at === this.#keyEnds.length) this.#grow();
    const keyStart = this.#keyStart(at);
    const { keyLength } = from;
    this.keyBytes = grown(this.keyBytes, keyStart + keyLength);
    copyBytes(from.keyBytes, 0, keyLength, this.keyBytes, keyStart);
    this.#keyEnds[at] = keyStart + keyLength;
    this.#valueStarts[at] = from.valueStart;
    this.#valueLengths[at] = from.valueLength;
    this.#sequences[at] = from.sequence;
    this.#expiries[at] = from.expiresAtMs;
    this.#kinds[at] = from.kind;
  }

  #grow(): void {
    const capacity = Math.max(64, 2 * this.#keyEnds.length);
    this.#keyEnds = copied(this.#keyEnds, new Uint32Array(capacity));
    this.#valueStarts = copied(this.#valueStarts, new Uint32Array(capacity));
    this.#valueLengths = copied(this.#valueLengths, new Uint32Array(capacity));
    this.#sequences = copied(this.#sequences, new Float64Array(capacity));
    this.#expiries = copied(this.#expiries, new Float64Array(capacity));
    this.#kinds = copied(this.#kinds, new Uint8Array(capacity));
  }
}

const EMPTY = new Uint8Array(0);

function copied<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function kindOf(number: number): EntryKind {
  return number === KIND_DELETE ? KIND_DELETE : KIND_PUT;
}
