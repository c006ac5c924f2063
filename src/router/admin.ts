/** The operator's operations as a router answers them: by asking the main thread. */
import type {
  AdminDone,
  AdminOperations,
  ClusterStats,
  ReloadReport,
  Victim,
} from '../rpc/admin-operations.js';
import type { BackupRequest, TaskStatus } from '../rpc/admin-tasks.js';
import type { Desk } from './supervisor-calls.js';

export class Admin implements AdminOperations {
  readonly #supervisor: Desk;

  constructor(supervisor: Desk) {
    this.#supervisor = supervisor;
  }

  stats(timeoutMs: number, done: AdminDone<ClusterStats>): void {
    this.#supervisor.ask({ kind: 'stats' }, timeoutMs, (error, answer) =>
      done(error, answer?.stats),
    );
  }

  killWorker(victim: Victim, timeoutMs: number, done: AdminDone<void>): void {
    this.#supervisor.ask({ kind: 'kill', victim }, timeoutMs, (error) => done(error, undefined));
  }

  backup(request: BackupRequest, timeoutMs: number, done: AdminDone<TaskStatus>): void {
    this.#supervisor.ask({ kind: 'backup', request }, timeoutMs, (error, answer) =>
      done(error, answer?.task),
    );
  }

  scrub(timeoutMs: number, done: AdminDone<TaskStatus>): void {
    this.#supervisor.ask({ kind: 'scrub' }, timeoutMs, (error, answer) =>
      done(error, answer?.task),
    );
  }

  reload(timeoutMs: number, done: AdminDone<ReloadReport>): void {
    this.#supervisor.ask({ kind: 'reload' }, timeoutMs, (error, answer) =>
      done(error, answer?.report),
    );
  }

  task(id: number, timeoutMs: number, done: AdminDone<TaskStatus>): void {
    this.#supervisor.ask({ kind: 'task', id }, timeoutMs, (error, answer) =>
      done(error, answer?.task),
    );
  }
}
