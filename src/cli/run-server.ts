/**
 * Holds a cluster from its start to its end: ready line, signals, exit code. The first SIGTERM or
 * SIGINT stops in order, also while still starting; a second one ends the process at once, which is
 * safe: whatever was acknowledged is durable.
 */
import { messageOf, StormError } from '../base/errors.js';
import type { Config } from '../config/config.js';
import type { ReloadReport } from '../rpc/admin-operations.js';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.js';
import { formatReadyLine } from './ready-line.js';
import { reloadLines } from './reload-command.js';
import type { ServiceState } from './service-manager.js';

/** What is used of a running cluster (see src/main.ts). */
export interface ServedCluster {
  readonly grpcAddress: string;
  readonly grpcAddresses: readonly string[];
  readonly httpAddress: string;
  readonly shardCount: number;
  readonly dataDir: string;
  readonly recoveredRecords: number;
  readonly startedMs: number;
  readonly refusedShards: readonly { shard: number; reason: string }[];
  readonly closed: Promise<void>;
  close(): Promise<void>;
  /** Throws with every fault of the configuration. */
  reload(): ReloadReport;
}

export interface ServerWorld {
  version: string;
  pid: number;
  /** One line on stdout. */
  print(line: string): void;
  /** One line on stderr. */
  say(line: string): void;
  /** Calls back at each SIGTERM and SIGINT. */
  onStopSignal(callback: (signal: string) => void): void;
  /** Calls back at each SIGHUP. */
  onReloadSignal?(callback: () => void): void;
  exitNow(code: ExitCode): void;
  /** Tells the service manager, where there is one (service-manager.ts). */
  notify?: ((state: ServiceState) => void) | undefined;
  /** Resolves after so long, without keeping the process alive. */
  sleep(ms: number): Promise<void>;
  start(config: Config): Promise<ServedCluster>;
}

/** Beyond shutdown.delayMs and limits.drainMsMax: sealing the logs and ending the threads. */
const STOP_GRACE_MS = 10_000;
/** One Ctrl-C under `npm start` arrives twice: from the terminal and passed on by npm. */
const SAME_SIGNAL_MS = 300;

/** Resolves with the exit code when the cluster has ended. */
export async function runServer(config: Config, world: ServerWorld): Promise<ExitCode> {
  const stopped = firstStopSignal(world);
  let reload = () => world.say('SIGHUP: not yet, the server is starting');
  world.onReloadSignal?.(() => reload());
  let cluster: ServedCluster;
  try {
    cluster = await world.start(config);
  } catch (error) {
    world.say(startFailure(error));
    // A fault found only now, like a budget that is too small, is no matter of the command line.
    const code = exitCodeOf(error);
    return code === EXIT.corruption ? code : EXIT.failure;
  }
  announce(cluster, world);
  reload = () => sayReload(cluster, world);
  world.notify?.('READY=1');
  const signal = await Promise.race([stopped, cluster.closed.then(() => undefined)]);
  if (signal === undefined) {
    world.say('The cluster ended by itself');
    return EXIT.failure;
  }
  world.say(`${signal}: stopping; a second signal ends at once`);
  world.notify?.('STOPPING=1');
  const allowedMs = config.shutdown.delayMs + config.limits.drainMsMax + STOP_GRACE_MS;
  const isDone = await Promise.race([
    cluster.close().then(() => true),
    world.sleep(allowedMs).then(() => false),
  ]);
  if (isDone) return EXIT.ok;
  world.say(`Not stopped within ${allowedMs} ms: ending; acknowledged writes are durable`);
  return EXIT.failure;
}

function firstStopSignal(world: ServerWorld): Promise<string> {
  return new Promise((resolve) => {
    let state: 'running' | 'signalled' | 'stopping' = 'running';
    world.onStopSignal((signal) => {
      if (state === 'stopping') world.exitNow(EXIT.failure);
      if (state !== 'running') return;
      state = 'signalled';
      resolve(signal);
      void world.sleep(SAME_SIGNAL_MS).then(() => {
        state = 'stopping';
      });
    });
  });
}

function sayReload(cluster: ServedCluster, world: ServerWorld): void {
  try {
    for (const line of reloadLines(cluster.reload())) world.say(`SIGHUP: ${line}`);
  } catch (error) {
    world.say(`SIGHUP: nothing of the configuration has changed: ${messageOf(error)}`);
  }
}

function announce(cluster: ServedCluster, world: ServerWorld): void {
  for (const { shard, reason } of cluster.refusedShards) {
    world.say(`Shard ${shard} does not serve, the others do: ${reason}`);
  }
  const line = formatReadyLine({
    version: world.version,
    grpcAddress: cluster.grpcAddress,
    furtherGrpcAddresses: cluster.grpcAddresses.slice(1),
    httpAddress: cluster.httpAddress,
    shardCount: cluster.shardCount,
    dataDir: cluster.dataDir,
    recoveredRecords: cluster.recoveredRecords,
    startedMs: cluster.startedMs,
    pid: world.pid,
    refusedShards: cluster.refusedShards.map(({ shard }) => shard),
  });
  world.print(line);
}

function startFailure(error: unknown): string {
  const text = `Cannot start: ${messageOf(error)}`;
  if (!(error instanceof StormError)) {
    const stack = error instanceof Error ? `\n${error.stack}` : '';
    return `${text}\nThis is not expected; please report it with these lines.${stack}`;
  }
  if (error.code === 'DATA_CORRUPTION') {
    return `${text}\nNothing was changed. Copy the data dir before you try to repair it.`;
  }
  if (text.includes('EADDRINUSE')) {
    return `${text}\nAnother program has this port: choose one with --grpc or --http (0 = any).`;
  }
  return text;
}
