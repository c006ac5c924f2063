/**
 * Control messages between the supervisor (main thread) and the threads it started. They are rare
 * and carry shared memory and ports, so they travel by structured clone over MessagePorts; the hot
 * path uses the rings. After posting to a shard, ring its bell: it may be parked.
 */
import type { MessagePort } from 'node:worker_threads';
import type { TableOptions } from '../base/table-meta.js';
import type { AdminAnswer, AdminQuestion } from './admin-operations.js';
import type { AuditRecord, AuditSettings } from './audit.js';
import type { GrpcDoorLimits, HttpDoorLimits } from './door-limits.js';
import type { SecuritySettings } from './door-security.js';
import type { Job, JobResult } from './jobs.js';
import type { LinkMemory } from './link.js';
import type { ShardAnswer, ShardQuestion } from './shard-operations.js';
import type { TrafficSettings } from './traffic.js';

/** When a write counts as done; docs/formats/wal.md has each mode's promise. */
export type SyncMode = 'always' | 'interval' | 'os';

/**
 * When writes are slowed so that flushes and merges keep up: strain begins at the soft limits and
 * is full at the hard ones (shard/write-pressure.ts).
 */
export interface PressureLimits {
  runsSoft: number;
  runsHard: number;
  debtBytesSoft: number;
  debtBytesHard: number;
  /** Writes are never slowed down below this. */
  bytesPerSecondMin: number;
}

/** How one shard stores its data. */
export interface EngineOptions {
  shard: number;
  dir: string;
  /** 32 hexadecimal digits. */
  storeUuid: string;
  keyBytesMax: number;
  valueBytesMax: number;
  /** The largest entry run that one request may carry. */
  batchBytesMax: number;
  walSync: SyncMode;
  walSyncIntervalMs: number;
  walSegmentBytes: number;
  /** How much of the log one named reader of changes may hold; left out = 256 MiB. */
  feedHoldBytesMax?: number;
  walGroupBytesMax: number;
  walLiveBytesMax: number;
  walSparesMax: number;
  walIdleSealMs: number;
  arenaBytes: number;
  table: TableOptions;
  readMode: 'auto' | 'mmap' | 'pread';
  readVerify: 'first-touch' | 'always';
  /** For blocks that had to be decompressed or read; 0 = none. */
  blockCacheBytes: number;
  /** How many sorted runs of like size a merge takes. */
  mergeFanIn: number;
  /** Garbage per 100 bytes that stay at which everything is merged, while flushes go on. */
  mergeGarbagePercentBusy: number;
  /** The same when there was no flush for `mergeQuietMs`. */
  mergeGarbagePercentQuiet: number;
  mergeQuietMs: number;
  /** What each merge job reads at the most; 0 = no limit. */
  mergeBytesPerSecond: number;
  /** What the background scrub reads again; 0 or left out = there is none. */
  scrubBytesPerSecond?: number;
  /** Without them writes are never slowed; they may still have to wait for an arena. */
  pressure?: PressureLimits;
}

/** `workerData` of a shard thread. */
export interface ShardBoot {
  engine: EngineOptions;
  slotMapEpoch: number;
  /** One per router, fresh for this life of the shard. */
  links: LinkMemory[];
  /** Where to wake each router, in the order of `links`. Must be in the transfer list. */
  routerPorts: MessagePort[];
  /** The shard's end of the control channel. Must be in the transfer list. */
  control: MessagePort;
  /** See shard-stats.ts; outlives the thread. */
  stats: SharedArrayBuffer;
  /** Arenas to begin with; more on request. */
  arenas: SharedArrayBuffer[];
  /** True after a failed write or fsync: what was replayed must go to fresh files first. */
  distrustPageCache: boolean;
  /** See sync-alarm.ts; outlives the thread. */
  syncAlarm: SharedArrayBuffer;
  /** Of its failures, those that this life need not fear any more, or distrusts because of. */
  syncFailuresKnown: number;
}

export type ToShard =
  | { kind: 'job-done'; id: number; result: JobResult }
  | { kind: 'arena'; arena: SharedArrayBuffer }
  | { kind: 'ask'; id: number; question: ShardQuestion }
  /** Answer what is in flight, seal the WAL, say `stopped`, end the thread. */
  | { kind: 'stop' };

export type FromShard =
  | { kind: 'ready'; recoveredRecords: number; recoveryMs: number; lastSequence: number }
  /** The shard does not serve its data; it ends after this and must not be restarted at once. */
  | { kind: 'refused'; code: string; message: string }
  /** A write or fsync failed: pending writes are unknown; the thread ends after this. */
  | { kind: 'poisoned'; message: string }
  | { kind: 'job'; id: number; job: Job }
  /** To the `ask` of this id. */
  | { kind: 'answer'; id: number; answer: ShardAnswer }
  | { kind: 'arena-wanted' }
  | { kind: 'arena-back'; arena: SharedArrayBuffer }
  | { kind: 'stopped' }
  | LogMessage;

/** `workerData` of a router thread. */
export interface RouterBoot {
  router: number;
  grpcAddress: string;
  /** Empty = this router has no HTTP door. */
  httpAddress: string;
  /** Other routers listen on the same ports. */
  sharesPorts: boolean;
  hostsAllowed: string[];
  originsAllowed: string[];
  /** Whether tools may ask the gRPC door for its schema. */
  hasReflection: boolean;
  grpcLimits: GrpcDoorLimits;
  httpLimits: HttpDoorLimits;
  /** To begin with; a `security` message changes them. */
  security: SecuritySettings;
  audit: AuditSettings;
  /** Whether figures need no principal. */
  metricsPublic: boolean;
  keyBytesMax: number;
  valueBytesMax: number;
  inFlightMax: number;
  deadlineMsDefault: number;
  /** To begin with; a `traffic` message changes them. */
  traffic: TrafficSettings;
  batchBytesMax: number;
  batchEntriesMax: number;
  shardCount: number;
  /** slot → shard, 16384 entries, shared. */
  slotOwner: SharedArrayBuffer;
  slotMapEpoch: number;
  routerBell: SharedArrayBuffer;
  /** What all routers count together; see traffic.ts. */
  trafficMemory: SharedArrayBuffer;
  /** Of hashes that callers must not foresee. */
  trafficSeed: number;
  /** By shard; see shard-stats.ts. */
  shardStats: SharedArrayBuffer[];
  /** See router-stats.ts. */
  stats: SharedArrayBuffer;
  /** The router's end of the control channel. Must be in the transfer list. */
  control: MessagePort;
}

export type ToRouter =
  /** The shard serves (again) on this link; `wake` is where it wakes the router (transferred). */
  | { kind: 'shard-up'; shard: number; link: LinkMemory; wake: MessagePort }
  | { kind: 'shard-down'; shard: number; reason: string }
  | { kind: 'shard-refused'; shard: number; reason: string }
  /** These may come in from now on. */
  | { kind: 'security'; settings: SecuritySettings }
  /** Calls are governed by these from now on. */
  | { kind: 'traffic'; settings: TrafficSettings }
  /** To the `ask` of this id. */
  | { kind: 'answer'; id: number; answer: AdminAnswer }
  /**
   * Say not ready, go on for `delayMs`, stop accepting, answer what is in flight within
   * `deadlineMs`, then say `drained`.
   */
  | { kind: 'drain'; delayMs: number; deadlineMs: number };

export type FromRouter =
  | { kind: 'listening'; grpcAddress: string; httpAddress: string }
  | { kind: 'failed'; message: string }
  | { kind: 'drained' }
  | { kind: 'audit'; record: AuditRecord }
  /** Of an operator; each is answered once, unless the router is gone. */
  | { kind: 'ask'; id: number; question: AdminQuestion }
  /** A channel of this link broke its rules: the shard must get new links, that is, a new life. */
  | { kind: 'damaged'; shard: number; epoch: number; message: string }
  | LogMessage;

/** A log line of a thread; the main thread alone writes logs. */
export interface LogMessage {
  kind: 'log';
  level: 'debug' | 'info' | 'warn' | 'error';
  message: string;
  fields: Record<string, string | number | boolean>;
}
