/**
 * How a merge keeps to what its shard wants of it: it looks at the shared words now and then, ends
 * when it was cancelled, and rests where it would work more than its share or read too fast. Few
 * rests of some length: waking up costs as much as merging hundreds of entries.
 */
import { MergeCancelled, MergeControl } from '../rpc/merge-control.js';

/** Time for merges, a port: a simulation has no time to lose. */
export interface PaceClock {
  monotonicMs(): number;
  /** Parks the thread; returns early when the control is cancelled. */
  rest(control: MergeControl, ms: number): void;
}

export const NEVER_RESTS: PaceClock = { monotonicMs: () => 0, rest: () => {} };

/** What a loop over entries calls, every PACE_ENTRIES of them. */
export interface Pace {
  /** `entries`: so many were read so far. Throws MergeCancelled. */
  look(entries: number): void;
}

/** A power of two. */
export const PACE_ENTRIES = 512;
export const UNPACED: Pace = { look: () => {} };

const REST_MS_MIN = 5;
/** A long rest is cut, so that a change of the share is noticed. */
const REST_MS_MAX = 100;

export class MergePace implements Pace {
  readonly #control: MergeControl;
  readonly #clock: PaceClock;
  readonly #bytesPerEntry: number;
  #lookedMs: number;
  /** What is still to be rested for the work done. */
  #owedMs = 0;
  #lookedEntries = 0;

  static of(control: SharedArrayBuffer | undefined, clock: PaceClock, bytesPerEntry: number): Pace {
    if (control === undefined) return UNPACED;
    return new MergePace(new MergeControl(control), clock, bytesPerEntry);
  }

  constructor(control: MergeControl, clock: PaceClock, bytesPerEntry: number) {
    this.#control = control;
    this.#clock = clock;
    this.#bytesPerEntry = bytesPerEntry;
    this.#lookedMs = clock.monotonicMs();
  }

  look(entries: number): void {
    const control = this.#control;
    const workedMs = this.#clock.monotonicMs() - this.#lookedMs;
    const bytes = (entries - this.#lookedEntries) * this.#bytesPerEntry;
    this.#lookedEntries = entries;
    this.#owedMs += restFor(workedMs, bytes, control.sharePercent, control.bytesPerSecond);
    while (this.#owedMs >= REST_MS_MIN && !control.isCancelled) {
      const ms = Math.min(this.#owedMs, REST_MS_MAX);
      this.#clock.rest(control, ms);
      this.#owedMs -= ms;
    }
    if (control.isCancelled) throw new MergeCancelled();
    this.#lookedMs = this.#clock.monotonicMs();
  }
}

/** How long to rest after so much work, for the share of time and for the limit; ms. */
export function restFor(
  workedMs: number,
  bytes: number,
  sharePercent: number,
  bytesPerSecond: number,
): number {
  const forShare = (workedMs * (100 - sharePercent)) / sharePercent;
  const forLimit = bytesPerSecond === 0 ? 0 : (bytes / bytesPerSecond) * 1000 - workedMs;
  return Math.max(forShare, forLimit, 0);
}
