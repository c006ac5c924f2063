/**
 * When submissions are due. A curve says which share of them is due by when; arrivals are draws
 * from it, in order, so they cluster as real ones do: a steady rate gives a Poisson process.
 */
import { Dice } from '../demo/dice.js';

/** Share of all submissions that are due until each moment; grows from 0 to 1. */
export interface ArrivalCurve {
  readonly durationMs: number;
  /** At equal steps over the duration, both ends included. */
  readonly cumulative: Float64Array;
}

/** One notification and the answers that it brings, as shares of the whole duration. */
interface Pulse {
  readonly atShare: number;
  readonly weight: number;
  readonly riseShare: number;
  readonly tailShare: number;
}

/**
 * A push notification at the start, and two reminders: most answer the first within minutes, and
 * every wave begins with a fast rise and ends in a long tail.
 */
const PUSH_AND_REMINDERS: readonly Pulse[] = [
  { atShare: 0, weight: 0.62, riseShare: 0.012, tailShare: 0.13 },
  { atShare: 0.45, weight: 0.25, riseShare: 0.012, tailShare: 0.09 },
  { atShare: 0.75, weight: 0.13, riseShare: 0.012, tailShare: 0.07 },
];
const STEPS = 2000;

/** As many submissions in every second. */
export function steadyCurve(durationMs: number): ArrivalCurve {
  return { durationMs, cumulative: Float64Array.of(0, 1) };
}

/** What a push notification and two reminders bring. */
export function pushCurve(durationMs: number): ArrivalCurve {
  const cumulative = new Float64Array(STEPS + 1);
  for (let i = 0; i <= STEPS; i++) {
    for (const pulse of PUSH_AND_REMINDERS) {
      const end = answeredShare(pulse, 1 - pulse.atShare);
      cumulative[i] =
        (cumulative[i] ?? 0) +
        (pulse.weight * answeredShare(pulse, i / STEPS - pulse.atShare)) / end;
    }
  }
  cumulative[STEPS] = 1;
  return { durationMs, cumulative };
}

/** The curve of a rate that was recorded second by second. */
export function recordedCurve(perSecond: readonly number[]): ArrivalCurve {
  const total = perSecond.reduce((sum, count) => sum + count, 0);
  const cumulative = new Float64Array(perSecond.length + 1);
  let sum = 0;
  perSecond.forEach((count, i) => {
    sum += count;
    cumulative[i + 1] = total === 0 ? (i + 1) / perSecond.length : sum / total;
  });
  return { durationMs: perSecond.length * 1000, cumulative };
}

/** How many times the mean rate the busiest moment of the curve has. */
export function peakFactor({ cumulative }: ArrivalCurve): number {
  let steepest = 0;
  for (let i = 1; i < cumulative.length; i++) {
    steepest = Math.max(steepest, (cumulative[i] ?? 0) - (cumulative[i - 1] ?? 0));
  }
  return steepest * (cumulative.length - 1);
}

/** Of the answers to one notification, how many have come `share` of the duration after it. */
function answeredShare({ riseShare, tailShare }: Pulse, share: number): number {
  if (share <= 0) return 0;
  // Two waits in a row, to notice and to answer: the sum of two exponential times.
  const rise = riseShare * Math.exp(-share / riseShare);
  const tail = tailShare * Math.exp(-share / tailShare);
  return 1 - (tail - rise) / (tailShare - riseShare);
}

/** The moments of so many submissions, one after the other; the same for the same seed. */
export class Arrivals {
  readonly #curve: ArrivalCurve;
  readonly #dice: Dice;
  #left: number;
  #share = 0;
  #step = 0;

  constructor(curve: ArrivalCurve, count: number, seed: number) {
    this.#curve = curve;
    this.#left = count;
    this.#dice = new Dice(seed, 'arrivals');
  }

  /** Milliseconds since the beginning, never less than before; Infinity after the last. */
  next(): number {
    if (this.#left <= 0) return Number.POSITIVE_INFINITY;
    // The least of n uniform draws, then the least of the n − 1 above it, and so on: sorted draws
    // without keeping any.
    const draw = (1 - this.#dice.float()) ** (1 / this.#left--);
    this.#share = 1 - (1 - this.#share) * draw;
    return this.#momentOf(this.#share);
  }

  #momentOf(share: number): number {
    const { cumulative, durationMs } = this.#curve;
    const last = cumulative.length - 2;
    while (this.#step < last && (cumulative[this.#step + 1] ?? 1) < share) this.#step++;
    const from = cumulative[this.#step] ?? 0;
    const width = (cumulative[this.#step + 1] ?? 1) - from;
    const within = width > 0 ? Math.min(1, Math.max(0, (share - from) / width)) : 0;
    return ((this.#step + within) / (last + 1)) * durationMs;
  }
}
