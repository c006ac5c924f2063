/** The operator's operations as a router answers them: the main thread's part and its own. */
import type { AdminDone, AdminOperations, ClusterStats, Victim } from '../rpc/admin-operations.js';
import type { RouterStatus } from './router-types.js';
import type { SupervisorCalls } from './supervisor-calls.js';

export class Admin implements AdminOperations {
  readonly #router: number;
  readonly #status: () => RouterStatus;
  readonly #supervisor: SupervisorCalls;

  constructor(router: number, status: () => RouterStatus, supervisor: SupervisorCalls) {
    this.#router = router;
    this.#status = status;
    this.#supervisor = supervisor;
  }

  stats(timeoutMs: number, done: AdminDone<ClusterStats>): void {
    this.#supervisor.ask({ kind: 'stats' }, timeoutMs, (error, answer) => {
      if (answer === undefined) {
        done(error, undefined);
        return;
      }
      const { draining, inFlight } = this.#status();
      const routers = [{ router: this.#router, draining, inFlight }];
      done(undefined, { ...answer.situation, routers });
    });
  }

  killWorker(victim: Victim, timeoutMs: number, done: AdminDone<void>): void {
    this.#supervisor.ask({ kind: 'kill', victim }, timeoutMs, (error) => done(error, undefined));
  }
}
