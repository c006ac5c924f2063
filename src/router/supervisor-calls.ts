/**
 * Questions of a router to the main thread, over the control port. Rare, few at a time, and each
 * with a deadline, judged by `sweep`: the main thread may be busy, and it may be gone.
 */
import type { Clock } from '../base/clock.js';
import { StormError } from '../base/errors.js';
import type { AdminAnswer, AdminDone, AdminQuestion } from '../rpc/admin-operations.js';

/** More than an operator's tools ask at once. */
const ASKED_MAX = 64;
/** For callers that set no limit. */
const TIMEOUT_MS_DEFAULT = 10_000;
const BUSY_RETRY_AFTER_MS = 100;

export type AnswerOf<Q extends AdminQuestion> = Extract<AdminAnswer, { kind: Q['kind'] }>;

/** `done` is called exactly once, with the answer of the question's kind or an error. */
export type Ask = <Q extends AdminQuestion>(
  question: Q,
  timeoutMs: number,
  done: AdminDone<AnswerOf<Q>>,
) => void;

/** Who answers operators: the main thread, or what stands in front of it. */
export interface Desk {
  readonly ask: Ask;
}

interface Asked {
  kind: AdminQuestion['kind'];
  done: AdminDone<AdminAnswer>;
  deadlineMs: number;
}

export class SupervisorCalls implements Desk {
  readonly #clock: Clock;
  readonly #post: (id: number, question: AdminQuestion) => void;
  readonly #asked = new Map<number, Asked>();
  #nextId = 1;
  #isClosed = false;

  constructor(clock: Clock, post: (id: number, question: AdminQuestion) => void) {
    this.#clock = clock;
    this.#post = post;
  }

  /** `done` is called exactly once, with the answer of the question's kind or an error. */
  ask<Q extends AdminQuestion>(question: Q, timeoutMs: number, done: AdminDone<AnswerOf<Q>>): void {
    const refusal = this.#refusal(timeoutMs);
    if (refusal !== undefined) {
      done(refusal, undefined);
      return;
    }
    const id = this.#nextId++;
    const waitMs = Number.isFinite(timeoutMs) ? timeoutMs : TIMEOUT_MS_DEFAULT;
    const deadlineMs = this.#clock.monotonicMs() + waitMs;
    // `answered` lets only an answer of this question's kind through.
    this.#asked.set(id, { kind: question.kind, done: done as AdminDone<AdminAnswer>, deadlineMs });
    this.#post(id, question);
  }

  /** An answer that nobody waits for any more is dropped. */
  answered(id: number, answer: AdminAnswer): void {
    if (answer.kind === 'failed') this.#end(id, new StormError(answer.code, answer.message));
    else if (answer.kind === this.#asked.get(id)?.kind) this.#end(id, undefined, answer);
    else this.#end(id, new StormError('INTERNAL', `The supervisor answered with ${answer.kind}`));
  }

  /** Ends what has waited too long. */
  sweep(): void {
    if (this.#asked.size === 0) return;
    const nowMs = this.#clock.monotonicMs();
    for (const [id, { deadlineMs }] of [...this.#asked]) {
      if (nowMs >= deadlineMs) this.#end(id, lateError());
    }
  }

  /** No answer will come any more. */
  close(): void {
    this.#isClosed = true;
    for (const id of [...this.#asked.keys()]) this.#end(id, stoppedError());
  }

  #refusal(timeoutMs: number): StormError | undefined {
    if (this.#isClosed) return stoppedError();
    if (timeoutMs <= 0) return lateError();
    return this.#asked.size >= ASKED_MAX ? busyError() : undefined;
  }

  #end(id: number, error: StormError | undefined, answer?: AdminAnswer): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    asked.done(error, answer);
  }
}

function lateError(): StormError {
  const text = 'The supervisor did not answer in time; what was asked for may still happen';
  return new StormError('DEADLINE_EXCEEDED', text, { outcome: 'unknown' });
}

function busyError(): StormError {
  const text = `${ASKED_MAX} requests to the supervisor are waiting; try again later`;
  return new StormError('RESOURCE_EXHAUSTED', text, { retryAfterMs: BUSY_RETRY_AFTER_MS });
}

function stoppedError(): StormError {
  return new StormError('UNAVAILABLE', 'The server is stopping', { outcome: 'unknown' });
}
