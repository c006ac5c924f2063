/** Builds the world of a run: a server of its own with a disk that fails, or somebody's server. */
import { systemClock } from '../base/system-clock.js';
import { KvClient } from '../cli/kv-client.js';
import { ServerProcess } from '../demo/server-process.js';
import { DiskShim, writeServerConfig } from './disk-shim.js';
import { GrpcDoor } from './grpc-door.js';
import { History } from './history.js';
import { type ChaosOptions, type ChaosResult, runChaos } from './run-chaos.js';
import { SpawnedVictim, TargetVictim } from './victim.js';

export type Setting = Omit<ChaosOptions, 'victim' | 'history' | 'run' | 'keyPrefix'>;

export interface OwnWorld {
  /** Absolute, empty; the data dir becomes a part of it. */
  readonly dir: string;
  readonly shardCount: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What is run instead of our own command line. */
  readonly script?: string;
  say(line: string): void;
}

const READY_TIMEOUT_MS = 60_000;
const CALL_TIMEOUT_MS = 5_000;

/** Everything of the run stays in `world.dir`. */
export async function attackOwn(
  world: OwnWorld,
  run: string,
  setting: Setting,
): Promise<ChaosResult> {
  const { dir, shardCount, env, script, say } = world;
  const dataDir = `${dir}/data`;
  const shim = DiskShim.build(dir, dataDir);
  const disk = typeof shim === 'string' ? undefined : shim;
  if (typeof shim === 'string') {
    say(`Without lost power, full disks and failing syncs, because ${shim}`);
  }
  const history = new History();
  const config = writeServerConfig(dir);
  const victim = await SpawnedVictim.start({
    startServer: () =>
      ServerProcess.start({
        dataDir,
        shardCount,
        config,
        env: { ...env, ...disk?.env },
        isDetached: true,
        readyTimeoutMs: READY_TIMEOUT_MS,
        ...(script === undefined ? {} : { script }),
      }),
    openDoor,
    disk,
    sleep: setting.sleep,
    onLapse: (life) => history.lapse(life),
  });
  try {
    return await runChaos({ ...setting, victim, history, run, keyPrefix: '' });
  } finally {
    await victim.close();
  }
}

/** Writes only keys that begin with `chaos/<run>/`; they are removed unless there is evidence. */
export async function attackTarget(
  target: string,
  run: string,
  setting: Setting,
): Promise<ChaosResult> {
  const keyPrefix = `chaos/${run}/`;
  const client = new KvClient(target, CALL_TIMEOUT_MS, systemClock.wallMs);
  try {
    const { shards } = await client.stats();
    const victim = await TargetVictim.reach(openDoor(1, target), shards.length);
    try {
      const result = await runChaos({
        ...setting,
        victim,
        history: new History(),
        run,
        keyPrefix,
      });
      if (result.violations.length === 0) {
        await client.deletePrefix(Buffer.from(keyPrefix, 'utf8'), false);
      }
      return result;
    } finally {
      await victim.close();
    }
  } finally {
    client.close();
  }
}

function openDoor(life: number, target: string): GrpcDoor {
  return new GrpcDoor(life, target, CALL_TIMEOUT_MS, systemClock.wallMs);
}
