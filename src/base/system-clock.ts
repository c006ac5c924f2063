import type { Clock } from './clock.js';

/** The machine's clocks. Built at the entry of each thread and passed down. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
