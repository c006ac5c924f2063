/**
 * Many sorted cursors as one, in table order: key ascending, then sequence descending, and where
 * even the sequences are equal, the newer cursor first. Every version of every input appears; what
 * is shadowed is the caller's to skip.
 *
 * A tournament tree of losers: each inner node remembers the input that lost there, so replacing the
 * winner costs one comparison per level, whatever the interleaving.
 */
import { type EntryCursor, type EntryKind, KIND_PUT } from './entry-cursor.js';
import { compareBytes } from './key-bytes.js';

export class MergeCursor implements EntryCursor {
  valid = false;
  keyBytes: Uint8Array = EMPTY;
  keyStart = 0;
  keyLength = 0;
  sequence = 0;
  kind: EntryKind = KIND_PUT;
  expiresAtMs = 0;
  valueBytes: Uint8Array = EMPTY;
  valueStart = 0;
  valueLength = 0;
  readonly #inputs: EntryCursor[];
  /** At [1, inputs): who lost at that node. Input i's leaf is node inputs + i; n's parent is n / 2. */
  readonly #losers: Int32Array;
  #winner = 0;

  /** `inputs` are owned from now on, newest first. Not positioned before the first seek. */
  constructor(inputs: EntryCursor[]) {
    this.#inputs = inputs;
    this.#losers = new Int32Array(Math.max(1, inputs.length));
  }

  seekToFirst(): void {
    this.valid = false;
    for (const input of this.#inputs) input.seekToFirst();
    this.#build();
  }

  seek(key: Uint8Array): void {
    this.valid = false;
    for (const input of this.#inputs) input.seek(key);
    this.#build();
  }

  next(): void {
    const advanced = this.#winner;
    const input = this.#inputs[advanced];
    if (input === undefined) return;
    this.valid = false;
    input.next();
    const losers = this.#losers;
    let winner = advanced;
    for (let node = (advanced + losers.length) >>> 1; node >= 1; node >>>= 1) {
      const loser = losers[node]!;
      if (this.#isBefore(loser, winner)) {
        losers[node] = winner;
        winner = loser;
      }
    }
    this.#show(winner);
  }

  #build(): void {
    const count = this.#inputs.length;
    if (count === 0) return;
    const winners = new Int32Array(2 * count);
    for (let i = 0; i < count; i++) winners[count + i] = i;
    for (let node = count - 1; node >= 1; node--) {
      const left = winners[2 * node]!;
      const right = winners[2 * node + 1]!;
      const leftWins = this.#isBefore(left, right);
      winners[node] = leftWins ? left : right;
      this.#losers[node] = leftWins ? right : left;
    }
    this.#show(winners[1]!);
  }

  #isBefore(a: number, b: number): boolean {
    const left = this.#inputs[a]!;
    const right = this.#inputs[b]!;
    if (!left.valid) return false;
    if (!right.valid) return true;
    const order = compareBytes(
      left.keyBytes,
      left.keyStart,
      left.keyLength,
      right.keyBytes,
      right.keyStart,
      right.keyLength,
    );
    if (order !== 0) return order < 0;
    if (left.sequence !== right.sequence) return left.sequence > right.sequence;
    return a < b;
  }

  #show(winner: number): void {
    this.#winner = winner;
    const input = this.#inputs[winner]!;
    this.valid = input.valid;
    this.keyBytes = input.keyBytes;
    this.keyStart = input.keyStart;
    this.keyLength = input.keyLength;
    this.sequence = input.sequence;
    this.kind = input.kind;
    this.expiresAtMs = input.expiresAtMs;
    this.valueBytes = input.valueBytes;
    this.valueStart = input.valueStart;
    this.valueLength = input.valueLength;
  }
}

const EMPTY = new Uint8Array(0);
