/**
 * Many keys at once: each shard gets its keys in one frame, or, where they are too long for one, in
 * one frame after another; the values come in any number of frames and are put into the order of
 * the keys. The answer is complete or an error.
 */
import { checkKey } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import type { BatchGetDone, GetResult } from '../rpc/kv-operations.js';
import { ItemReader, keyItemLength, putKeyItem } from '../rpc/message-items.js';
import { commitRequest, type ReplyView, tryReserveRequest } from '../rpc/messages.js';
import { MESSAGE_MULTI_GET, MESSAGE_VALUES } from '../rpc/read-messages.js';
import { tooMany } from './batch-set.js';
import { damagedError, deadlineError } from './call-errors.js';
import type { CallHandler } from './in-flight-table.js';
import type { RouterLimits } from './router-types.js';
import type { ShardCalls } from './shard-calls.js';

export function startBatchGet(
  calls: ShardCalls,
  limits: RouterLimits,
  keys: readonly Uint8Array[],
  timeoutMs: number,
  done: BatchGetDone,
): void {
  try {
    if (timeoutMs <= 0) throw deadlineError(false);
    if (keys.length > limits.batchEntriesMax) throw tooMany('keys', limits.batchEntriesMax);
    keys.forEach((key, index) => {
      checkIndexedKey(key, index, limits);
    });
  } catch (error) {
    if (!(error instanceof StormError)) throw error;
    done(error, []);
    return;
  }
  const answer = new Answer(keys.length, limits.batchBytesMax, done);
  const byShard = new Map<number, number[]>();
  keys.forEach((key, index) => {
    const shard = calls.ownerOf(key, 0, key.length);
    const indexes = byShard.get(shard);
    if (indexes === undefined) byShard.set(shard, [index]);
    else indexes.push(index);
  });
  const parts = [...byShard].map(
    ([shard, indexes]) => new GetPart(calls, { shard, keys, indexes, timeoutMs }, answer),
  );
  for (const part of parts) part.sendNext();
  answer.partDone();
}

function checkIndexedKey(key: Uint8Array, index: number, limits: RouterLimits): void {
  try {
    checkKey(key, 0, key.length, limits);
  } catch (error) {
    if (!(error instanceof StormError)) throw error;
    throw new StormError(error.code, `Key ${index}: ${error.message}`, { cause: error });
  }
}

/** Collects the values of all parts; the first error is the answer. */
class Answer {
  readonly results: (GetResult | undefined)[];
  readonly #done: BatchGetDone;
  readonly #bytesMax: number;
  #bytes = 0;
  /** Parts that are waited for, and one until all were sent. */
  #open = 1;
  isOver = false;

  constructor(count: number, bytesMax: number, done: BatchGetDone) {
    this.results = new Array<GetResult | undefined>(count).fill(undefined);
    this.#bytesMax = bytesMax;
    this.#done = done;
  }

  opened(): void {
    this.#open++;
  }

  put(index: number, value: Buffer, sequence: number): void {
    if (this.isOver) return;
    this.#bytes += value.length;
    this.results[index] = { value, sequence };
    if (this.#bytes <= this.#bytesMax) return;
    const text =
      `The values have more than ${this.#bytesMax} bytes together (limits.batchBytesMax): ` +
      'ask for fewer keys at once';
    this.failed(new StormError('INVALID_ARGUMENT', text));
  }

  failed(error: StormError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#done(error, []);
  }

  partDone(): void {
    if (--this.#open > 0 || this.isOver) return;
    this.isOver = true;
    this.#done(undefined, this.results);
  }
}

interface GetWork {
  shard: number;
  keys: readonly Uint8Array[];
  /** Which of the keys are the shard's. */
  indexes: readonly number[];
  timeoutMs: number;
}

class GetPart implements CallHandler {
  readonly isWrite = false;
  readonly #calls: ShardCalls;
  readonly #work: GetWork;
  readonly #answer: Answer;
  readonly #items = new ItemReader();
  /** Of `indexes`: keys sent, and keys answered. */
  #sent = 0;
  #answered = 0;

  constructor(calls: ShardCalls, work: GetWork, answer: Answer) {
    this.#calls = calls;
    this.#work = work;
    this.#answer = answer;
    answer.opened();
  }

  /** Sends as many of the keys left as a frame takes. */
  sendNext(): void {
    const { shard, keys, indexes, timeoutMs } = this.#work;
    const seat = this.#calls.serving(shard);
    if (seat instanceof StormError) {
      this.#answer.failed(seat);
      return;
    }
    const lane = seat.link.readRequests;
    // A quarter of what a frame may have leaves the lane open for others; one key always fits.
    const lengthMax = lane.frameBytesMax / 4;
    let length = 0;
    let end = this.#sent;
    for (; end < indexes.length; end++) {
      const more = keyItemLength(keys[indexes[end]!]!.length);
      if (end > this.#sent && length + more > lengthMax) break;
      length += more;
    }
    const callId = this.#calls.nextCallId();
    const { slotMapEpoch } = this.#calls;
    let at =
      callId < 0 ? -1 : tryReserveRequest(lane, MESSAGE_MULTI_GET, callId, slotMapEpoch, length);
    if (at < 0) {
      this.#answer.failed(this.#calls.busy(shard));
      return;
    }
    for (; this.#sent < end; this.#sent++) {
      at = putKeyItem(lane.bytes, at, keys[indexes[this.#sent]!]!);
    }
    this.#calls.begin(seat, timeoutMs, undefined, undefined, this);
    commitRequest(lane, length);
  }

  reply({ type, isDone, itemsStart, itemsLength }: ReplyView, bytes: Uint8Array): void {
    if (this.#answer.isOver) return;
    if (type !== MESSAGE_VALUES || !this.#take(bytes, itemsStart, itemsLength)) {
      this.fail(damagedError(`reads of many keys were answered with type ${type}`));
      return;
    }
    if (!isDone) return;
    if (this.#answered !== this.#sent) {
      this.fail(damagedError(`${this.#sent} keys got ${this.#answered} answers`));
    } else if (this.#sent < this.#work.indexes.length) this.sendNext();
    else this.#answer.partDone();
  }

  fail(error: StormError): void {
    this.#answer.failed(error);
  }

  /** False when the items are not what was asked for. */
  #take(bytes: Uint8Array, start: number, length: number): boolean {
    const items = this.#items;
    items.reset(bytes, start, length);
    try {
      for (; items.nextValue(); this.#answered++) {
        if (this.#answered === this.#sent) return false;
        if (!items.hasValue) continue;
        const { valueStart, valueLength, sequence } = items;
        const value = Buffer.from(bytes.subarray(valueStart, valueStart + valueLength));
        this.#answer.put(this.#work.indexes[this.#answered]!, value, sequence);
      }
      return true;
    } catch (error) {
      if (error instanceof StormError) return false;
      throw error;
    }
  }
}
