/**
 * Counters of one shard in shared memory: written by the shard's thread alone, read by anyone at
 * any time. Each is a double in a slot of its own; a reader may see one a moment before another.
 */
export const STAT_NAMES = [
  /** Turns taken; stands still when the shard hangs. */
  'turns',
  'writesTotal',
  'writeEntriesTotal',
  'writesRefusedTotal',
  'readsTotal',
  'readsMissedTotal',
  'groupsTotal',
  'walBytesTotal',
  'durableSequence',
  'walLiveBytes',
  'memTableBytes',
  'frozenMemTables',
  'tables',
  'sortedRuns',
  'tableBytes',
  /** Entries in tables, superseded and deleted ones among them. */
  'tableEntries',
  'flushesTotal',
  'flushBytesTotal',
  'mergesTotal',
  'mergeReadBytesTotal',
  'mergeWrittenBytesTotal',
  'mappedTables',
  /** A place in PRESSURE_STATES: what writes meet. */
  'pressureState',
  /** A place in PRESSURE_REASONS: why. */
  'pressureReason',
  /** The pace of writes while they are slowed, 0 = they are not. */
  'admittedBytesPerSecond',
  /** What merges under way and due have to read, and how many runs they will take away. */
  'debtBytes',
  'debtRuns',
  /** Groups that had to wait, and for how long any write was waiting, in all and by reason. */
  'delayedGroupsTotal',
  'delayedMsTotal',
  'delayedMsByMemTablesTotal',
  'delayedMsBySortedRunsTotal',
  'delayedMsByCompactionDebtTotal',
  'delayedMsByArenaTotal',
  'delayedMsBySegmentTotal',
  /** Writes refused because a job failed, by what could not be had. */
  'refusedByArenaTotal',
  'refusedBySegmentTotal',
  /** What the scrub has read again and found, and tables that are out of service. */
  'scrubPassesTotal',
  'scrubBytesTotal',
  'scrubDamageTotal',
  'damagedTables',
] as const;
export type StatName = (typeof STAT_NAMES)[number];

/** From the least to the most severe. */
export const PRESSURE_STATES = ['none', 'delaying', 'holding', 'refusing'] as const;
export type PressureState = (typeof PRESSURE_STATES)[number];
/** The first three slow writes down; the last two are what a held or refused write lacks. */
export const PRESSURE_REASONS = [
  '',
  'mem-tables',
  'sorted-runs',
  'compaction-debt',
  'arena',
  'segment',
] as const;
export type PressureReason = (typeof PRESSURE_REASONS)[number];

export class ShardStats {
  readonly #values: Float64Array;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(STAT_NAMES.length * Float64Array.BYTES_PER_ELEMENT);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#values = new Float64Array(memory);
  }

  get(name: StatName): number {
    return this.#values[INDEX[name]] ?? 0;
  }

  set(name: StatName, value: number): void {
    this.#values[INDEX[name]] = value;
  }

  add(name: StatName, amount: number): void {
    this.#values[INDEX[name]] = this.get(name) + amount;
  }

  all(): Record<StatName, number> {
    const all = {} as Record<StatName, number>;
    for (const name of STAT_NAMES) all[name] = this.get(name);
    return all;
  }
}

const INDEX = Object.fromEntries(STAT_NAMES.map((name, i) => [name, i])) as Record<
  StatName,
  number
>;
