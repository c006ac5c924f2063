/** The compactor pool in the simulation: the jobs' own code, started late, killed now and then. */
import { runJob } from '../../src/compactor/run-job.js';
import type { Job, JobResult } from '../../src/rpc/jobs.js';
import type { ClusterPool } from '../../src/supervisor/cluster-parts.js';
import type { Lane } from '../../src/supervisor/compaction-desk.js';
import { ThreadDisk } from './thread-disk.js';
import type { World } from './world.js';

const THREADS = { quick: 1, merge: 2 };
const DIED: JobResult = { ok: false, code: 'WORKER_DIED', message: 'The thread was killed' };

interface Running {
  lane: Lane;
  disk: ThreadDisk;
}

export class SimPool implements ClusterPool {
  readonly #world: World;
  readonly #running = new Set<Running>();

  constructor(world: World) {
    this.#world = world;
  }

  threads(lane: Lane): number {
    return THREADS[lane];
  }

  run(lane: Lane, job: Job): Promise<JobResult> {
    const { scheduler, disk, odds } = this.#world;
    const thread = scheduler.thread(`${lane} pool`);
    const own = new ThreadDisk(disk, scheduler, thread);
    const running = { lane, disk: own };
    this.#running.add(running);
    if (this.#running.size > THREADS.quick + THREADS.merge) {
      this.#world.violation(`The pool has ${this.#running.size} jobs at a time`);
    }
    if (scheduler.random.chance(odds.jobDies)) this.#killIn(running);
    return new Promise((resolve) => {
      scheduler.after(thread, odds.jobDelay(), () => {
        const result = runJob(own, job);
        const isDead = thread.isDead;
        own.closeAll();
        this.#running.delete(running);
        if (own.isDown) {
          this.#world.goDown();
          return;
        }
        this.#world.count(job.kind);
        this.#world.trace.line(() => `${job.kind}: ${isDead ? 'killed' : resultText(result)}`);
        scheduler.after(this.#world.main, scheduler.between(0.01, 0.5), () =>
          resolve(isDead ? DIED : result),
        );
      });
    });
  }

  async killThread(lane: Lane): Promise<void> {
    for (const running of this.#running) {
      if (running.lane !== lane) continue;
      this.#killIn(running);
      return;
    }
  }

  async close(): Promise<void> {}

  #killIn({ disk }: Running): void {
    this.#world.count('kills');
    disk.killAt(1 + this.#world.scheduler.random.nextInt(24));
  }
}

function resultText(result: JobResult): string {
  return result.ok ? `${result.output.tables.length} tables` : `${result.code} ${result.message}`;
}
