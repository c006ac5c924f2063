/**
 * An open loop: calls are made when they are due, whatever became of those before, and their time
 * counts from when they were due. A stall so shows in every call that it delays, not in one.
 */

const TICK_MS = 1;

/** Latencies of calls in ms, counted into buckets 1 % wide, so that minutes of them stay small. */
export class Latencies {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  maxMs = 0;

  add(ms: number): void {
    const bucket = Math.ceil(Math.log(Math.max(0.001, ms)) / Math.log(1.01));
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count++;
    this.maxMs = Math.max(this.maxMs, ms);
  }

  get count(): number {
    return this.#count;
  }

  /** So large a share of the calls took no longer. */
  percentile(share: number): number {
    let rest = Math.ceil(this.#count * share);
    for (const bucket of [...this.#buckets.keys()].sort((a, b) => a - b)) {
      rest -= this.#buckets.get(bucket) ?? 0;
      if (rest <= 0) return Math.min(this.maxMs, 1.01 ** bucket);
    }
    return this.maxMs;
  }
}

export interface OpenLoop {
  perSecond: number;
  latencies: Latencies;
  call(): Promise<void>;
}

/** Runs all loops for so long; resolves when every call has settled, rejects with the first. */
export async function runOpenLoops(seconds: number, loops: readonly OpenLoop[]): Promise<void> {
  const started = performance.now();
  const endMs = started + seconds * 1000;
  const made = loops.map(() => 0);
  const open = new Set<Promise<void>>();
  let failure: unknown;
  const make = ({ latencies, call }: OpenLoop, dueMs: number): void => {
    const settled = call()
      .then(() => latencies.add(performance.now() - dueMs))
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => open.delete(settled));
    open.add(settled);
  };
  for (let now = started; now < endMs && failure === undefined; now = performance.now()) {
    for (const [index, loop] of loops.entries()) {
      const everyMs = 1000 / loop.perSecond;
      for (;;) {
        const dueMs = started + (made[index] ?? 0) * everyMs;
        if (dueMs > now) break;
        made[index] = (made[index] ?? 0) + 1;
        make(loop, dueMs);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(open);
  if (failure !== undefined) throw failure;
}
