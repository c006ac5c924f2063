/**
 * Writes on their way: an entry run, and who is told what became of each entry. A flight may be
 * sent again in part; its entries keep the index that their owner knows them by.
 */
import { RUN_FORMAT, RUN_HEADER_BYTES, RunReader } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import type { BatchAnswer } from '../rpc/client-codec.js';

/** Of an EntryError: all entries of the batch. */
const WHOLE_BATCH = 0xffff_ffff;

/** Told of every entry exactly once. */
export interface FlightOwner {
  /** Entries that are durable: those of the flight, by their owner's index, but for some. */
  wrote(flight: Flight, isFailed: (index: number) => boolean): void;
  /** `index`: the owner's. */
  failed(index: number, error: StormError): void;
}

export class Flight {
  readonly run: Uint8Array;
  readonly count: number;
  readonly owner: FlightOwner;
  /** Monotonic ms. */
  readonly deadlineMs: number;
  /** How often it, or what it is a part of, was sent before. */
  readonly attempt: number;
  /** The owner's index of each entry; undefined where they are the same. */
  readonly indexes: readonly number[] | undefined;
  /** Its owner was told: the answer, if it comes yet, says nothing new. */
  isOver = false;

  constructor(
    run: Uint8Array,
    count: number,
    owner: FlightOwner,
    deadlineMs: number,
    attempt = 0,
    indexes?: readonly number[],
  ) {
    this.run = run;
    this.count = count;
    this.owner = owner;
    this.deadlineMs = deadlineMs;
    this.attempt = attempt;
    this.indexes = indexes;
  }

  ownersIndex(index: number): number {
    return this.indexes?.[index] ?? index;
  }

  /** All of it has failed. */
  fail(error: StormError): void {
    if (this.isOver) return;
    this.isOver = true;
    for (let i = 0; i < this.count; i++) this.owner.failed(this.ownersIndex(i), error);
  }

  /**
   * Takes the server's answer. Returns what may be sent again, undefined when nothing is left; the
   * owner has then been told of all other entries. `mayRepeat` decides by the entry's error.
   */
  settle(answer: BatchAnswer, mayRepeat: (error: StormError) => boolean): Repeat | undefined {
    if (this.isOver) return undefined;
    this.isOver = true;
    const failures = this.#failuresOf(answer);
    this.owner.wrote(this, (index) => failures.has(index));
    const again: number[] = [];
    let retryAfterMs = 0;
    let last: StormError | undefined;
    for (const [index, error] of failures) {
      if (mayRepeat(error)) {
        again.push(index);
        last = error;
        retryAfterMs = Math.max(retryAfterMs, error.retryAfterMs ?? 0);
      } else {
        this.owner.failed(this.ownersIndex(index), error);
      }
    }
    if (last === undefined) return undefined;
    return { flight: this.#part(again), retryAfterMs, because: last };
  }

  /** The same again, after a failure that surely left nothing behind, or that may be repeated. */
  repeat(): Flight {
    this.isOver = true;
    const { run, count, owner, deadlineMs, attempt, indexes } = this;
    return new Flight(run, count, owner, deadlineMs, attempt + 1, indexes);
  }

  #failuresOf({ written, errors }: BatchAnswer): Map<number, StormError> {
    const failures = new Map<number, StormError>();
    for (const { index, error } of errors) {
      if (index !== WHOLE_BATCH) failures.set(index, error);
      else for (let i = 0; i < this.count; i++) failures.set(i, error);
    }
    if (written + failures.size === this.count) return failures;
    const text = `The server answered for ${written + failures.size} of ${this.count} writes`;
    const error = new StormError('INTERNAL', text, { outcome: 'unknown' });
    for (let i = 0; i < this.count; i++) if (!failures.has(i)) failures.set(i, error);
    return failures;
  }

  /** The entries of these indexes, rising, as a flight of their own. */
  #part(indexes: readonly number[]): Flight {
    const { run, owner, deadlineMs, attempt } = this;
    if (indexes.length === this.count) return this.repeat();
    const wanted = new Set(indexes);
    const target = new Uint8Array(run.length);
    target[0] = RUN_FORMAT;
    let end = RUN_HEADER_BYTES;
    const reader = new RunReader();
    reader.reset(run, 0, run.length);
    for (let i = 0; reader.next(); i++) {
      if (!wanted.has(i)) continue;
      target.set(run.subarray(reader.entryStart, reader.entryEnd), end);
      end += reader.entryEnd - reader.entryStart;
    }
    const owners = indexes.map((index) => this.ownersIndex(index));
    return new Flight(
      target.subarray(0, end),
      owners.length,
      owner,
      deadlineMs,
      attempt + 1,
      owners,
    );
  }
}

export interface Repeat {
  flight: Flight;
  /** The server's hint; 0 = none. */
  retryAfterMs: number;
  because: StormError;
}
