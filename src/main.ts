/**
 * Starts a whole cluster inside of this process: the entry for other programs and for the command
 * line. The only file that knows all parts; nothing happens when it is imported.
 */
import { systemRandom } from './base/random.js';
import { systemClock } from './base/system-clock.js';
import { CompactorPool } from './compactor/compactor-pool.js';
import type { Config, PartialConfig } from './config/config.js';
import { configWith } from './config/load-config.js';
import { nodeFileSystem } from './storage/node-file-system.js';
import { RunningCluster } from './supervisor/cluster.js';
import type { Cluster, ShardReport } from './supervisor/cluster-face.js';
import { createLog, type Log } from './supervisor/log.js';
import { openDataDir } from './supervisor/open-data-dir.js';
import { packageVersion } from './supervisor/package-version.js';
import { Reloader } from './supervisor/reloader.js';
import { spawnRouterWorker } from './supervisor/router-keeper.js';
import { SecurityDesk } from './supervisor/security-desk.js';
import { spawnShardWorker } from './supervisor/shard-life.js';
import { systemTimers } from './supervisor/timers.js';
import { trafficSettings } from './supervisor/traffic-plan.js';

export type { Config, PartialConfig } from './config/config.js';
export type { Cluster, ShardReport } from './supervisor/cluster-face.js';

export interface StartOptions {
  /** Where log lines go; JSON on stderr if not given. */
  log?: Log;
  /** Told of every change in a shard's life. */
  onShardChange?: (report: ShardReport) => void;
  /** The cluster cannot go on and the process should end; by default it does, with exit code 1. */
  onFatal?: (message: string) => void;
  /** Reads the options again, for `reload`; throws with every fault. */
  readConfig?: () => Config;
}

const [fs, clock, timers, random] = [nodeFileSystem, systemClock, systemTimers, systemRandom];

/**
 * Starts a cluster on its data dir, which belongs to this process until `close`. Options that are
 * not given have their defaults. Resolves when every shard has recovered (or refuses its data, see
 * `refusedShards`) and the doors listen. Rejects with a StormError, leaving nothing running, when
 * the options are wrong or the data dir, the ports or the memory cannot be had.
 */
export async function startCluster(
  options: PartialConfig = {},
  { log: givenLog, onShardChange = () => {}, onFatal, readConfig: read }: StartOptions = {},
): Promise<Cluster> {
  const config = configWith(options);
  const log = givenLog ?? createLog({ level: config.log.level });
  const security = securityDesk(config, log);
  const reloader = new Reloader({ config, read, security, log });
  const opened = await openDataDir(config, { fs, clock, timers, random }).catch((error) => {
    security.close();
    throw error;
  });
  const onError = (message: string) => log.write('error', `A pool thread died: ${message}`);
  const cluster = await RunningCluster.start({
    ...opened,
    host: {
      version: packageVersion(fs),
      pid: process.pid,
      rssBytes: process.memoryUsage.rss,
      space: (dir) => fs.space(dir),
      fs,
    },
    pool: new CompactorPool({ ...opened.plan.compaction, onError }),
    spawnShard: spawnShardWorker,
    spawnRouter: spawnRouterWorker,
    clock,
    timers,
    log,
    onFatal: onFatal ?? ((message) => endProcess(log, message)),
    onShardChange,
    security,
    reloader,
  });
  reloader.start((now) => {
    cluster.setTraffic(trafficSettings(now));
    log.setLevel?.(now.log.level);
  });
  return cluster;
}

/** Throws when the files that secure the doors cannot be used. */
function securityDesk({ tls, security, audit }: Config, log: Log): SecurityDesk {
  const { certFile, keyFile, clientCaFile, clientAuth } = tls;
  const { principalsFile, filesCheckMs } = security;
  const paths = { certFile, keyFile, clientCaFile, clientAuth, principalsFile };
  return new SecurityDesk({ paths, filesCheckMs, auditFile: audit.file, fs, log, clock, timers });
}

/** The line is written before the process ends: the log is synchronous. */
function endProcess(log: Log, message: string): void {
  log.write('error', `${message}; the process ends, a restart recovers`);
  process.exit(1);
}
