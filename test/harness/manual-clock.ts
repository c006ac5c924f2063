import type { Clock } from '../../src/base/clock.js';

/** A clock that stands still until the test moves it. */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;

  constructor(wallMs = Date.UTC(2024, 0, 1)) {
    this.#wallMs = wallMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Lets time pass on both clocks. */
  advance(ms: number): void {
    if (ms < 0) throw new Error(`Time does not run backwards: ${ms}. Use jumpWall`);
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }

  /** The operator or NTP sets the wall clock, forwards or backwards; monotonic time stays. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }
}
