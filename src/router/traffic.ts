/** The gates of one router, made from the settings, and what there is to see of them. */
import type { RouterStats } from '../rpc/router-stats.js';
import { TrafficMemory, type TrafficSettings } from '../rpc/traffic.js';
import { BreakerGate } from './breaker-gate.js';
import { BucketGate } from './bucket-gate.js';
import { Gates } from './gates.js';
import { TokenBuckets } from './token-buckets.js';

export interface TrafficOptions {
  settings: TrafficSettings;
  /** Shared with the other routers, as the seed is. */
  memory: SharedArrayBuffer;
  seed: number;
  /** A monotonic clock that all routers share. */
  nowMs: () => number;
}

export class Traffic {
  readonly gates: Gates;
  readonly #breakers: BreakerGate;
  readonly #buckets: BucketGate;

  constructor({ settings, memory, seed, nowMs }: TrafficOptions) {
    const shared = new TrafficMemory(memory);
    this.#breakers = new BreakerGate(shared, settings.breaker, nowMs);
    this.#buckets = new BucketGate(new TokenBuckets(shared, seed), settings, nowMs);
    // Breakers first: what they refuse takes no tokens.
    this.gates = new Gates([this.#breakers, this.#buckets]);
  }

  configure(settings: TrafficSettings): void {
    this.#breakers.configure(settings.breaker);
    this.#buckets.configure(settings);
  }

  publish(stats: RouterStats): void {
    stats.set('limitRefusalsTotal', this.#buckets.refusedTotal);
    stats.set('breakerRefusalsTotal', this.#breakers.refusedTotal);
  }
}
