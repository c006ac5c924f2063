/** The world of an engine, passed in so that production and simulation run the same code. */
import type { Clock } from '../base/clock.js';
import type { Random } from '../base/random.js';
import type { Job, JobResult } from '../rpc/jobs.js';
import type { SyncAlarm } from '../rpc/sync-alarm.js';
import type { FileSystem } from '../storage/file-system.js';

export interface JobPort {
  /**
   * Has the job done elsewhere. `done` is called once, on the engine's thread, never from within
   * `submit`; not at all when the engine is gone by then.
   */
  submit(job: Job, done: (result: JobResult) => void): void;
}

export interface ArenaPort {
  /** An empty arena if one is at hand; otherwise one is asked for and may be there next time. */
  take(): SharedArrayBuffer | undefined;
  /** Hands an arena back. One that the pool never lent (see recovery) is dropped. */
  give(arena: SharedArrayBuffer): void;
  readonly atHand: boolean;
}

export interface EngineEnv {
  fs: FileSystem;
  clock: Clock;
  random: Random;
  jobs: JobPort;
  arenas: ArenaPort;
  /** Of the shard's folder; one of its own if not given. */
  syncAlarm?: SyncAlarm;
}
