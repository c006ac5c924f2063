/**
 * Token buckets in shared memory, so that all routers fill and empty the same ones. A bucket is one
 * number: the time (ms, shared monotonic clock) at which it will be full again. `now` or earlier =
 * it is full; every token taken moves it by 1000 / rate ms; there are tokens while it is less than
 * burst × 1000 / rate ms ahead. So a bucket starts full, needs no timer to be filled, and one
 * compare-and-exchange takes from it.
 *
 * Callers share a table of fixed size, eight places to choose from for each. Who finds none free
 * takes the one that will be full first: where that is full already, nothing is lost with it.
 */
import { hash32 } from '../base/hash.js';
import { CALLER_PLACES, TrafficMemory } from '../rpc/traffic.js';

const WAYS = 8;
/** Sums of times are not exact: half a nanosecond is no token. */
const SLACK_MS = 5e-7;

export class TokenBuckets {
  readonly #memory: TrafficMemory;
  readonly #seed: number;
  readonly #float = new Float64Array(1);
  readonly #bits = new BigInt64Array(this.#float.buffer);

  /** The seed, the same for all routers, keeps callers from choosing whose place they get. */
  constructor(memory: TrafficMemory, seed: number) {
    this.#memory = memory;
    this.#seed = seed;
  }

  /**
   * Takes so many tokens and returns 0, or takes none and returns in how many ms they will be
   * there. More than the burst are let out of a full bucket, which then owes them.
   */
  take(bucket: number, count: number, burst: number, rate: number, nowMs: number): number {
    const tokenMs = 1000 / rate;
    const needed = Math.min(Math.max(1, count), burst);
    for (;;) {
      const bits = Atomics.load(this.#memory.timeBits, bucket);
      const fullAtMs = Math.max(this.#timeOf(bits), nowMs);
      const waitMs = fullAtMs + (needed - burst) * tokenMs - nowMs;
      if (waitMs > SLACK_MS) return waitMs;
      if (this.#exchange(bucket, bits, fullAtMs + count * tokenMs)) return 0;
    }
  }

  /** Takes them, whether they are there or not; returns in how many ms there is one again. */
  charge(bucket: number, count: number, burst: number, rate: number, nowMs: number): number {
    const tokenMs = 1000 / rate;
    for (;;) {
      const bits = Atomics.load(this.#memory.timeBits, bucket);
      const fullAtMs = Math.max(this.#timeOf(bits), nowMs) + count * tokenMs;
      if (!this.#exchange(bucket, bits, fullAtMs)) continue;
      return Math.max(0, fullAtMs - (burst - 1) * tokenMs - nowMs);
    }
  }

  /** Gives back what `take` took. */
  giveBack(bucket: number, count: number, rate: number): void {
    for (;;) {
      const bits = Atomics.load(this.#memory.timeBits, bucket);
      if (this.#exchange(bucket, bits, this.#timeOf(bits) - (count * 1000) / rate)) return;
    }
  }

  tagOf(name: string): number {
    const bytes = Buffer.from(name);
    return hash32(bytes, 0, bytes.length, this.#seed) | 0 || 1;
  }

  /** The bucket of a caller with this tag; `last` is where it was when it called before. */
  bucketOfTag(tag: number, last: number, nowMs: number): number {
    const { tags } = this.#memory;
    if (last >= 0 && Atomics.load(tags, last) === tag) return last;
    const first = (tag & (CALLER_PLACES / WAYS - 1)) * WAYS;
    for (let place = first; place < first + WAYS; place++) {
      if (Atomics.load(tags, place) === tag) return place;
    }
    return this.#settle(tag, first, nowMs);
  }

  #settle(tag: number, first: number, nowMs: number): number {
    const { tags, times } = this.#memory;
    let best = first;
    for (let place = first; place < first + WAYS; place++) {
      if (Atomics.load(tags, place) === 0) {
        best = place;
        break;
      }
      const at = TrafficMemory.bucketOfPlace(place);
      if ((times[at] ?? 0) < (times[TrafficMemory.bucketOfPlace(best)] ?? 0)) best = place;
    }
    Atomics.store(tags, best, tag);
    // Full, whatever was there.
    Atomics.store(this.#memory.timeBits, TrafficMemory.bucketOfPlace(best), this.#bitsOf(nowMs));
    return best;
  }

  #timeOf(bits: bigint): number {
    this.#bits[0] = bits;
    return this.#float[0] ?? 0;
  }

  #bitsOf(timeMs: number): bigint {
    this.#float[0] = timeMs;
    return this.#bits[0] ?? 0n;
  }

  #exchange(bucket: number, expected: bigint, timeMs: number): boolean {
    const { timeBits } = this.#memory;
    const wanted = this.#bitsOf(timeMs);
    return Atomics.compareExchange(timeBits, bucket, expected, wanted) === expected;
  }
}
