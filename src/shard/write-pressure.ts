/**
 * Whether the shard takes the next write now, lets it wait in its ring, or refuses it: one pure
 * function over what the engine knows. Waiting is for what resolves by itself within a moment (a
 * flush in progress); refusing is for what may last (a disk without space).
 */
export interface PressureInput {
  /** The active MemTable takes the write. */
  memTableHasRoom: boolean;
  /** The active MemTable is empty: what does not fit it will never fit one. */
  memTableEmpty: boolean;
  /** Writes are staged or in flight that must settle before the MemTable may be frozen. */
  groupOpen: boolean;
  /** An empty arena is at hand for the next MemTable. */
  arenaAtHand: boolean;
  /** The WAL takes the write: the segment has room or a spare one is ready. */
  walHasRoom: boolean;
  /** Why the last background job failed, undefined when it went well. */
  jobFailure: { message: string; retryInMs: number } | undefined;
}

export type Pressure =
  | { kind: 'accept' }
  /** Settle what is open, then ask again. */
  | { kind: 'settle' }
  /** Freeze the MemTable, then ask again. */
  | { kind: 'freeze' }
  | { kind: 'hold'; because: 'arena' | 'segment' }
  | { kind: 'refuse'; because: 'arena' | 'segment'; message: string; retryAfterMs: number }
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
  if (input.memTableHasRoom) return ACCEPT;
  if (input.groupOpen) return SETTLE;
  if (input.memTableEmpty) return TOO_LARGE;
  if (input.arenaAtHand) return FREEZE;
  return refuseOr(HOLD_ARENA, 'arena', input.jobFailure);
}

function refuseOr(
  hold: Pressure,
  because: 'arena' | 'segment',
  failure: PressureInput['jobFailure'],
): Pressure {
  if (failure === undefined) return hold;
  return { kind: 'refuse', because, message: failure.message, retryAfterMs: failure.retryInMs };
}
