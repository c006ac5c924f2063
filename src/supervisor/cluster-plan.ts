/**
 * What a cluster is built from, once its data dir is known: every size and bound decided. Made from
 * the config by plan-cluster.ts; the rest of this folder knows nothing of the config.
 */
import type { EngineOptions, RouterBoot } from '../rpc/control.js';
import type { LinkSizes } from '../rpc/link.js';
import type { RouterDoors } from './router-doors.js';

export interface ClusterPlan {
  dataDir: string;
  shardCount: number;
  /** One per router thread. */
  doors: readonly RouterDoors[];
  /** For every router besides what the supervisor makes itself. */
  router: Pick<
    RouterBoot,
    | 'hostsAllowed'
    | 'originsAllowed'
    | 'hasReflection'
    | 'grpcLimits'
    | 'httpLimits'
    | 'audit'
    | 'metricsPublic'
    | 'keyBytesMax'
    | 'valueBytesMax'
    | 'inFlightMax'
    | 'deadlineMsDefault'
    | 'traffic'
    | 'batchBytesMax'
    | 'batchEntriesMax'
  >;
  /** The same for every shard. */
  engine: Omit<EngineOptions, 'shard' | 'dir' | 'storeUuid'>;
  linkSizes: LinkSizes;
  arenaCount: number;
  compaction: CompactionPlan;
  supervision: SupervisionPlan;
  /** See the option admin.chaos. */
  isChaosAllowed: boolean;
}

export interface CompactionPlan {
  quickThreads: number;
  mergeThreads: number;
  /** Jobs of one shard that may wait. */
  queueMax: number;
  niceIncrement: number;
}

export interface SupervisionPlan {
  restartBackoffMsMax: number;
  heartbeatMsMax: number;
  drainMsMax: number;
  /** Before that; see the option shutdown.delayMs. */
  drainDelayMs: number;
}
