/**
 * The one table of all options. Validation, defaults, names in the environment, command line flags,
 * the JSON Schema and the tables of docs/CONFIGURATION.md are made from it; a number stands nowhere
 * else. The types bind it to the Config interface: an option that is missing or does not fit is a
 * compile error.
 */
import type { ConfigPath, ConfigValue } from './config.js';
import { DOOR_OPTIONS } from './door-options.js';
import { TRAFFIC_OPTIONS } from './traffic-options.js';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

export type Unit = 'bytes' | 'ms' | 'bits' | 'threads' | 'shards' | 'calls' | 'entries' | 'files';

interface OptionBase<Value> {
  default: Value;
  /** One sentence, without the default. */
  help: string;
  /** The flag of `stormkv serve` that sets it. */
  flag?: string;
  /** It can change while the server runs (`stormkv reload`, SIGHUP). */
  reloads?: true;
}
export interface IntegerOption extends OptionBase<number> {
  type: 'integer';
  min: number;
  max: number;
  /** None for a plain number. */
  unit?: Unit;
}
/** Any number, where IntegerOption is a whole one. */
export interface NumberOption extends OptionBase<number> {
  type: 'number';
  min: number;
  max: number;
}
export interface TextOption extends OptionBase<string> {
  /** `address` = HOST:PORT; `file` = a path, empty for none. */
  type: 'text' | 'address' | 'file';
}
export interface ListOption extends OptionBase<readonly string[]> {
  /** In the environment separated by commas. */
  type: 'hosts' | 'origins' | 'quotas' | 'scopes';
}
export interface BooleanOption extends OptionBase<boolean> {
  type: 'boolean';
}
export interface ChoiceOption<Choice extends string = string> extends OptionBase<Choice> {
  type: 'choice';
  choices: readonly Choice[];
}
export type Option =
  | IntegerOption
  | NumberOption
  | TextOption
  | ListOption
  | BooleanOption
  | ChoiceOption;

type OptionFor<Value> = [Value] extends [number]
  ? IntegerOption | NumberOption
  : [Value] extends [boolean]
    ? BooleanOption
    : [Value] extends [readonly string[]]
      ? ListOption
      : [Value] extends [string]
        ? string extends Value
          ? TextOption
          : ChoiceOption<Value>
        : never;

export const OPTIONS: { readonly [Path in ConfigPath]: OptionFor<ConfigValue<Path>> } = {
  ...DOOR_OPTIONS,
  ...TRAFFIC_OPTIONS,
  'data.dir': {
    type: 'text',
    flag: '--data-dir',
    default: './data',
    help: 'The folder of all data, relative to the working directory; one process owns it.',
  },
  'shards.count': {
    type: 'integer',
    flag: '--shards',
    default: 0,
    min: 0,
    max: 256,
    unit: 'shards',
    help: 'Shards of a new data dir; 0 = one for each processor, at least 2, at most 8.',
  },
  'router.threads': {
    type: 'integer',
    default: 1,
    min: 1,
    max: 8,
    unit: 'threads',
    help: 'Threads that hold the doors; without SO_REUSEPORT each has a gRPC port of its own.',
  },
  'router.inFlightMax': {
    type: 'integer',
    default: 65_536,
    min: 16,
    max: 1_048_576,
    unit: 'calls',
    help: 'Calls in progress in one router; more are refused with RESOURCE_EXHAUSTED.',
  },
  'limits.keyBytesMax': {
    type: 'integer',
    default: 4 * KIB,
    min: 1,
    max: 64 * KIB - 1,
    unit: 'bytes',
    help: 'The longest key.',
  },
  'limits.valueBytesMax': {
    type: 'integer',
    default: MIB,
    min: 1,
    max: 16 * MIB,
    unit: 'bytes',
    help: 'The longest value.',
  },
  'limits.batchBytesMax': {
    type: 'integer',
    default: 4 * MIB,
    min: 4 * KIB,
    max: 31 * MIB,
    unit: 'bytes',
    help: 'The longest batch of writes to one shard.',
  },
  'limits.batchEntriesMax': {
    type: 'integer',
    default: 10_000,
    min: 1,
    max: 100_000,
    unit: 'entries',
    help: 'The most entries in one batch.',
  },
  'limits.deadlineMsDefault': {
    type: 'integer',
    default: 10_000,
    min: 1,
    max: 600_000,
    unit: 'ms',
    help: 'How long a call may take whose caller set no deadline.',
  },
  'limits.drainMsMax': {
    type: 'integer',
    default: 10_000,
    min: 1,
    max: 600_000,
    unit: 'ms',
    help: 'How long a stop waits for calls in progress.',
  },
  'shutdown.delayMs': {
    type: 'integer',
    default: 0,
    min: 0,
    max: 600_000,
    unit: 'ms',
    help: 'How long a stop goes on serving while it says not ready, so that balancers can turn away.',
  },
  'memory.bytesMax': {
    type: 'integer',
    default: GIB,
    min: 4 * MIB,
    max: 1024 * GIB,
    unit: 'bytes',
    help: 'Memory of all rings, MemTables and table readers together, whatever the shard count.',
  },
  'wal.sync': {
    type: 'choice',
    choices: ['always', 'interval', 'os'],
    default: 'always',
    help: 'Acknowledge after the fdatasync (always), or before one every so often, or never sync.',
  },
  'wal.syncIntervalMs': {
    type: 'integer',
    default: 100,
    min: 1,
    max: 60_000,
    unit: 'ms',
    help: 'With wal.sync "interval": the time between two fdatasyncs, which a power loss can take.',
  },
  'wal.segmentBytes': {
    type: 'integer',
    default: 16 * MIB,
    min: 64 * KIB,
    max: GIB,
    unit: 'bytes',
    help: 'Size of a WAL file; a multiple of 4096.',
  },
  'wal.groupBytesMax': {
    type: 'integer',
    default: MIB,
    min: 4 * KIB,
    max: 64 * MIB,
    unit: 'bytes',
    help: 'A group commit takes no more requests when it has so many bytes.',
  },
  'wal.liveBytesMax': {
    type: 'integer',
    default: 256 * MIB,
    min: 128 * KIB,
    max: 64 * GIB,
    unit: 'bytes',
    help: 'WAL of one shard that is not yet in tables; at so much the MemTable is flushed.',
  },
  'wal.sparesMax': {
    type: 'integer',
    default: 6,
    min: 0,
    max: 64,
    unit: 'files',
    help: 'WAL files that one shard keeps ready for reuse.',
  },
  'wal.idleSealMs': {
    type: 'integer',
    default: 20,
    min: 1,
    max: 60_000,
    unit: 'ms',
    help: 'A shard without writes for so long marks the end of its WAL.',
  },
  'table.blockBytes': {
    type: 'integer',
    default: 4 * KIB,
    min: 512,
    max: MIB,
    unit: 'bytes',
    help: 'Target size of a data block of a table.',
  },
  'table.bytesMax': {
    type: 'integer',
    default: 128 * MIB,
    min: 64 * KIB,
    max: GIB,
    unit: 'bytes',
    help: 'A merge starts the next table at this size.',
  },
  'table.bloomBitsPerKey': {
    type: 'integer',
    default: 10,
    min: 0,
    max: 32,
    unit: 'bits',
    help: 'Size of the bloom filter; 0 = none.',
  },
  'table.restartInterval': {
    type: 'integer',
    default: 16,
    min: 1,
    max: 1024,
    unit: 'entries',
    help: 'Entries of a block from one full key to the next.',
  },
  'table.compression': {
    type: 'choice',
    choices: ['auto', 'lz4', 'deflate', 'none'],
    default: 'auto',
    help: 'Of blocks that it shortens by an eighth; auto = lz4, or deflate for merges without it.',
  },
  'read.mode': {
    type: 'choice',
    choices: ['auto', 'mmap', 'pread'],
    default: 'auto',
    help: 'How tables are read: mapped into memory, by system calls, or mapped where possible.',
  },
  'read.verify': {
    type: 'choice',
    choices: ['first-touch', 'always'],
    default: 'first-touch',
    help: "When a block's checksum is verified.",
  },
  'compaction.threads': {
    type: 'integer',
    default: 1,
    min: 1,
    max: 16,
    unit: 'threads',
    help: 'Threads that flush, merge and prepare WAL files.',
  },
  'compaction.fanIn': {
    type: 'integer',
    default: 4,
    min: 2,
    max: 16,
    help: 'Sorted runs of like size that one merge takes.',
  },
  'compaction.garbagePercentBusy': {
    type: 'integer',
    default: 100,
    min: 10,
    max: 1000,
    help: 'Garbage per 100 bytes that stay at which all of a shard is merged, while it is written.',
  },
  'compaction.garbagePercentQuiet': {
    type: 'integer',
    default: 35,
    min: 5,
    max: 1000,
    help: 'The same once no MemTable has been flushed for compaction.quietMs.',
  },
  'compaction.quietMs': {
    type: 'integer',
    default: 10_000,
    min: 1,
    max: 3_600_000,
    unit: 'ms',
    help: 'How long after a flush merges begin to make space more eagerly and at full speed.',
  },
  'compaction.bytesPerSecond': {
    type: 'integer',
    default: 0,
    min: 0,
    max: GIB,
    unit: 'bytes',
    help: 'The most that each merge reads in a second; 0 = no limit.',
  },
  'feed.holdBytesMax': {
    type: 'integer',
    default: 256 * MIB,
    min: 0,
    max: 64 * GIB,
    unit: 'bytes',
    help: 'Log that a shard keeps for one named reader of changes (kv.Feed) beyond its own need.',
  },
  'scrub.bytesPerSecond': {
    type: 'integer',
    default: MIB,
    min: 0,
    max: GIB,
    unit: 'bytes',
    help: 'What each shard reads again in a second in search of damage, in the background; 0 = nothing.',
  },
  'pressure.runsSoft': {
    type: 'integer',
    default: 24,
    min: 10,
    max: 10_000,
    help: 'Sorted runs of one shard from which on writes are slowed so that merges keep up.',
  },
  'pressure.runsHard': {
    type: 'integer',
    default: 64,
    min: 11,
    max: 20_000,
    help: 'Sorted runs at which writes are at their slowest; they are never refused for it.',
  },
  'pressure.debtBytesSoft': {
    type: 'integer',
    default: 4 * GIB,
    min: MIB,
    max: 1024 * GIB,
    unit: 'bytes',
    help: "What a shard's due merges have to read from which on writes are slowed; or thrice the data.",
  },
  'pressure.debtBytesHard': {
    type: 'integer',
    default: 16 * GIB,
    min: 2 * MIB,
    max: 4096 * GIB,
    unit: 'bytes',
    help: 'What due merges have to read at which writes are at their slowest; grows with the soft one.',
  },
  'pressure.bytesPerSecondMin': {
    type: 'integer',
    default: MIB,
    min: KIB,
    max: GIB,
    unit: 'bytes',
    help: 'What one shard takes in a second at the least, however far merges are behind.',
  },
  'supervision.heartbeatMsMax': {
    type: 'integer',
    default: 30_000,
    min: 1000,
    max: 600_000,
    unit: 'ms',
    help: 'A shard that shows no sign of life for so long is replaced.',
  },
  'supervision.restartBackoffMsMax': {
    type: 'integer',
    default: 30_000,
    min: 1,
    max: 600_000,
    unit: 'ms',
    help: 'The longest pause before a shard that keeps dying is started again.',
  },
  'admin.chaos': {
    type: 'boolean',
    default: false,
    help: 'Whether kv.Admin may kill threads of the server, for tests of recovery (docs/CHAOS.md).',
  },
  'log.level': {
    type: 'choice',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    default: 'info',
    help: 'The least important log lines that are written to stderr.',
  },
};

export const CONFIG_PATHS = Object.keys(OPTIONS) as readonly ConfigPath[];
/** The table with its entries' exact types forgotten, for code that walks over all of them. */
export const OPTION_OF: Readonly<Record<ConfigPath, Option>> = OPTIONS;

/** `wal.syncIntervalMs` → `STORMKV_WAL_SYNC_INTERVAL_MS`. */
export function envNameOf(path: ConfigPath): string {
  const words = path.replaceAll(/[A-Z]/g, '_$&').replaceAll('.', '_');
  return `STORMKV_${words.toUpperCase()}`;
}
