/** The part of the configuration that governs calls; traffic-options.ts says what it means. */
interface BucketConfig {
  readonly burst: number;
  /** Entries per second; 0 = no limit. */
  readonly rate: number;
}

export interface TrafficConfig {
  readonly bucket: BucketConfig;
  readonly readBucket: BucketConfig;
  readonly writeBucket: BucketConfig;
  readonly scanBucket: BucketConfig;
  readonly adminBucket: BucketConfig;
  readonly callerBucket: BucketConfig & {
    /** `CALLER CLASS RATE BURST` each. */
    readonly quotas: readonly string[];
  };
  readonly breaker: {
    readonly scopes: readonly string[];
    readonly windowMs: number;
    readonly buckets: number;
    readonly ratio: number;
    readonly requests: number;
    readonly openMs: number;
    readonly probes: number;
  };
}
