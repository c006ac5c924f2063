/** From the config and the data dir's shard count to everything a cluster is built from. Pure. */
import { parseAddress } from '../base/address.js';
import type { Config } from '../config/config.js';
import { isLoopback } from '../config/door-relations.js';
import { planMemory } from '../config/memory-plan.js';
import type { RouterBoot } from '../rpc/control.js';
import { requireLz4 } from '../storage/block-codec.js';
import type { ClusterPlan } from './cluster-plan.js';
import { canSharePorts, planDoors } from './router-doors.js';
import { trafficSettings } from './traffic-plan.js';

/** Jobs of one shard that may wait at the desk; its engine has far fewer at a time. */
const JOBS_WAITING_MAX = 32;
const MERGE_NICE_INCREMENT = 5;
const QUICK_THREADS_MIN = 2;

/**
 * Throws when the memory budget is too small or something is asked for that does not exist here.
 * `sharesPorts`: several routers may listen on one port.
 */
export function planCluster(
  config: Config,
  dataDir: string,
  shardCount: number,
  sharesPorts = canSharePorts(process.version, process.platform),
): ClusterPlan {
  const { grpc, http, limits, router, wal, table, read } = config;
  const { compaction, scrub, pressure, supervision, shutdown, admin } = config;
  if (table.compression === 'lz4') requireLz4('table.compression cannot be lz4');
  const memory = planMemory(config, shardCount, router.threads);
  return {
    dataDir,
    shardCount,
    doors: planDoors(router.threads, grpc.address, http.address, sharesPorts),
    router: {
      ...doorRules(config),
      ...doorLimits(config),
      keyBytesMax: limits.keyBytesMax,
      valueBytesMax: limits.valueBytesMax,
      inFlightMax: router.inFlightMax,
      deadlineMsDefault: limits.deadlineMsDefault,
      traffic: trafficSettings(config),
      batchBytesMax: limits.batchBytesMax,
      batchEntriesMax: limits.batchEntriesMax,
    },
    engine: {
      keyBytesMax: limits.keyBytesMax,
      valueBytesMax: limits.valueBytesMax,
      batchBytesMax: limits.batchBytesMax,
      walSync: wal.sync,
      walSyncIntervalMs: wal.syncIntervalMs,
      walSegmentBytes: wal.segmentBytes,
      walGroupBytesMax: wal.groupBytesMax,
      walLiveBytesMax: wal.liveBytesMax,
      walSparesMax: wal.sparesMax,
      walIdleSealMs: wal.idleSealMs,
      arenaBytes: memory.arenaBytes,
      table: {
        blockBytes: table.blockBytes,
        tableBytesMax: table.bytesMax,
        bloomBitsPerKey: table.bloomBitsPerKey,
        restartInterval: table.restartInterval,
        compression: table.compression,
      },
      readMode: read.mode,
      readVerify: read.verify,
      // The other half is for indexes and filters of tables that could not be mapped.
      blockCacheBytes: Math.floor(memory.tableBytes / shardCount / 2),
      mergeFanIn: compaction.fanIn,
      mergeGarbagePercentBusy: compaction.garbagePercentBusy,
      mergeGarbagePercentQuiet: compaction.garbagePercentQuiet,
      mergeQuietMs: compaction.quietMs,
      mergeBytesPerSecond: compaction.bytesPerSecond,
      feedHoldBytesMax: config.feed.holdBytesMax,
      scrubBytesPerSecond: scrub.bytesPerSecond,
      pressure,
    },
    linkSizes: memory.rings,
    arenaCount: memory.arenaCount,
    compaction: {
      // Two at least: who writes may have to wait for a WAL file, and must not for a flush as well.
      quickThreads: Math.max(QUICK_THREADS_MIN, Math.floor(compaction.threads / 2)),
      mergeThreads: compaction.threads,
      queueMax: JOBS_WAITING_MAX,
      niceIncrement: MERGE_NICE_INCREMENT,
    },
    supervision: {
      ...supervision,
      drainMsMax: limits.drainMsMax,
      drainDelayMs: shutdown.delayMs,
    },
    isChaosAllowed: admin.chaos,
  };
}

function doorRules(config: Config) {
  const { http, audit } = config;
  return {
    hostsAllowed: [...http.hostsAllowed],
    originsAllowed: [...http.originsAllowed],
    hasReflection: hasReflection(config),
    audit: { writes: audit.writes, keys: audit.keys },
    metricsPublic: http.metricsPublic,
  };
}

function doorLimits({ grpc, http, tls }: Config): Pick<RouterBoot, 'grpcLimits' | 'httpLimits'> {
  const { handshakeMsMax } = tls;
  return {
    grpcLimits: {
      handshakeMsMax,
      connectionsMax: grpc.connectionsMax,
      connectionsPerPeerMax: grpc.connectionsPerPeerMax,
      resetsPerSecondMax: grpc.resetsPerSecondMax,
      controlFramesPerSecondMax: grpc.controlFramesPerSecondMax,
      connectionIdleMs: grpc.connectionIdleMsMax,
      sessionBytesMax: grpc.sessionBytesMax,
      concurrentStreamsMax: grpc.streamsPerConnectionMax,
      keepaliveTimeMs: grpc.keepaliveMs,
      keepaliveTimeoutMs: grpc.keepaliveAnswerMsMax,
    },
    httpLimits: {
      handshakeMsMax,
      connectionsMax: http.connectionsMax,
      connectionsPerPeerMax: http.connectionsPerPeerMax,
      headersTimeoutMs: http.headersMsMax,
      requestTimeoutMs: http.requestMsMax,
      keepAliveTimeoutMs: http.keepAliveMsMax,
      headerBytesMax: http.headerBytesMax,
    },
  };
}

function hasReflection({ grpc }: Config): boolean {
  if (grpc.reflection !== 'auto') return grpc.reflection === 'on';
  return isLoopback(parseAddress(grpc.address).host);
}
