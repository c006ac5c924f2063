/**
 * The configuration as the rest of the program sees it: complete, checked and frozen. Every limit
 * has its unit in its name. option-table.ts has each option's default, bounds and meaning;
 * load-config.ts makes a Config from flags, environment and file.
 */
import type { DoorConfig } from './door-config.js';
import type { TrafficConfig } from './traffic-config.js';

export interface Config extends DoorConfig, TrafficConfig {
  readonly data: {
    /** Relative to the working directory of the process. */
    readonly dir: string;
  };
  readonly shards: {
    /** 0 = what suits the machine; see `shardCountFor`. */
    readonly count: number;
  };
  readonly router: {
    readonly threads: number;
    readonly inFlightMax: number;
  };
  readonly limits: {
    readonly keyBytesMax: number;
    readonly valueBytesMax: number;
    readonly batchBytesMax: number;
    readonly batchEntriesMax: number;
    readonly deadlineMsDefault: number;
    readonly drainMsMax: number;
  };
  readonly shutdown: {
    readonly delayMs: number;
  };
  readonly memory: {
    /** Of the whole process's rings, MemTables and table memory; divided by memory-plan.ts. */
    readonly bytesMax: number;
  };
  readonly wal: {
    readonly sync: 'always' | 'interval' | 'os';
    readonly syncIntervalMs: number;
    readonly segmentBytes: number;
    readonly groupBytesMax: number;
    /** Per shard. */
    readonly liveBytesMax: number;
    /** Per shard. */
    readonly sparesMax: number;
    readonly idleSealMs: number;
  };
  readonly table: {
    readonly blockBytes: number;
    readonly bytesMax: number;
    readonly bloomBitsPerKey: number;
    readonly restartInterval: number;
    readonly compression: 'auto' | 'lz4' | 'deflate' | 'none';
  };
  readonly read: {
    readonly mode: 'auto' | 'mmap' | 'pread';
    readonly verify: 'first-touch' | 'always';
  };
  readonly feed: { readonly holdBytesMax: number };
  readonly scrub: { readonly bytesPerSecond: number };
  readonly compaction: {
    readonly threads: number;
    readonly fanIn: number;
    readonly garbagePercentBusy: number;
    readonly garbagePercentQuiet: number;
    readonly quietMs: number;
    readonly bytesPerSecond: number;
  };
  readonly pressure: {
    readonly runsSoft: number;
    readonly runsHard: number;
    readonly debtBytesSoft: number;
    readonly debtBytesHard: number;
    readonly bytesPerSecondMin: number;
  };
  readonly supervision: {
    readonly heartbeatMsMax: number;
    readonly restartBackoffMsMax: number;
  };
  readonly admin: {
    readonly chaos: boolean;
  };
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  };
}

/** `wal.sync`, `limits.keyBytesMax`, … */
export type ConfigPath = {
  [Section in keyof Config]: `${Section}.${keyof Config[Section] & string}`;
}[keyof Config];

/** The type of the option at a path. */
export type ConfigValue<Path extends ConfigPath> =
  Path extends `${infer Section extends keyof Config}.${infer Name}`
    ? Name extends keyof Config[Section]
      ? Config[Section][Name]
      : never
    : never;

/** Any part of a configuration, for programs that start a cluster with a few options of theirs. */
export type PartialConfig = {
  readonly [Section in keyof Config]?: Partial<Config[Section]>;
};

const SHARDS_MIN = 2;
const SHARDS_AUTO_MAX = 8;

/** The number of shards for a new data dir on a machine with so many processors. */
export function shardCountFor(config: Config, processors: number): number {
  if (config.shards.count > 0) return config.shards.count;
  return Math.max(SHARDS_MIN, Math.min(SHARDS_AUTO_MAX, processors));
}
