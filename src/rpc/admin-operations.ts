/**
 * What an operator asks of the whole cluster. Doors know only `AdminOperations`; a router answers
 * it by asking the main thread (`AdminQuestion` → `AdminAnswer` over the control port). To add an
 * operation: a question and its answer here, its handling in supervisor/admin-desk.ts, a method in
 * router/admin.ts, a codec, and a row of admin-service.ts.
 */
import type { ErrorCode, StormError } from '../base/errors.js';
import type { BackupRequest, TaskStatus } from './admin-tasks.js';
import type { StatName } from './shard-stats.js';

/** How one shard is. */
export interface ShardSituation {
  shard: number;
  /** A phase of docs/lifecycle.md: recovering, serving, ending, waiting, refused, stopping … */
  state: string;
  /** Why it does not serve, or why its last life ended; empty while all is well. */
  reason: string;
  /** Which life of the shard this is; 1 for the first since the process started. */
  epoch: number;
  /** How often it has opened its data since the process started, and how that went last. */
  recoveries: number;
  recoveryMs: number;
  recoveredRecords: number;
  /** See shard-stats.ts; they go on through its lives, but not through those of the process. */
  counters: Record<StatName, number>;
}

export interface ProcessSituation {
  version: string;
  pid: number;
  /** Since the cluster began to start. */
  uptimeMs: number;
  rssBytes: number;
}

/** How one router is. */
export interface RouterSituation {
  router: number;
  draining: boolean;
  /** Calls sent to shards and not yet answered. */
  inFlight: number;
}

/** The bounds that make the counters readable, per shard, and the disk that they share. */
export interface Bounds {
  memTableBytesMax: number;
  walLiveBytesMax: number;
  diskFreeBytes: number;
  diskTotalBytes: number;
}

export interface ClusterStats {
  process: ProcessSituation;
  bounds: Bounds;
  routers: RouterSituation[];
  shards: ShardSituation[];
}

/** A thread that may be killed: of a shard by number, or one that flushes or merges. */
export type Victim = { kind: 'shard'; shard: number } | { kind: 'flusher' } | { kind: 'merger' };

/** What became of a configuration that was read again. */
export interface ReloadReport {
  /** Options that have changed, and count from now on. */
  applied: string[];
  /** Options that differ from those of the start, and count from the next one on. */
  needRestart: string[];
  /** Certificates or principals have changed, and count from now on. */
  securityChanged: boolean;
  /** Why certificates or principals cannot be used; the former ones go on. Empty = they can. */
  securityError: string;
}

export type AdminQuestion =
  | { kind: 'stats' }
  | { kind: 'reload' }
  | { kind: 'kill'; victim: Victim }
  | { kind: 'backup'; request: BackupRequest }
  | { kind: 'scrub' }
  /** How far it is. */
  | { kind: 'task'; id: number };

/** To the question of the same kind. */
export type AdminAnswer =
  | { kind: 'stats'; stats: ClusterStats }
  | { kind: 'reload'; report: ReloadReport }
  | { kind: 'kill' }
  | { kind: 'backup'; task: TaskStatus }
  | { kind: 'scrub'; task: TaskStatus }
  | { kind: 'task'; task: TaskStatus }
  /** Any question may fail. */
  | { kind: 'failed'; code: ErrorCode; message: string };

export type AdminDone<T> = (error: StormError | undefined, result: T | undefined) => void;

/** Every call is answered exactly once; `timeoutMs` as in KvOperations. */
export interface AdminOperations {
  stats(timeoutMs: number, done: AdminDone<ClusterStats>): void;
  /** Done when the thread is gone. Fails with FAILED_PRECONDITION unless chaos is switched on. */
  killWorker(victim: Victim, timeoutMs: number, done: AdminDone<void>): void;
  /** Done when it has begun. */
  backup(request: BackupRequest, timeoutMs: number, done: AdminDone<TaskStatus>): void;
  /** A pass over all stored bytes at full speed; done when it has begun. */
  scrub(timeoutMs: number, done: AdminDone<TaskStatus>): void;
  /**
   * Has the server read its configuration, certificates and principals again. Fails with
   * INVALID_ARGUMENT, changing nothing of the configuration, when that has faults.
   */
  reload(timeoutMs: number, done: AdminDone<ReloadReport>): void;
  /** Of what was begun. */
  task(id: number, timeoutMs: number, done: AdminDone<TaskStatus>): void;
}
