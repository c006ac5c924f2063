/** Time and chance of the client as ports; other ones in tests. */
import { randomUint48, systemRandom } from '../base/random.js';
import { systemClock } from '../base/system-clock.js';

export interface ClientTimers {
  wallMs(): number;
  monotonicMs(): number;
  /** 0 ≤ x < 1. */
  random(): number;
  /** The returned function cancels it. Never keeps the process alive. */
  after(ms: number, task: () => void): () => void;
  /** After the work of this turn of the event loop. */
  soon(task: () => void): void;
}

export const systemClientTimers: ClientTimers = {
  wallMs: () => systemClock.wallMs(),
  monotonicMs: () => systemClock.monotonicMs(),
  random: () => randomUint48(systemRandom) / 2 ** 48,
  after(ms, task) {
    const timer = setTimeout(task, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  soon: (task) => void setImmediate(task),
};
