/**
 * A circuit breaker as words of memory, which several threads may share. docs/TRAFFIC.md has the
 * states, and how it differs from others.
 *
 * closed     counts calls and faults in a window of buckets. At a fault: more than `ratio` of at
 *            least `requests` calls failed → open.
 * open       refuses for `openMs`, then → half-open with the next call.
 * half-open  lets `probes` calls through and refuses others. As soon as it is certain whether more
 *            than `ratio` of them fail: → open, or → closed with an empty window. Probes that do
 *            not come back within `openMs` are replaced by others, so it is never stuck.
 *
 * Times are whole ms that wrap; only differences count, so a process may run for years. Threads may
 * lose a count at the change of a bucket; states change by compare-and-exchange.
 */
import type { BreakerSettings } from '../rpc/traffic.js';

export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];
export type Passage = 'free' | 'probe' | 'refused';

const CLOSED = 0;
const OPEN = 1;
const HALF_OPEN = 2;
const STATE = 0;
/** When the state began; of half-open, also when its probes were last replaced. */
const SINCE = 1;
const PROBES_BEGUN = 2;
const PROBES_DONE = 3;
const PROBES_FAILED = 4;
const OPENINGS = 5;
const WINDOW = 8;
const BUCKET_WORDS = 3;

export class Breaker {
  readonly #words: Int32Array;
  settings: BreakerSettings;

  constructor(words: Int32Array, settings: BreakerSettings) {
    this.#words = words;
    this.settings = settings;
  }

  get state(): BreakerState {
    return BREAKER_STATES[Atomics.load(this.#words, STATE)] ?? 'closed';
  }

  /** How often it has opened. */
  get openings(): number {
    return Atomics.load(this.#words, OPENINGS);
  }

  /** Whether a call may pass; a probe must be told how it ended, as every call. */
  pass(nowMs: number): Passage {
    const words = this.#words;
    const state = Atomics.load(words, STATE);
    if (state === CLOSED) return 'free';
    if (state === OPEN) {
      if (this.retryAfterMs(nowMs) > 0) return 'refused';
      if (Atomics.compareExchange(words, STATE, OPEN, HALF_OPEN) === OPEN) this.#newProbes(nowMs);
    } else if (this.retryAfterMs(nowMs) === 0) this.#newProbes(nowMs);
    return Atomics.add(words, PROBES_BEGUN, 1) < this.settings.probes ? 'probe' : 'refused';
  }

  /** When it makes sense to try again, if it is not closed. */
  retryAfterMs(nowMs: number): number {
    const { openMs } = this.settings;
    const passedMs = (whole(nowMs) - Atomics.load(this.#words, SINCE)) | 0;
    return passedMs < 0 || passedMs >= openMs ? 0 : openMs - passedMs;
  }

  /** A call that had passed freely is over. */
  record(isFault: boolean, nowMs: number): void {
    const words = this.#words;
    if (Atomics.load(words, STATE) !== CLOSED) return;
    const tick = this.#tick(nowMs);
    const at = this.#bucketAt(tick);
    if (Atomics.load(words, at) !== tick) {
      Atomics.store(words, at + 1, 0);
      Atomics.store(words, at + 2, 0);
      Atomics.store(words, at, tick);
    }
    Atomics.add(words, at + 1, 1);
    if (!isFault) return;
    Atomics.add(words, at + 2, 1);
    const { total, faults } = this.counts(nowMs);
    const { ratio, requests } = this.settings;
    if (total >= requests && faults > ratio * total) this.#open(CLOSED, nowMs);
  }

  /** A probe that began at `beganMs` is over; undefined = refused elsewhere, or says nothing. */
  recordProbe(isFault: boolean | undefined, beganMs: number, nowMs: number): void {
    const words = this.#words;
    if (Atomics.load(words, STATE) !== HALF_OPEN) return;
    // Of an earlier trial.
    if (((whole(beganMs) - Atomics.load(words, SINCE)) | 0) < 0) return;
    if (isFault === undefined) {
      Atomics.sub(words, PROBES_BEGUN, 1);
      return;
    }
    const done = Atomics.add(words, PROBES_DONE, 1) + 1;
    const failed = Atomics.add(words, PROBES_FAILED, Number(isFault)) + Number(isFault);
    const { probes, ratio } = this.settings;
    if (failed > ratio * probes) this.#open(HALF_OPEN, nowMs);
    else if (failed + (probes - done) <= ratio * probes) this.#close();
  }

  /** Of the window that ends now. */
  counts(nowMs: number): { total: number; faults: number } {
    const words = this.#words;
    const tick = this.#tick(nowMs);
    const { buckets } = this.settings;
    let [total, faults] = [0, 0];
    for (let i = 0; i < buckets; i++) {
      const at = WINDOW + i * BUCKET_WORDS;
      const age = (tick - Atomics.load(words, at)) | 0;
      if (age < 0 || age >= buckets) continue;
      total += Atomics.load(words, at + 1);
      faults += Atomics.load(words, at + 2);
    }
    return { total, faults };
  }

  /** Closed, with nothing counted: for settings that do not fit what was. */
  reset(): void {
    Atomics.store(this.#words, STATE, CLOSED);
    this.#words.fill(0, WINDOW);
  }

  #newProbes(nowMs: number): void {
    const words = this.#words;
    Atomics.store(words, SINCE, whole(nowMs));
    Atomics.store(words, PROBES_DONE, 0);
    Atomics.store(words, PROBES_FAILED, 0);
    Atomics.store(words, PROBES_BEGUN, 0);
  }

  #open(from: number, nowMs: number): void {
    if (Atomics.compareExchange(this.#words, STATE, from, OPEN) !== from) return;
    Atomics.store(this.#words, SINCE, whole(nowMs));
    Atomics.add(this.#words, OPENINGS, 1);
  }

  #close(): void {
    this.#words.fill(0, WINDOW);
    Atomics.compareExchange(this.#words, STATE, HALF_OPEN, CLOSED);
  }

  #tick(nowMs: number): number {
    const { windowMs, buckets } = this.settings;
    // Never 0, which an unused bucket has.
    return (Math.floor((nowMs * buckets) / windowMs) + buckets) | 0;
  }

  #bucketAt(tick: number): number {
    return WINDOW + ((tick >>> 0) % this.settings.buckets) * BUCKET_WORDS;
  }
}

function whole(ms: number): number {
  return Math.floor(ms) | 0;
}
