/**
 * Tables that nobody reads any more, on their way off the disk. The pool removes them, and only
 * once the shard's maps of them are gone: whoever lets go of a file last pays for freeing its
 * pages, which after a large merge took the shard's thread half a second (docs/adr/0004).
 */
import type { EngineEnv } from './engine-env.js';

/** Maps are collected within a turn or two of the event loop; this is far more. */
const REMOVE_AFTER_MS = 250;

export class DoomedTables {
  readonly #env: EngineEnv;
  readonly #dir: string;
  readonly #waiting: { name: string; dueMs: number }[] = [];

  constructor(env: EngineEnv, dir: string) {
    this.#env = env;
    this.#dir = dir;
  }

  add(name: string): void {
    this.#waiting.push({ name, dueMs: this.#env.clock.monotonicMs() + REMOVE_AFTER_MS });
  }

  /** Tables given up and not yet on their way. */
  get count(): number {
    return this.#waiting.length;
  }

  /** When `run` is due; never = Infinity. */
  get dueMs(): number {
    return this.#waiting[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  run(now: number): void {
    if (now < this.dueMs) return;
    const count = this.#waiting.findIndex(({ dueMs }) => dueMs > now);
    const names = this.#waiting
      .splice(0, count < 0 ? this.#waiting.length : count)
      .map(({ name }) => name);
    // Nothing depends on their being gone: of what stays the next opening removes the rest.
    this.#env.jobs.submit({ kind: 'remove', dir: this.#dir, names }, () => {});
  }

  /** The shard ends, and its maps with it. */
  close(): void {
    for (const { name } of this.#waiting.splice(0)) {
      try {
        this.#env.fs.remove(`${this.#dir}/${name}`);
      } catch {
        // The next opening tries again.
      }
    }
  }
}
