/** What a cluster is put together from: the world around it, real or simulated. */
import type { Clock } from '../base/clock.js';
import type { Channels } from '../rpc/channels.js';
import type { DiskSpace, FileSystem } from '../storage/file-system.js';
import type { Root } from '../storage/root-manifest.js';
import type { ShardReport } from './cluster-face.js';
import type { ClusterPlan } from './cluster-plan.js';
import type { JobPool, Lane } from './compaction-desk.js';
import type { Log } from './log.js';
import type { Reloader } from './reloader.js';
import type { SpawnRouter } from './router-keeper.js';
import type { SecurityDesk } from './security-desk.js';
import type { SpawnShard } from './shard-life.js';
import type { Timers } from './timers.js';

/** The pool as the cluster ends it. */
export interface ClusterPool extends JobPool {
  killThread(lane: Lane): Promise<void>;
  close(): Promise<void>;
}

/** What the process knows of itself and of the machine. */
export interface ClusterHost {
  readonly version: string;
  readonly pid: number;
  rssBytes(): number;
  /** Of the file system with this dir. */
  space(dir: string): DiskSpace;
  /** Where backups are written; without it there are none. */
  readonly fs?: FileSystem;
}

export interface ClusterParts {
  plan: ClusterPlan;
  host: ClusterHost;
  root: Root;
  /** Owned by the cluster from now on, also when the start fails. */
  pool: ClusterPool;
  releaseLock: () => Promise<void>;
  spawnShard: SpawnShard;
  spawnRouter: SpawnRouter;
  clock: Clock;
  timers: Timers;
  log: Log;
  onFatal: (message: string) => void;
  onShardChange: (report: ShardReport) => void;
  /** The system's if not given. */
  channels?: Channels | undefined;
  /** Who may come in; everybody if not given. Closed with the cluster. */
  security?: SecurityDesk | undefined;
  reloader?: Reloader | undefined;
}
