/**
 * A stream of batches with a stream of answers: one for each batch, in order, each when its batch
 * is durable. A refused batch is answered in its place and never ends the stream.
 *
 * Flow control is end to end. The source is paused, and with it in the end the client, while
 *   - a lane to a shard has no room for the next batch (it waits here, it is not refused),
 *   - so many batches are unanswered,
 *   - the client does not read its answers.
 * A batch's bytes are in the shard's ring as soon as it was taken, so a stream holds at most one
 * batch itself.
 */
import { messageOf, StormError } from '../base/errors.js';
import { decodeBatchSetRequest, encodeBatchSetResponse } from './batch-codec.js';
import type { Batch, BatchSetResult, KvOperations } from './kv-operations.js';
import type { MessageStream } from './scan-stream.js';

/** Batches of one stream that may be unanswered. */
const UNANSWERED_MAX = 256;
/** The `index` of an EntryError that stands for all entries of a batch. */
export const WHOLE_BATCH = 0xffff_ffff;

/** A stream that also brings messages, one by one while it is not paused. */
export interface DuplexMessageStream extends MessageStream {
  onMessage(take: (message: Buffer) => void): void;
  /** The client sends no more. */
  onEnd(ended: () => void): void;
  pause(): void;
  resume(): void;
}

export class IngestStream {
  readonly #kv: KvOperations;
  readonly #stream: DuplexMessageStream;
  readonly #remainingMs: () => number;
  /** Places of unanswered batches, in order; filled in when their batch is done. */
  readonly #places: { answer: Buffer | undefined }[] = [];
  /** Taken from the source, but there was no room for it. */
  #waiting: Batch | undefined;
  #clientReads = true;
  #sourceEnded = false;
  #isPaused = false;
  #isStopping = false;
  /** A batch that was read was given up by `stop`. */
  #hasDropped = false;
  #isOver = false;

  constructor(kv: KvOperations, remainingMs: () => number, stream: DuplexMessageStream) {
    this.#kv = kv;
    this.#stream = stream;
    this.#remainingMs = remainingMs;
  }

  start(): void {
    this.#stream.onCancel(() => {
      this.#isOver = true;
    });
    this.#stream.onEnd(() => {
      this.#sourceEnded = true;
      this.#endIfDone();
    });
    this.#stream.onMessage((message) => this.#take(message));
  }

  /** Takes no more batches; ends the stream when those that it took are answered. */
  stop(): void {
    this.#isStopping = true;
    this.#hasDropped = this.#waiting !== undefined;
    this.#waiting = undefined;
    this.#setFlow();
    this.#endIfDone();
  }

  #take(message: Buffer): void {
    if (this.#isOver || this.#isStopping) return;
    let batch: Batch;
    try {
      batch = decodeBatchSetRequest(message);
    } catch (error) {
      this.#answer(this.#place(), asStormError(error), NOTHING);
      return;
    }
    this.#waiting = batch;
    this.#goOn();
  }

  /** Starts the batch that waits, if it may, and lets the source flow, if it may. */
  #goOn(): void {
    const batch = this.#waiting;
    if (batch !== undefined && !this.#isOver) {
      if (this.#kv.hasRoomForBatch(batch.run.length)) {
        this.#waiting = undefined;
        this.#begin(batch);
      } else {
        this.#kv.onRoom(() => this.#goOn());
      }
    }
    this.#setFlow();
  }

  #begin(batch: Batch): void {
    const place = this.#place();
    this.#kv.batchSet(batch, this.#remainingMs(), (error, result) => {
      this.#answer(place, error, result);
    });
  }

  #place(): { answer: Buffer | undefined } {
    const place = { answer: undefined };
    this.#places.push(place);
    return place;
  }

  #answer(
    place: { answer: Buffer | undefined },
    error: StormError | undefined,
    result: BatchSetResult,
  ): void {
    if (this.#isOver) return;
    const all = error === undefined ? result.errors : [{ index: WHOLE_BATCH, error }];
    place.answer = encodeBatchSetResponse({ written: result.written, errors: all });
    for (let first = this.#places[0]; first?.answer !== undefined; first = this.#places[0]) {
      this.#places.shift();
      const hasRoom = this.#stream.write(first.answer);
      if (!hasRoom && this.#clientReads) this.#waitForReader();
    }
    this.#setFlow();
    this.#endIfDone();
  }

  #waitForReader(): void {
    this.#clientReads = false;
    this.#stream.onRoom(() => {
      this.#clientReads = true;
      this.#setFlow();
    });
  }

  #setFlow(): void {
    const isFull = this.#places.length >= UNANSWERED_MAX || !this.#clientReads;
    const mayFlow = this.#waiting === undefined && !isFull && !this.#isStopping;
    if (mayFlow !== this.#isPaused || this.#isOver) return;
    this.#isPaused = !mayFlow;
    if (mayFlow) this.#stream.resume();
    else this.#stream.pause();
  }

  #endIfDone(): void {
    if (this.#isOver || this.#places.length > 0 || this.#waiting !== undefined) return;
    if (this.#sourceEnded && !this.#hasDropped) {
      this.#isOver = true;
      this.#stream.end();
    } else if (this.#isStopping) {
      this.#isOver = true;
      // What was not answered was not taken: the client may send it elsewhere.
      const text = 'The server is stopping: batches without an answer were not applied';
      this.#stream.fail(new StormError('UNAVAILABLE', text));
    }
  }
}

const NOTHING: BatchSetResult = { written: 0, errors: [] };

function asStormError(error: unknown): StormError {
  if (error instanceof StormError) return error;
  return new StormError('INTERNAL', messageOf(error), { cause: error, outcome: 'unknown' });
}
