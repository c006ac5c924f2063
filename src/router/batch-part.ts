/** One shard's part of a batch in flight, and what joins the parts' answers. */
import { StormError } from '../base/errors.js';
import { VersionConflict } from '../base/version-conflict.js';
import type { BatchSetDone, EntryError } from '../rpc/kv-operations.js';
import { MESSAGE_WRITTEN, type ReplyView } from '../rpc/messages.js';
import { type Condition, MESSAGE_CONDITION_FAILED } from '../rpc/write-messages.js';
import { damagedError } from './call-errors.js';
import type { CallHandler } from './in-flight-table.js';

/** Answers once all parts have been answered and `sealed` was called. */
export class BatchJoin {
  readonly #done: BatchSetDone;
  /** One of its own, so that nothing is answered before every part was sent. */
  #open = 1;
  #written = 0;
  readonly #errors: EntryError[] = [];

  constructor(done: BatchSetDone) {
    this.#done = done;
  }

  opened(): void {
    this.#open++;
  }

  written(count: number): void {
    this.#written += count;
    this.sealed();
  }

  failed(errors: readonly EntryError[]): void {
    for (const error of errors) this.#errors.push(error);
    this.sealed();
  }

  /** One part less, or the batch's own hold, is waited for. */
  sealed(): void {
    if (--this.#open > 0) return;
    this.#errors.sort((a, b) => a.index - b.index);
    this.#done(undefined, { written: this.#written, errors: this.#errors });
  }
}

export class BatchPart implements CallHandler {
  readonly isWrite = true;
  readonly shard: number;
  /** Of its entries in the batch, rising. */
  readonly indexes: Uint32Array;
  /** Their indexes count the part's entries. */
  readonly conditions: Condition[] = [];
  readonly #join: BatchJoin;
  #count = 0;

  constructor(shard: number, count: number, join: BatchJoin) {
    this.shard = shard;
    this.indexes = new Uint32Array(count);
    this.#join = join;
    join.opened();
  }

  /** The next entry, by its index in the batch. */
  add(index: number): void {
    this.indexes[this.#count++] = index;
  }

  /** On an entry of this part; conditions come rising by index. */
  addCondition(indexInBatch: number, version: number): void {
    const from = (this.conditions.at(-1)?.index ?? -1) + 1;
    this.conditions.push({ index: this.indexes.indexOf(indexInBatch, from), version });
  }

  reply({ type, count, conflict }: ReplyView): void {
    if (type === MESSAGE_WRITTEN && count === this.#count) this.#join.written(count);
    else if (type === MESSAGE_CONDITION_FAILED && conflict !== undefined) {
      const index = this.indexes[conflict.index] ?? this.indexes[0] ?? 0;
      this.refuseFor(index, new VersionConflict(conflict.version));
    } else this.fail(damagedError(`a batch of ${this.#count} was answered with type ${type}`));
  }

  fail(error: StormError): void {
    this.#join.failed(Array.from(this.indexes, (index) => ({ index, error })));
  }

  /** None of the part is written, because of one entry. */
  refuseFor(culprit: number, error: StormError): void {
    const text = `Nothing of this shard's part was written, because of entry ${culprit}`;
    const other = new StormError('ABORTED', text);
    const errors = Array.from(this.indexes, (index) => ({
      index,
      error: index === culprit ? error : other,
    }));
    this.#join.failed(errors);
  }
}
