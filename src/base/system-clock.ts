import type { Clock } from './clock.js';

/**
 * What to add to `monotonicMs()` of this thread so that all threads of the process agree: its zero
 * is the start of its thread.
 */
export function threadOffsetMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6 - systemClock.monotonicMs();
}

/** The machine's clocks. Built at the entry of each thread and passed down. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
