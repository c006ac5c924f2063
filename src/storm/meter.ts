/**
 * What one thread measures. Latencies run from the moment a submission was due, not from when it
 * was sent: so a stall counts in full for everyone who had to wait for it, and a generator that
 * falls behind its own schedule cannot hide it (no coordinated omission).
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { ErrorCode } from '../base/errors.js';

/** Histograms count microseconds, up to an hour. */
const LATENCY_US_MAX = 3.6e9;
/** Within 1 % for a moment, within 0.1 % for a whole run. */
const [MOMENT_DIGITS, RUN_DIGITS] = [2, 3] as const;
export const SLOT_MS = 500;

/** Since the report before. */
export interface IntervalReport {
  /** Entries that were due, by slot of SLOT_MS. */
  offered: [slot: number, entries: number, submissions: number][];
  acknowledged: number;
  reads: number;
  /** Attempts that were made again. */
  retries: number;
  /** Writes that were never acknowledged, by what is known of them; reads that failed. */
  refused: number;
  unknown: number;
  readsFailed: number;
  /** Reads that found what must not be. */
  readsWrong: number;
  /** Failed attempts of entries by code. */
  errors: Partial<Record<ErrorCode, number>>;
  /** Of submissions and reads that ended. */
  latencies: RecordableHistogram;
}

/** Of the whole run, without the warm-up. */
export interface RunHistograms {
  writes: RecordableHistogram;
  reads: RecordableHistogram;
}

export function momentHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: LATENCY_US_MAX, figures: MOMENT_DIGITS });
}

export function runHistograms(): RunHistograms {
  const one = () => createHistogram({ lowest: 1, highest: LATENCY_US_MAX, figures: RUN_DIGITS });
  return { writes: one(), reads: one() };
}

export class Meter {
  readonly totals = runHistograms();
  readonly #warmUpMs: number;
  #interval = emptyInterval();
  #offered = new Map<number, { entries: number; submissions: number }>();

  constructor(warmUpMs: number) {
    this.#warmUpMs = warmUpMs;
  }

  /** Milliseconds are those since the beginning of the run. */
  offered(dueMs: number, entries: number): void {
    const slot = Math.floor(dueMs / SLOT_MS);
    const sum = this.#offered.get(slot);
    if (sum === undefined) this.#offered.set(slot, { entries, submissions: 1 });
    else {
      sum.entries += entries;
      sum.submissions++;
    }
  }

  acknowledged(): void {
    this.#interval.acknowledged++;
  }

  retried(): void {
    this.#interval.retries++;
  }

  failed(code: ErrorCode): void {
    const { errors } = this.#interval;
    errors[code] = (errors[code] ?? 0) + 1;
  }

  /** A write is given up. */
  gaveUp(outcome: 'refused' | 'unknown'): void {
    this.#interval[outcome]++;
  }

  /** A whole submission is settled, or given up. */
  wroteBy(nowMs: number, dueMs: number): void {
    this.#record(this.totals.writes, nowMs, dueMs);
  }

  readBy(nowMs: number, dueMs: number, isWrong: boolean): void {
    this.#interval.reads++;
    if (isWrong) this.#interval.readsWrong++;
    this.#record(this.totals.reads, nowMs, dueMs);
  }

  readFailed(): void {
    this.#interval.readsFailed++;
  }

  takeInterval(): IntervalReport {
    const taken = this.#interval;
    taken.offered = [...this.#offered].map(([slot, { entries, submissions }]) => [
      slot,
      entries,
      submissions,
    ]);
    this.#interval = emptyInterval();
    this.#offered = new Map();
    return taken;
  }

  #record(total: RecordableHistogram, nowMs: number, dueMs: number): void {
    const us = Math.min(LATENCY_US_MAX, Math.max(1, Math.round((nowMs - dueMs) * 1000)));
    this.#interval.latencies.record(us);
    if (dueMs >= this.#warmUpMs) total.record(us);
  }
}

export function emptyInterval(): IntervalReport {
  return {
    offered: [],
    acknowledged: 0,
    reads: 0,
    retries: 0,
    refused: 0,
    unknown: 0,
    readsFailed: 0,
    readsWrong: 0,
    errors: {},
    latencies: momentHistogram(),
  };
}
