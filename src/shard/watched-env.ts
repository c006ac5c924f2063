/** The world of an engine, in which failed syncs of its folder are noticed, its jobs' as well. */
import { StormError } from '../base/errors.js';
import { SyncAlarm } from '../rpc/sync-alarm.js';
import { WatchedFolder } from '../storage/watched-folder.js';
import type { EngineEnv, JobPort } from './engine-env.js';

export function watchedEnv(env: EngineEnv, dir: string): EngineEnv & { syncAlarm: SyncAlarm } {
  const syncAlarm = env.syncAlarm ?? new SyncAlarm(SyncAlarm.allocate());
  const { memory } = syncAlarm;
  const fs = new WatchedFolder(env.fs, dir, () => syncAlarm.raise());
  const jobs: JobPort = {
    submit: (job, done) => env.jobs.submit({ ...job, syncAlarm: memory }, done),
  };
  return { ...env, fs, jobs, syncAlarm };
}

/** For who finds the alarm raised. */
export function giveUp(): never {
  throw new StormError(
    'UNAVAILABLE',
    "A sync of the shard's folder failed: the disk may lack files that can be read; " +
      'the shard stops acknowledging',
  );
}
