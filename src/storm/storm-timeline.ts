/**
 * The storm over time: equal slots, of which there are never too many; when they run out,
 * neighbours are joined and each spans twice the time.
 */
import type { RecordableHistogram } from 'node:perf_hooks';
import type { ErrorCode } from '../base/errors.js';
import { type IntervalReport, momentHistogram, SLOT_MS } from './meter.js';

export interface StormSlot {
  /** Entries and reads that were due. */
  offered: number;
  acknowledged: number;
  reads: number;
  failed: number;
  /** Of submissions and reads that ended then; undefined when none did. */
  p50Ms: number | undefined;
  p99Ms: number | undefined;
  maxMs: number | undefined;
  /** Due and not settled at its end. */
  backlog: number;
  /** Entries per second of the busiest and of the least busy shard, if known. */
  shardMost: number | undefined;
  shardLeast: number | undefined;
}

export interface StormTotals {
  offered: number;
  submissions: number;
  acknowledged: number;
  reads: number;
  readsFailed: number;
  readsWrong: number;
  retries: number;
  refused: number;
  unknown: number;
  errors: Partial<Record<ErrorCode, number>>;
}

const SLOTS_MAX = 960;

export class StormTimeline {
  slotMs = SLOT_MS;
  readonly totals: StormTotals = emptyTotals();
  /** Submissions that were due in each second. */
  readonly submissionsPerSecond: number[] = [];
  /** Entries and reads that were due in each second. */
  readonly offeredPerSecond: number[] = [];
  /** After this moment of the run: what `measured` counts. */
  readonly #measuredFromMs: number;
  readonly #measuredToMs: number;
  #slots: StormSlot[] = [];
  /** Of the newest slot, from all threads. */
  #moment: RecordableHistogram = momentHistogram();
  #momentSlot = -1;
  /** Entries and reads settled within the window. */
  measuredEntries = 0;

  constructor(measuredFromMs = 0, measuredToMs = Number.POSITIVE_INFINITY) {
    this.#measuredFromMs = measuredFromMs;
    this.#measuredToMs = measuredToMs;
  }

  get slots(): readonly StormSlot[] {
    return this.#slots;
  }

  /** Due and not settled. */
  get backlog(): number {
    const { offered, acknowledged, reads, refused, unknown, readsFailed } = this.totals;
    return Math.max(0, offered - acknowledged - reads - refused - unknown - readsFailed);
  }

  get latest(): StormSlot | undefined {
    return this.#slots.findLast(({ p99Ms }) => p99Ms !== undefined);
  }

  /** What a thread reports now, for the half second that has just ended. */
  add(nowMs: number, report: IntervalReport): void {
    const atMs = Math.max(0, nowMs - SLOT_MS / 2);
    for (const [slot, entries, submissions] of report.offered) {
      this.#slotAt(slot * SLOT_MS).offered += entries;
      const second = Math.floor((slot * SLOT_MS) / 1000);
      addAt(this.offeredPerSecond, second, entries);
      addAt(this.submissionsPerSecond, second, submissions);
      this.totals.offered += entries;
      this.totals.submissions += submissions;
    }
    this.#count(report, atMs);
    const slot = this.#slotAt(atMs);
    slot.acknowledged += report.acknowledged;
    slot.reads += report.reads;
    for (const count of Object.values(report.errors)) slot.failed += count;
    slot.backlog = this.backlog;
    this.#addLatencies(slot, Math.floor(atMs / this.slotMs), report.latencies);
  }

  /** Rates of the busiest and the least busy shard, now. */
  addShards(nowMs: number, most: number, least: number): void {
    const slot = this.#slotAt(nowMs);
    slot.shardMost = most;
    slot.shardLeast = least;
  }

  #count(report: IntervalReport, atMs: number): void {
    const { totals } = this;
    totals.acknowledged += report.acknowledged;
    totals.reads += report.reads;
    totals.readsFailed += report.readsFailed;
    totals.readsWrong += report.readsWrong;
    totals.retries += report.retries;
    totals.refused += report.refused;
    totals.unknown += report.unknown;
    for (const [code, count] of Object.entries(report.errors) as [ErrorCode, number][]) {
      totals.errors[code] = (totals.errors[code] ?? 0) + count;
    }
    if (atMs < this.#measuredFromMs || atMs >= this.#measuredToMs) return;
    this.measuredEntries += report.acknowledged + report.reads;
  }

  #addLatencies(slot: StormSlot, index: number, latencies: RecordableHistogram): void {
    if (index !== this.#momentSlot) {
      this.#moment = momentHistogram();
      this.#momentSlot = index;
    }
    this.#moment.add(latencies);
    if (this.#moment.count === 0) return;
    slot.p50Ms = this.#moment.percentile(50) / 1000;
    slot.p99Ms = this.#moment.percentile(99) / 1000;
    slot.maxMs = this.#moment.max / 1000;
  }

  #slotAt(ms: number): StormSlot {
    let index = Math.floor(ms / this.slotMs);
    while (index >= SLOTS_MAX) {
      this.#join();
      index = Math.floor(index / 2);
    }
    while (this.#slots.length <= index) this.#slots.push(emptySlot());
    return this.#slots[index] ?? emptySlot();
  }

  #join(): void {
    const joined: StormSlot[] = [];
    for (let i = 0; i < this.#slots.length; i += 2) {
      const [first = emptySlot(), second = emptySlot()] = this.#slots.slice(i, i + 2);
      joined.push(joinedSlot(first, second));
    }
    this.#slots = joined;
    this.slotMs *= 2;
    this.#momentSlot = -1;
  }
}

/** Percentiles do not add up: of two, the worse is shown. */
function joinedSlot(first: StormSlot, second: StormSlot): StormSlot {
  return {
    offered: first.offered + second.offered,
    acknowledged: first.acknowledged + second.acknowledged,
    reads: first.reads + second.reads,
    failed: first.failed + second.failed,
    p50Ms: greater(first.p50Ms, second.p50Ms),
    p99Ms: greater(first.p99Ms, second.p99Ms),
    maxMs: greater(first.maxMs, second.maxMs),
    backlog: second.backlog,
    shardMost: greater(first.shardMost, second.shardMost),
    shardLeast: second.shardLeast ?? first.shardLeast,
  };
}

function greater(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.max(one, other);
}

function addAt(list: number[], index: number, amount: number): void {
  while (list.length <= index) list.push(0);
  list[index] = (list[index] ?? 0) + amount;
}

function emptySlot(): StormSlot {
  return {
    offered: 0,
    acknowledged: 0,
    reads: 0,
    failed: 0,
    p50Ms: undefined,
    p99Ms: undefined,
    maxMs: undefined,
    backlog: 0,
    shardMost: undefined,
    shardLeast: undefined,
  };
}

function emptyTotals(): StormTotals {
  return {
    offered: 0,
    submissions: 0,
    acknowledged: 0,
    reads: 0,
    readsFailed: 0,
    readsWrong: 0,
    retries: 0,
    refused: 0,
    unknown: 0,
    errors: {},
  };
}
