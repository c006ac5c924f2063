/**
 * Makes submissions when they are due (open loop), or one after the other for each of its callers
 * (closed loop), and repeats what failed until it is acknowledged or out of patience.
 *
 * Owned by one thread. What is under way is bounded: beyond `openEntriesMax` submissions wait their
 * turn, and their time counts all the same.
 */
import { type ErrorCode, StormError } from '../base/errors.js';
import { RunBuilder } from '../base/run-builder.js';
import type { ClientTimers } from '../client/timers.js';
import { isWorthARetry } from '../demo/storm.js';
import type { Meter } from './meter.js';
import type { StormDoor } from './storm-door.js';
import type { ReadSubmission, Work, WriteSubmission } from './workload.js';

export interface LoadThreadOptions {
  readonly work: Work;
  readonly door: StormDoor;
  readonly meter: Meter;
  readonly timers: ClientTimers;
  readonly thread: number;
  readonly threads: number;
  /** When submissions are due, in order and for all threads; undefined = as callers get free. */
  readonly arrivals: { next(): number } | undefined;
  /** Of this thread, where there are no arrivals. */
  readonly callers: number;
  /** Submissions of all threads. */
  readonly submissions: number;
  readonly durationMs: number;
  /** A write that is not acknowledged so long after it was due is given up. */
  readonly patienceMs: number;
  readonly openEntriesMax: number;
}

const TICK_MS = 1;
/** Entries after which answers get their turn. */
const TURN_ENTRIES_MAX = 2000;
const RETRY_MS_FIRST = 20;
const RETRY_MS_MAX = 2000;
/** Failures that concern the request and will not pass; the first of them ends a fruitless run. */
const HOPELESS: readonly ErrorCode[] = [
  'INVALID_ARGUMENT',
  'UNAUTHENTICATED',
  'PERMISSION_DENIED',
  'UNIMPLEMENTED',
];

/** A submission under way. */
interface Flight {
  readonly submission: WriteSubmission;
  readonly dueMs: number;
  /** Of its entries, those that were sent and not answered for once. */
  readonly unsure: Set<number>;
  attempt: number;
  onSettled: () => void;
}

export class LoadThread {
  readonly #options: LoadThreadOptions;
  readonly #builder = new RunBuilder();
  #startMs = 0;
  #index = 0;
  #open = 0;
  #openEntries = 0;
  #isStopped = false;
  #isOffering = true;
  #isFruitful = false;
  #nextDueMs = 0;
  /** Of all threads. */
  #arrived = -1;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(options: LoadThreadOptions) {
    this.#options = options;
  }

  /** Milliseconds since it began. */
  get nowMs(): number {
    return this.#options.timers.monotonicMs() - this.#startMs;
  }

  /** Resolves when everything is settled; rejects when nothing can succeed. */
  run(): Promise<void> {
    this.#startMs = this.#options.timers.monotonicMs();
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.#options.arrivals === undefined) this.#beginCallers();
      else {
        this.#advance();
        this.#turn();
      }
    });
  }

  /** Begins no more submissions. */
  stop(): void {
    this.#isStopped = true;
  }

  #beginCallers(): void {
    const { callers, durationMs, submissions, thread, threads } = this.#options;
    const count = Math.ceil((submissions - thread) / threads);
    const again = () => {
      const nowMs = this.nowMs;
      if (this.#isStopped || nowMs >= durationMs || this.#index >= count) {
        this.#isOffering = false;
        this.#finish();
      } else this.#begin(nowMs, again);
    };
    for (let i = 0; i < Math.max(1, callers); i++) again();
  }

  /** Begins what is due. */
  #turn(): void {
    const { timers, openEntriesMax } = this.#options;
    if (this.#isStopped) this.#nextDueMs = Number.POSITIVE_INFINITY;
    const nowMs = this.nowMs;
    let budget = TURN_ENTRIES_MAX;
    while (this.#nextDueMs <= nowMs && budget > 0 && this.#openEntries < openEntriesMax) {
      budget -= this.#begin(this.#nextDueMs, noop);
      this.#advance();
    }
    if (this.#nextDueMs === Number.POSITIVE_INFINITY) {
      this.#isOffering = false;
      this.#finish();
      return;
    }
    if (budget <= 0) timers.soon(() => this.#turn());
    else timers.after(TICK_MS, () => this.#turn());
  }

  /** To the next submission that is this thread's. */
  #advance(): void {
    const { arrivals, thread, threads } = this.#options;
    do {
      this.#nextDueMs = arrivals?.next() ?? Number.POSITIVE_INFINITY;
      this.#arrived++;
    } while (this.#arrived % threads !== thread && this.#nextDueMs !== Number.POSITIVE_INFINITY);
  }

  /** Returns how many entries it has. */
  #begin(dueMs: number, onSettled: () => void): number {
    const { work, meter } = this.#options;
    const submission = work.begin(this.#index++);
    this.#open++;
    const count = submission.kind === 'read' ? 1 : submission.count;
    this.#openEntries += count;
    meter.offered(dueMs, count);
    const settled = () => {
      this.#open--;
      this.#openEntries -= count;
      onSettled();
      this.#finish();
    };
    if (submission.kind === 'read') this.#read(submission, dueMs, 0, settled);
    else this.#send({ submission, dueMs, unsure: new Set(), attempt: 0, onSettled: settled });
    return count;
  }

  #send(flight: Flight, positions?: readonly number[]): void {
    const { door, meter, timers } = this.#options;
    this.#builder.clear();
    flight.submission.fill(this.#builder, positions);
    const run = this.#builder.runView().slice();
    let open = this.#builder.count;
    const again: number[] = [];
    let pauseMs = 0;
    const answered = () => {
      if (--open > 0) return;
      if (again.length === 0) {
        meter.wroteBy(this.nowMs, flight.dueMs);
        flight.onSettled();
        return;
      }
      flight.attempt++;
      again.sort((a, b) => a - b);
      timers.after(this.#pauseOf(flight.attempt, pauseMs), () => this.#send(flight, again));
    };
    if (open === 0) {
      open = 1;
      answered();
      return;
    }
    door.write(run, open, (at, error) => {
      const position = positions?.[at] ?? at;
      if (error === undefined) this.#acknowledge(flight, position);
      else if (this.#isHopefulAfter(error, flight, position)) {
        again.push(position);
        pauseMs = Math.max(pauseMs, error.retryAfterMs ?? 0);
      }
      answered();
    });
  }

  #acknowledge({ submission, unsure }: Flight, position: number): void {
    this.#isFruitful = true;
    submission.end(position, 'acknowledged', !unsure.has(position));
    this.#options.meter.acknowledged();
  }

  /** Whether the entry is to be sent again; else it is given up here. */
  #isHopefulAfter(error: StormError, flight: Flight, position: number): boolean {
    const { meter, patienceMs } = this.#options;
    meter.failed(error.code);
    if (error.outcome === 'unknown') flight.unsure.add(position);
    this.#endIfHopeless(error);
    if (isWorthARetry(error) && this.nowMs - flight.dueMs < patienceMs) {
      meter.retried();
      return true;
    }
    const isSure = !flight.unsure.has(position);
    const outcome = isSure ? 'refused' : 'unknown';
    flight.submission.end(position, outcome, isSure);
    meter.gaveUp(outcome);
    return false;
  }

  /** Ends the run when nothing was acknowledged yet and nothing ever will be. */
  #endIfHopeless(error: StormError): void {
    if (this.#isFruitful || !HOPELESS.includes(error.code)) return;
    this.stop();
    this.#reject(new StormError(error.code, `The first writes failed: ${error.message}`));
  }

  #read(read: ReadSubmission, dueMs: number, attempt: number, settled: () => void): void {
    const { door, meter, timers, patienceMs } = this.#options;
    door.read(read.key, (error, value) => {
      if (error === undefined) {
        const verdict = read.judge(value);
        meter.readBy(this.nowMs, dueMs, verdict === 'wrong' || verdict === 'lost');
        settled();
        return;
      }
      meter.failed(error.code);
      if (isWorthARetry(error) && this.nowMs - dueMs < patienceMs) {
        meter.retried();
        const pauseMs = this.#pauseOf(attempt + 1, error.retryAfterMs ?? 0);
        timers.after(pauseMs, () => this.#read(read, dueMs, attempt + 1, settled));
      } else {
        meter.readFailed();
        settled();
      }
    });
  }

  /** Longer from attempt to attempt, never the same for all: or all would come back at once. */
  #pauseOf(attempt: number, hintMs: number): number {
    const backoff = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** (attempt - 1));
    return Math.max(hintMs, backoff) * (0.5 + this.#options.timers.random());
  }

  #finish(): void {
    if (!this.#isOffering && this.#open === 0) this.#resolve();
  }
}

function noop(): void {}
