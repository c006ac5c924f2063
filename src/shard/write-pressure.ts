/**
 * How hard it is for a shard to keep up, and what follows for the next write. Pure functions over
 * what the engine knows, in three steps:
 *
 * 1. `strainOf`: each source of strain as a number from 0 to 1, with hysteresis. MemTables strain
 *    when the active one fills and no arena is at hand, because the frozen ones are not flushed;
 *    sorted runs and compaction debt when merges fall behind.
 * 2. `paceOf`: the rate at which writes are taken. It falls continuously from unlimited at no
 *    strain, over what the drain can do at half of it, to a floor: a storm meets a slope, never a
 *    wall, and where it stays above the drain it comes to rest half way up.
 * 3. `decidePressure`: accept, delay, settle what is open, freeze, hold, or refuse with a reason.
 *    Holding is for what resolves by itself within a moment (the rest of a flush); refusing is for
 *    what may last (a disk without space). Merges alone never hold or refuse.
 */
import type { PressureLimits } from '../rpc/control.js';

/** What can make a shard take writes more slowly. */
export type StrainReason = 'mem-tables' | 'sorted-runs' | 'compaction-debt';
export const STRAIN_REASONS: readonly StrainReason[] = [
  'mem-tables',
  'sorted-runs',
  'compaction-debt',
];
/** From 0, none, to 1, the hard limit. */
export type Strain = Readonly<Record<StrainReason, number>>;
export const NO_STRAIN: Strain = { 'mem-tables': 0, 'sorted-runs': 0, 'compaction-debt': 0 };

/** What there is to do for flushes and merges. */
export interface Load {
  /** How full the active MemTable is, 0 to 1; 1 where there is none. */
  activeFill: number;
  /** Waiting for their flush, or in it. */
  frozenMemTables: number;
  /** An empty arena is at hand for the next MemTable. */
  arenaAtHand: boolean;
  sortedRuns: number;
  /** What merges under way and due have to read. */
  debtBytes: number;
  /** Size of the oldest sorted run, which holds most of the data. */
  oldestRunBytes: number;
}

/** What a shard's background work can do, in bytes of writes per second. */
export interface Drain {
  flush: number;
  merge: number;
}

/** Of the active MemTable while no arena is at hand: half of it is there to take a burst. */
const FILL_SOFT = 0.5;
/** What is above its soft limit counts as strained until it is below this part of it. */
const RELEASE = 0.8;
/**
 * A merge of everything is a debt of the whole store and no sign of trouble: the limits of debt
 * grow with the oldest run. While one merge reads that run and as much above it, as much again may
 * have come.
 */
const DEBT_PER_OLDEST_RUN = 3;
/** The floor, as a share of what the drain can do: what lies before it surely melts. */
const DRAIN_SHARE_MIN = 0.1;

/** `before`: the strain at the last look. */
export function strainOf(load: Load, limits: PressureLimits, before: Strain): Strain {
  const { debtBytesSoft, debtBytesHard } = limits;
  const waitsForFlush = !load.arenaAtHand && load.frozenMemTables > 0;
  const scale = Math.max(1, (DEBT_PER_OLDEST_RUN * load.oldestRunBytes) / debtBytesSoft);
  const fill = waitsForFlush ? load.activeFill : 0;
  const debt = load.debtBytes / scale;
  const { runsSoft, runsHard } = limits;
  return {
    'mem-tables': ramp(fill, FILL_SOFT, 1, before['mem-tables']),
    'sorted-runs': ramp(load.sortedRuns, runsSoft, runsHard, before['sorted-runs']),
    'compaction-debt': ramp(debt, debtBytesSoft, debtBytesHard, before['compaction-debt']),
  };
}

function ramp(value: number, soft: number, hard: number, before: number): number {
  const low = RELEASE * soft;
  if (value < low || (value < soft && before === 0)) return 0;
  return Math.min(1, (value - low) / (hard - low));
}

/** How fast writes are taken, and which strain says so. */
export interface Pace {
  /** Infinity = as fast as they come. */
  bytesPerSecond: number;
  because: StrainReason | undefined;
}

export const UNPACED: Pace = { bytesPerSecond: Number.POSITIVE_INFINITY, because: undefined };

/** The slowest of what each strain allows. */
export function paceOf(strain: Strain, drain: Drain, bytesPerSecondMin: number): Pace {
  let pace = UNPACED;
  for (const because of STRAIN_REASONS) {
    const x = strain[because];
    if (x <= 0) continue;
    const drainRate = because === 'mem-tables' ? drain.flush : drain.merge;
    const share = Math.max(DRAIN_SHARE_MIN, (1 - x) / x);
    const bytesPerSecond = Math.max(bytesPerSecondMin, drainRate * share);
    if (bytesPerSecond < pace.bytesPerSecond) pace = { bytesPerSecond, because };
  }
  return pace;
}

export interface PressureInput {
  /** The active MemTable takes the write. */
  memTableHasRoom: boolean;
  /** The active MemTable is empty: what does not fit it will never fit one. */
  memTableEmpty: boolean;
  /** Writes are staged or in flight that must settle before the MemTable may be frozen. */
  groupOpen: boolean;
  /** Other writes are staged in the same group: it can be committed without this one. */
  groupHasOthers: boolean;
  /** An empty arena is at hand for the next MemTable. */
  arenaAtHand: boolean;
  /** The WAL takes the write: the segment has room or a spare one is ready. */
  walHasRoom: boolean;
  /** How long the pace lets the next group wait. */
  delayMs: number;
  /** The group has as much as the pace grants one group. */
  groupIsFull: boolean;
  /** What sets the pace. */
  strainedBy: StrainReason | undefined;
  /** Why the last background job failed, undefined when it went well. */
  jobFailure: { message: string; retryInMs: number } | undefined;
}

export type HoldReason = 'arena' | 'segment';

export type Pressure =
  | { kind: 'accept' }
  /** Ask again after `ms`. */
  | { kind: 'delay'; because: StrainReason; ms: number }
  /** Settle what is open, then ask again. */
  | { kind: 'settle' }
  /** Freeze the MemTable, then ask again. */
  | { kind: 'freeze' }
  | { kind: 'hold'; because: HoldReason }
  | { kind: 'refuse'; because: HoldReason; message: string; retryAfterMs: number }
  | { kind: 'too-large' };

const ACCEPT: Pressure = { kind: 'accept' };
const SETTLE: Pressure = { kind: 'settle' };
const FREEZE: Pressure = { kind: 'freeze' };
const TOO_LARGE: Pressure = { kind: 'too-large' };
const HOLD_ARENA: Pressure = { kind: 'hold', because: 'arena' };
const HOLD_SEGMENT: Pressure = { kind: 'hold', because: 'segment' };

export function decidePressure(input: PressureInput): Pressure {
  if (!input.walHasRoom) {
    if (input.groupOpen) return SETTLE;
    return refuseOr(HOLD_SEGMENT, 'segment', input.jobFailure);
  }
  if (input.memTableHasRoom) return acceptOrDelay(input);
  if (input.groupOpen) return SETTLE;
  if (input.memTableEmpty) return TOO_LARGE;
  if (input.arenaAtHand) return FREEZE;
  return refuseOr(HOLD_ARENA, 'arena', input.jobFailure);
}

function acceptOrDelay(input: PressureInput): Pressure {
  if (input.groupHasOthers) return input.groupIsFull ? SETTLE : ACCEPT;
  if (input.delayMs <= 0 || input.strainedBy === undefined) return ACCEPT;
  return { kind: 'delay', because: input.strainedBy, ms: input.delayMs };
}

function refuseOr(
  hold: Pressure,
  because: HoldReason,
  failure: PressureInput['jobFailure'],
): Pressure {
  if (failure === undefined) return hold;
  return { kind: 'refuse', because, message: failure.message, retryAfterMs: failure.retryInMs };
}
