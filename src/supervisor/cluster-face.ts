/** What a program sees of a running cluster. */
import type { ReloadReport } from '../rpc/admin-operations.js';
import type { StatName } from '../rpc/shard-stats.js';
import type { Lane } from './compaction-desk.js';
import type { ShardPhase } from './shard-state.js';

export interface ShardReport {
  shard: number;
  phase: ShardPhase;
  /** Which life of the shard; 1 for the first since the cluster started. */
  epoch: number;
  /** Why it does not serve; empty while all is well. */
  reason: string;
}

export interface Cluster {
  /** HOST:PORT with the real port: of the first router, and of all. */
  readonly grpcAddress: string;
  readonly grpcAddresses: readonly string[];
  readonly httpAddress: string;
  readonly shardCount: number;
  readonly dataDir: string;
  /** Records that all shards replayed from their logs when they last opened. */
  readonly recoveredRecords: number;
  /** How long the start took. */
  readonly startedMs: number;
  /** Shards that do not serve, and why; empty while all is well. */
  readonly refusedShards: { shard: number; reason: string }[];
  /** Resolves when everything has ended, after `close`. */
  readonly closed: Promise<void>;
  /** Stops in order (see docs/lifecycle.md). Never rejects; more calls wait for the same end. */
  close(): Promise<void>;
  /**
   * Reads the configuration, certificates and principals again. Throws INVALID_ARGUMENT with every
   * fault of the configuration; nothing of it has changed then.
   */
  reload(): ReloadReport;
  shardState(shard: number): ShardReport;
  shardStats(shard: number): Record<StatName, number>;
  /** For chaos tests: ends the shard's thread wherever it is; resolves when it is gone. */
  killShard(shard: number): Promise<void>;
  /** For chaos tests: ends one pool thread in the middle of its job. */
  killCompactor(lane: Lane): Promise<void>;
}
