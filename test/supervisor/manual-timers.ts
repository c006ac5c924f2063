import type { Timers } from '../../src/supervisor/timers.js';

/** Timers that go off when the test says so. */
export class ManualTimers implements Timers {
  #nowMs = 0;
  readonly #tasks = new Set<{ dueMs: number; everyMs: number; task: () => void }>();

  /** Timers that have not gone off and were not called off. */
  get count(): number {
    return this.#tasks.size;
  }

  after(ms: number, task: () => void): () => void {
    return this.#add(ms, 0, task);
  }

  every(ms: number, task: () => void): () => void {
    return this.#add(ms, ms, task);
  }

  /** Lets time pass; timers go off in the order of their times. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (;;) {
      const [entry] = [...this.#tasks]
        .filter(({ dueMs }) => dueMs <= end)
        .sort((a, b) => a.dueMs - b.dueMs);
      if (entry === undefined) break;
      this.#nowMs = entry.dueMs;
      if (entry.everyMs > 0) entry.dueMs += entry.everyMs;
      else this.#tasks.delete(entry);
      entry.task();
    }
    this.#nowMs = end;
  }

  #add(ms: number, everyMs: number, task: () => void): () => void {
    const entry = { dueMs: this.#nowMs + ms, everyMs, task };
    this.#tasks.add(entry);
    return () => this.#tasks.delete(entry);
  }
}
