/** The operator's operations with figures of the test's choice. */
import type { StormError } from '../../src/base/errors.js';
import type {
  AdminDone,
  AdminOperations,
  ClusterStats,
  ReloadReport,
  ShardSituation,
  Victim,
} from '../../src/rpc/admin-operations.js';
import type { BackupRequest, TaskStatus } from '../../src/rpc/admin-tasks.js';
import { STAT_NAMES, type StatName } from '../../src/rpc/shard-stats.js';

export function shardSituation(
  shard: number,
  counters: Partial<Record<StatName, number>> = {},
  changes: Partial<ShardSituation> = {},
): ShardSituation {
  const zeros = Object.fromEntries(STAT_NAMES.map((name) => [name, 0]));
  return {
    shard,
    state: 'serving',
    reason: '',
    epoch: 1,
    recoveries: 1,
    recoveryMs: 12,
    recoveredRecords: 7,
    counters: { ...(zeros as Record<StatName, number>), ...counters },
    ...changes,
  };
}

export function clusterStats(shards: ShardSituation[]): ClusterStats {
  return {
    process: { version: '1.2.3', pid: 4711, uptimeMs: 61_500.5, rssBytes: 200 * 2 ** 20 },
    bounds: {
      memTableBytesMax: 4 * 2 ** 20,
      walLiveBytesMax: 64 * 2 ** 20,
      diskFreeBytes: 10 * 2 ** 30,
      diskTotalBytes: 20 * 2 ** 30,
    },
    routers: [{ router: 0, draining: false, inFlight: 3 }],
    shards,
  };
}

export class FakeAdmin implements AdminOperations {
  /** When set, every call fails with it. */
  failWith: StormError | undefined;
  shards: ShardSituation[] = [shardSituation(0)];
  timeouts: number[] = [];

  stats(timeoutMs: number, done: AdminDone<ClusterStats>): void {
    this.timeouts.push(timeoutMs);
    if (this.failWith !== undefined) done(this.failWith, undefined);
    else done(undefined, clusterStats(this.shards));
  }

  readonly victims: Victim[] = [];

  killWorker(victim: Victim, timeoutMs: number, done: AdminDone<void>): void {
    this.timeouts.push(timeoutMs);
    this.victims.push(victim);
    done(this.failWith, undefined);
  }

  reloadReport: ReloadReport = {
    applied: [],
    needRestart: [],
    securityChanged: false,
    securityError: '',
  };

  reload(_timeoutMs: number, done: AdminDone<ReloadReport>): void {
    done(this.failWith, this.reloadReport);
  }

  readonly backups: BackupRequest[] = [];
  taskStatus: TaskStatus = {
    id: 1,
    kind: 'backup',
    state: 'running',
    doneBytes: 0,
    totalBytes: 0,
    code: '',
    message: '',
    report: '',
  };

  backup(request: BackupRequest, timeoutMs: number, done: AdminDone<TaskStatus>): void {
    this.timeouts.push(timeoutMs);
    this.backups.push(request);
    done(this.failWith, this.failWith === undefined ? this.taskStatus : undefined);
  }

  scrub(timeoutMs: number, done: AdminDone<TaskStatus>): void {
    this.timeouts.push(timeoutMs);
    done(this.failWith, this.failWith === undefined ? this.taskStatus : undefined);
  }

  task(id: number, timeoutMs: number, done: AdminDone<TaskStatus>): void {
    this.timeouts.push(timeoutMs);
    done(this.failWith, this.failWith === undefined ? { ...this.taskStatus, id } : undefined);
  }
}
