/** So many per second, saved up while unused. For rare events: it counts one at a time. */
import type { Clock } from './clock.js';

/** How many seconds' worth can be saved up. */
const SAVED_SECONDS = 10;

export class Allowance {
  readonly #perSecond: number;
  readonly #clock: Clock;
  #left: number;
  #atMs: number;

  /** Begins with all that can be saved up: `perSecond` × 10. */
  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#left = perSecond * SAVED_SECONDS;
    this.#atMs = clock.monotonicMs();
  }

  /** Takes one; false when there was none. */
  take(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const earned = ((nowMs - this.#atMs) / 1000) * this.#perSecond;
    this.#atMs = nowMs;
    this.#left = Math.min(this.#perSecond * SAVED_SECONDS, this.#left + earned);
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
