/** The first half of a start: the data dir is locked, known, and planned for. Starts no thread. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { Clock } from '../base/clock.js';
import type { Random } from '../base/random.js';
import { type Config, shardCountFor } from '../config/config.js';
import type { FileSystem } from '../storage/file-system.js';
import { finishReshard } from '../storage/reshard-switch.js';
import { makeDurableDir, openOrCreateRoot, type Root, readRoot } from '../storage/root-manifest.js';
import type { ClusterPlan } from './cluster-plan.js';
import { DataDirLock } from './data-dir-lock.js';
import { planCluster } from './plan-cluster.js';
import type { Timers } from './timers.js';

export interface OpenedDataDir {
  root: Root;
  plan: ClusterPlan;
  /** Gives the data dir free; nothing may use it any more. */
  releaseLock: () => Promise<void>;
}

export interface DataDirEnv {
  fs: FileSystem;
  clock: Clock;
  timers: Timers;
  random: Random;
}

/** Rejects with a StormError, the lock released, when the dir cannot be had or does not fit. */
export async function openDataDir(config: Config, env: DataDirEnv): Promise<OpenedDataDir> {
  const dataDir = resolve(config.data.dir);
  makeDurableDir(env.fs, dataDir);
  const lock = await DataDirLock.acquire(dataDir, env);
  try {
    finishReshard(env.fs, dataDir);
    return { ...openRoot(config, dataDir, env), releaseLock: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Everything is planned before anything is written into a new data dir. */
function openRoot(config: Config, dataDir: string, { fs, random }: DataDirEnv) {
  const shardCountIfNew = shardCountFor(config, availableParallelism());
  const plan = planCluster(config, dataDir, readRoot(fs, dataDir)?.shardCount ?? shardCountIfNew);
  const shardCount = config.shards.count > 0 ? config.shards.count : undefined;
  const root = openOrCreateRoot(fs, dataDir, { shardCount, shardCountIfNew, random });
  return { root, plan };
}
