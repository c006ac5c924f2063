/**
 * Figures of one router in shared memory: written by its thread alone, every few milliseconds, read
 * by anyone at any time, as shard-stats.ts.
 */
export const ROUTER_STAT_NAMES = [
  /** Calls sent to shards and not yet answered. */
  'inFlight',
  /** 1 = it takes no new connections. */
  'draining',
  /** Calls refused by a token bucket, and by an open circuit breaker. */
  'limitRefusalsTotal',
  'breakerRefusalsTotal',
] as const;
export type RouterStatName = (typeof ROUTER_STAT_NAMES)[number];

export class RouterStats {
  readonly #values: Float64Array;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(ROUTER_STAT_NAMES.length * Float64Array.BYTES_PER_ELEMENT);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#values = new Float64Array(memory);
  }

  get(name: RouterStatName): number {
    return this.#values[ROUTER_STAT_NAMES.indexOf(name)] ?? 0;
  }

  set(name: RouterStatName, value: number): void {
    this.#values[ROUTER_STAT_NAMES.indexOf(name)] = value;
  }
}
