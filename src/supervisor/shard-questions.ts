/** Questions to one life of a shard that wait for their answers. Main thread only. */
import { StormError } from '../base/errors.js';
import type { ToShard } from '../rpc/control.js';
import type { AnswerTo, ShardAnswer, ShardQuestion } from '../rpc/shard-operations.js';

interface Waiting {
  kind: ShardQuestion['kind'];
  resolve: (answer: ShardAnswer) => void;
  reject: (error: StormError) => void;
}

export class ShardQuestions {
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #isClosed = false;

  /** Rejects with what the shard failed with, and with UNAVAILABLE when it is gone before. */
  ask<Q extends ShardQuestion>(
    question: Q,
    post: (message: ToShard) => void,
  ): Promise<AnswerTo<Q>> {
    if (this.#isClosed) return Promise.reject(goneError());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      // `answered` lets only an answer of this question's kind through.
      const settle = resolve as (answer: ShardAnswer) => void;
      this.#waiting.set(id, { kind: question.kind, resolve: settle, reject });
      post({ kind: 'ask', id, question });
    });
  }

  answered(id: number, answer: ShardAnswer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting === undefined) return;
    if (answer.kind === 'failed') waiting.reject(new StormError(answer.code, answer.message));
    else if (answer.kind === waiting.kind) waiting.resolve(answer);
    else waiting.reject(new StormError('INTERNAL', `The shard answered with ${answer.kind}`));
  }

  /** No answer will come any more. */
  close(): void {
    this.#isClosed = true;
    for (const { reject } of this.#waiting.values()) reject(goneError());
    this.#waiting.clear();
  }
}

function goneError(): StormError {
  return new StormError('UNAVAILABLE', 'The shard ended before it answered');
}
