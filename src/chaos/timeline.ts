/**
 * What was measured, over time: equal slots, of which there are never too many; when they run out,
 * neighbours are joined and each spans twice the time.
 */
import type { StormError } from '../base/errors.js';
import type { Meter } from './clients.js';
import type { FaultKind } from './faults.js';

export interface Slot {
  /** Entries of acknowledged writes. */
  writes: number;
  reads: number;
  refused: number;
  unknown: number;
  /** Of acknowledged writes and of reads, counted by latency; see `latencyOf`. */
  latencies: Uint32Array;
}

export interface FaultEvent {
  readonly kind: FaultKind;
  /** Since the beginning of the timeline. */
  readonly atMs: number;
  /** Until every shard answered writes again; undefined when one never did. */
  recoveredMs: number | undefined;
}

const SLOTS_MAX = 960;
const SLOT_MS = 250;
/** Eight to a doubling, from 1/16 ms on. */
const STEPS = 8;
const LATENCIES = 24 * STEPS;
const LATENCY_MS_MIN = 1 / 16;

export class Timeline implements Meter {
  slotMs = SLOT_MS;
  readonly faults: FaultEvent[] = [];
  /** By message, with how often each came. */
  readonly errors = new Map<string, number>();
  readonly total: Slot = emptySlot();
  readonly #startMs: number;
  #slots: Slot[] = [];

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  get slots(): readonly Slot[] {
    return this.#slots;
  }

  answered(nowMs: number, latencyMs: number, entries: number): void {
    const bucket = latencyIndex(latencyMs);
    for (const slot of [this.#slotAt(nowMs), this.total]) {
      if (entries > 0) slot.writes += entries;
      else slot.reads++;
      slot.latencies[bucket] = (slot.latencies[bucket] ?? 0) + 1;
    }
  }

  failed(nowMs: number, outcome: 'refused' | 'unknown', error: StormError): void {
    this.#slotAt(nowMs)[outcome]++;
    this.total[outcome]++;
    // Numbers differ from call to call; the kind of failure does not.
    const text = `${error.code}: ${error.message.replaceAll(/\d+/g, '#')}`.slice(0, 160);
    if (this.errors.size < 100 || this.errors.has(text)) {
      this.errors.set(text, (this.errors.get(text) ?? 0) + 1);
    }
  }

  /** The fault happens now. */
  began(kind: FaultKind, nowMs: number): FaultEvent {
    const event = { kind, atMs: nowMs - this.#startMs, recoveredMs: undefined };
    this.faults.push(event);
    return event;
  }

  /** Makes slots up to now, also where nothing happened. */
  advance(nowMs: number): void {
    this.#slotAt(nowMs);
  }

  #slotAt(nowMs: number): Slot {
    let index = Math.max(0, Math.floor((nowMs - this.#startMs) / this.slotMs));
    while (index >= SLOTS_MAX) {
      this.#join();
      index = Math.floor(index / 2);
    }
    while (this.#slots.length <= index) this.#slots.push(emptySlot());
    return this.#slots[index] ?? this.total;
  }

  #join(): void {
    const joined: Slot[] = [];
    for (let i = 0; i < this.#slots.length; i += 2) {
      const slot = emptySlot();
      for (const part of this.#slots.slice(i, i + 2)) addTo(slot, part);
      joined.push(slot);
    }
    this.#slots = joined;
    this.slotMs *= 2;
  }
}

function addTo(sum: Slot, part: Slot): void {
  sum.writes += part.writes;
  sum.reads += part.reads;
  sum.refused += part.refused;
  sum.unknown += part.unknown;
  part.latencies.forEach((count, i) => {
    sum.latencies[i] = (sum.latencies[i] ?? 0) + count;
  });
}

function emptySlot(): Slot {
  return { writes: 0, reads: 0, refused: 0, unknown: 0, latencies: new Uint32Array(LATENCIES) };
}

function latencyIndex(ms: number): number {
  const index = Math.ceil(Math.log2(Math.max(ms, LATENCY_MS_MIN) / LATENCY_MS_MIN) * STEPS);
  return Math.min(LATENCIES - 1, index);
}

/** The latency in ms that this share of the calls did not exceed; undefined without calls. */
export function latencyOf({ latencies }: Slot, share: number): number | undefined {
  const calls = latencies.reduce((sum, count) => sum + count, 0);
  if (calls === 0) return undefined;
  let left = Math.ceil(calls * share);
  const index = latencies.findIndex((count) => {
    left -= count;
    return left <= 0;
  });
  return LATENCY_MS_MIN * 2 ** (index / STEPS);
}
