/**
 * What governs calls, the same for all routers: the settings, which can be changed while the server
 * runs, and the memory in which the routers keep common accounts.
 *
 * Layout: `BREAKER_COUNT` breakers of `BREAKER_WORDS` Int32 each (router/breaker.ts), then
 * `BUCKET_COUNT` Float64 of token buckets (router/token-buckets.ts): one global, one per class, and
 * a table for callers; then an Int32 tag for each place of that table.
 */
export const CALL_CLASSES = ['read', 'write', 'scan', 'admin'] as const;
/** By what a call costs: limits, budgets and breakers are per class. */
export type CallClass = (typeof CALL_CLASSES)[number];

export interface BucketSettings {
  /** Entries that may come at once. */
  burst: number;
  /** Entries per second; 0 = no limit. */
  rate: number;
}

/** A bucket that one caller has besides those that all have. */
export interface Quota extends BucketSettings {
  caller: string;
  kind: CallClass | 'all';
}

export const BREAKER_SCOPES = ['global', ...CALL_CLASSES, 'caller'] as const;
export type BreakerScope = (typeof BREAKER_SCOPES)[number];

export interface BreakerSettings {
  scopes: readonly BreakerScope[];
  windowMs: number;
  /** Parts of the window. */
  buckets: number;
  /** It opens when more than this part of the window's calls failed … */
  ratio: number;
  /** … and there were so many. */
  requests: number;
  openMs: number;
  probes: number;
}

export interface TrafficSettings {
  buckets: Record<'global' | 'caller' | CallClass, BucketSettings>;
  quotas: readonly Quota[];
  breaker: BreakerSettings;
}

/** Nothing is limited. */
export const OPEN_TRAFFIC: TrafficSettings = {
  buckets: {
    global: { burst: 1, rate: 0 },
    caller: { burst: 1, rate: 0 },
    read: { burst: 1, rate: 0 },
    write: { burst: 1, rate: 0 },
    scan: { burst: 1, rate: 0 },
    admin: { burst: 1, rate: 0 },
  },
  quotas: [],
  breaker: {
    scopes: [],
    windowMs: 5000,
    buckets: 10,
    ratio: 0.5,
    requests: 100,
    openMs: 1000,
    probes: 5,
  },
};

export const WINDOW_BUCKETS_MAX = 60;
/** State, since, probes begun, done, failed; openings; two to spare; then three per bucket. */
export const BREAKER_WORDS = 8 + 3 * WINDOW_BUCKETS_MAX;
/** The global one and one per class; a caller's is its router's own. */
const BREAKER_COUNT = 1 + CALL_CLASSES.length;
const FIXED_BUCKETS = 1 + CALL_CLASSES.length;
/** Places for callers: a power of two; each caller may need a few. */
export const CALLER_PLACES = 16_384;
const BUCKET_COUNT = FIXED_BUCKETS + CALLER_PLACES;

export class TrafficMemory {
  readonly #memory: SharedArrayBuffer;
  /** Times in ms, and the same words for atomic exchange. */
  readonly times: Float64Array;
  readonly timeBits: BigInt64Array;
  /** Whose a caller's place is; 0 = nobody's. */
  readonly tags: Int32Array;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(
      BREAKER_COUNT * BREAKER_WORDS * 4 + BUCKET_COUNT * 8 + CALLER_PLACES * 4,
    );
  }

  constructor(memory: SharedArrayBuffer) {
    this.#memory = memory;
    const bucketsAt = BREAKER_COUNT * BREAKER_WORDS * 4;
    this.times = new Float64Array(memory, bucketsAt, BUCKET_COUNT);
    this.timeBits = new BigInt64Array(memory, bucketsAt, BUCKET_COUNT);
    this.tags = new Int32Array(memory, bucketsAt + BUCKET_COUNT * 8, CALLER_PLACES);
  }

  breakerWords(scope: 'global' | CallClass): Int32Array {
    const index = scope === 'global' ? 0 : 1 + CALL_CLASSES.indexOf(scope);
    return new Int32Array(this.#memory, index * BREAKER_WORDS * 4, BREAKER_WORDS);
  }

  /** The place of a bucket that always exists. */
  static bucketOf(scope: 'global' | CallClass): number {
    return scope === 'global' ? 0 : 1 + CALL_CLASSES.indexOf(scope);
  }

  /** The bucket at a place of the callers' table. */
  static bucketOfPlace(place: number): number {
    return FIXED_BUCKETS + place;
  }
}
