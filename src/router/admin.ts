/** The operator's operations as a router answers them: by asking the main thread. */
import type { AdminDone, AdminOperations, ClusterStats, Victim } from '../rpc/admin-operations.js';
import type { SupervisorCalls } from './supervisor-calls.js';

export class Admin implements AdminOperations {
  readonly #supervisor: SupervisorCalls;

  constructor(supervisor: SupervisorCalls) {
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
}
