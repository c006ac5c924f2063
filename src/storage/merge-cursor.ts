/**
 * Many sorted cursors as one, forward and backward, by a tournament tree of losers: each inner node
 * remembers the input that lost there, so replacing the winner costs one comparison per level,
 * whatever the interleaving.
 */
import {
  type EntryCursor,
  type EntryKind,
  type EntryView,
  KIND_PUT,
  type ReverseCursor,
} from './entry-cursor.js';
import { compareBytes, copyBytes, grown } from './key-bytes.js';

const EMPTY = new Uint8Array(0);

/**
 * The inputs and their tournament; shows the winner's entry as its own. The winner has the smallest
 * key (backward: the greatest), of equal keys the newest sequence, and where even the sequences are
 * equal it is the newer input.
 */
class MergeTree<Input extends EntryView> implements EntryView {
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
  /** Newest first. */
  protected readonly inputs: readonly Input[];
  readonly #isBackward: boolean;
  /**
   * At [1, inputs): who lost at that node. Input i's leaf is node inputs + i; n's parent is n / 2.
   */
  readonly #losers: Int32Array;
  #winner = 0;

  protected constructor(inputs: readonly Input[], isBackward: boolean) {
    this.inputs = inputs;
    this.#isBackward = isBackward;
    this.#losers = new Int32Array(Math.max(1, inputs.length));
  }

  /** The input whose entry is shown; undefined without inputs. */
  protected get winner(): Input | undefined {
    return this.inputs[this.#winner];
  }

  /** Plays all matches anew and shows the winner; for after a seek of all inputs. */
  protected playAll(): void {
    const count = this.inputs.length;
    if (count === 0) return;
    const winners = new Int32Array(2 * count);
    for (let i = 0; i < count; i++) winners[count + i] = i;
    for (let node = count - 1; node >= 1; node--) {
      const left = winners[2 * node]!;
      const right = winners[2 * node + 1]!;
      const leftWins = this.#beats(left, right);
      winners[node] = leftWins ? left : right;
      this.#losers[node] = leftWins ? right : left;
    }
    this.#show(winners[1]!);
  }

  /** Plays the winner's matches anew, after it has been moved, and shows who wins now. */
  protected replay(): void {
    const losers = this.#losers;
    let winner = this.#winner;
    for (let node = (winner + losers.length) >>> 1; node >= 1; node >>>= 1) {
      const loser = losers[node]!;
      if (this.#beats(loser, winner)) {
        losers[node] = winner;
        winner = loser;
      }
    }
    this.#show(winner);
  }

  #beats(a: number, b: number): boolean {
    const left = this.inputs[a]!;
    const right = this.inputs[b]!;
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
    if (order !== 0) return order < 0 !== this.#isBackward;
    if (left.sequence !== right.sequence) return left.sequence > right.sequence;
    return a < b;
  }

  #show(winner: number): void {
    this.#winner = winner;
    const input = this.inputs[winner]!;
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

/**
 * In table order: key ascending, then sequence descending, and where even the sequences are equal,
 * the newer cursor first. Every version of every input appears; what is shadowed is the caller's to
 * skip.
 */
export class MergeCursor extends MergeTree<EntryCursor> implements EntryCursor {
  /** `inputs` are owned from now on, newest first. Not positioned before the first seek. */
  constructor(inputs: EntryCursor[]) {
    super(inputs, false);
  }

  seekToFirst(): void {
    this.valid = false;
    for (const input of this.inputs) input.seekToFirst();
    this.playAll();
  }

  seek(key: Uint8Array): void {
    this.valid = false;
    for (const input of this.inputs) input.seek(key);
    this.playAll();
  }

  next(): void {
    const { winner } = this;
    if (winner === undefined) return;
    this.valid = false;
    winner.next();
    this.replay();
  }
}

/** Keys descending, each once: the newest version that the snapshot may see in any input. */
export class ReverseMergeCursor extends MergeTree<ReverseCursor> implements ReverseCursor {
  #leaving: Uint8Array = new Uint8Array(64);

  /** `inputs` are owned from now on, newest first. Not positioned before the first seek. */
  constructor(inputs: ReverseCursor[]) {
    super(inputs, true);
  }

  seekToLast(snapshot: number): void {
    this.valid = false;
    for (const input of this.inputs) input.seekToLast(snapshot);
    this.playAll();
  }

  seekBefore(key: Uint8Array, snapshot: number): void {
    this.valid = false;
    for (const input of this.inputs) input.seekBefore(key, snapshot);
    this.playAll();
  }

  previous(): void {
    const length = this.keyLength;
    this.#leaving = grown(this.#leaving, length);
    copyBytes(this.keyBytes, this.keyStart, length, this.#leaving, 0);
    // Whoever stands at the same key shows an older version of it: that one is shadowed.
    do {
      const { winner } = this;
      if (winner === undefined) return;
      this.valid = false;
      winner.previous();
      this.replay();
    } while (this.valid && this.#isLeaving(length));
  }

  #isLeaving(length: number): boolean {
    const { keyBytes, keyStart, keyLength } = this;
    return compareBytes(keyBytes, keyStart, keyLength, this.#leaving, 0, length) === 0;
  }
}
