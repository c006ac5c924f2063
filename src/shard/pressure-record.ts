/**
 * What writes of one shard had to put up with, for counters and log: the state and its reason, how
 * long writes waited and for what, how many were refused. The state rises at once and falls only
 * when the worse one has not been seen for a while, so that it tells a story and does not flicker.
 */
import type { LogMessage } from '../rpc/control.js';
import {
  PRESSURE_REASONS,
  PRESSURE_STATES,
  type PressureReason,
  type PressureState,
} from '../rpc/shard-stats.js';
import type { HoldReason, Pressure, StrainReason } from './write-pressure.js';

/** A state is left when nothing of it was seen for so long. */
const DWELL_MS = 2000;
/** From one line of the log to the next, whatever happens. */
const LOG_MS = 10_000;

type Waiting = { kind: 'delay' | 'hold'; because: StrainReason | HoldReason; sinceMs: number };

export class PressureRecord {
  #waiting: Waiting | undefined;
  #state: PressureState = 'none';
  #reason: PressureReason = '';
  /** When each state was seen last, and why. */
  readonly #seen: Record<PressureState, { atMs: number; because: PressureReason }> = {
    none: { atMs: Number.POSITIVE_INFINITY, because: '' },
    delaying: { atMs: Number.NEGATIVE_INFINITY, because: '' },
    holding: { atMs: Number.NEGATIVE_INFINITY, because: '' },
    refusing: { atMs: Number.NEGATIVE_INFINITY, because: '' },
  };
  readonly #waitedMs: Record<StrainReason | HoldReason, number> = {
    'mem-tables': 0,
    'sorted-runs': 0,
    'compaction-debt': 0,
    arena: 0,
    segment: 0,
  };
  readonly #refused: Record<HoldReason, number> = { arena: 0, segment: 0 };
  #delayedGroups = 0;
  #logged: { state: PressureState; reason: PressureReason; atMs: number } = {
    state: 'none',
    reason: '',
    atMs: Number.NEGATIVE_INFINITY,
  };

  get state(): PressureState {
    return this.#state;
  }

  get reason(): PressureReason {
    return this.#reason;
  }

  /** A write is known to wait because of the pace. */
  get isDelaying(): boolean {
    return this.#waiting?.kind === 'delay';
  }

  /** A write met this. */
  met(nowMs: number, pressure: Pressure): void {
    switch (pressure.kind) {
      case 'delay':
      case 'hold':
        this.#wait(nowMs, pressure.kind, pressure.because);
        return;
      case 'refuse':
        this.#endWait(nowMs, false);
        this.#refused[pressure.because]++;
        this.#seen.refusing = { atMs: nowMs, because: pressure.because };
        return;
      case 'accept':
        if (this.#waiting !== undefined) this.#endWait(nowMs, true);
        return;
      default:
        return;
    }
  }

  /** Brings the state up to date; `strainedBy` is what slows writes at the moment. */
  look(nowMs: number, strainedBy: StrainReason | undefined): void {
    if (strainedBy !== undefined) this.#seen.delaying = { atMs: nowMs, because: strainedBy };
    const waiting = this.#waiting;
    if (waiting?.kind === 'hold') this.#seen.holding = { atMs: nowMs, because: waiting.because };
    let state: PressureState = 'none';
    for (const each of PRESSURE_STATES) {
      if (nowMs - this.#seen[each].atMs < DWELL_MS) state = each;
    }
    this.#state = state;
    this.#reason = this.#seen[state].because;
  }

  /** A line for the log when the state is another one than that of the last line. */
  takeLogLine(nowMs: number, fields: LogMessage['fields']): LogMessage | undefined {
    const logged = this.#logged;
    const state = this.#state;
    const reason = this.#reason;
    if (state === logged.state && reason === logged.reason) return undefined;
    if (nowMs - logged.atMs < LOG_MS) return undefined;
    this.#logged = { state, reason, atMs: nowMs };
    return {
      kind: 'log',
      level: state === 'refusing' ? 'warn' : 'info',
      message: MESSAGES[state],
      fields: { ...(reason === '' ? {} : { reason }), ...fields },
    };
  }

  figures(nowMs: number) {
    const waited = { ...this.#waitedMs };
    const waiting = this.#waiting;
    if (waiting !== undefined) waited[waiting.because] += nowMs - waiting.sinceMs;
    return {
      pressureState: PRESSURE_STATES.indexOf(this.#state),
      pressureReason: PRESSURE_REASONS.indexOf(this.#reason),
      delayedGroupsTotal: this.#delayedGroups,
      delayedMsTotal: Object.values(waited).reduce((sum, ms) => sum + ms, 0),
      delayedMsByMemTablesTotal: waited['mem-tables'],
      delayedMsBySortedRunsTotal: waited['sorted-runs'],
      delayedMsByCompactionDebtTotal: waited['compaction-debt'],
      delayedMsByArenaTotal: waited.arena,
      delayedMsBySegmentTotal: waited.segment,
      refusedByArenaTotal: this.#refused.arena,
      refusedBySegmentTotal: this.#refused.segment,
    };
  }

  #wait(nowMs: number, kind: Waiting['kind'], because: Waiting['because']): void {
    if (this.#waiting?.because === because) return;
    this.#endWait(nowMs, false);
    this.#waiting = { kind, because, sinceMs: nowMs };
  }

  #endWait(nowMs: number, isAdmitted: boolean): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    this.#waitedMs[waiting.because] += nowMs - waiting.sinceMs;
    if (isAdmitted) this.#delayedGroups++;
  }
}

const MESSAGES: Readonly<Record<PressureState, string>> = {
  none: 'Writes flow freely again',
  delaying: 'Writes are slowed so that flushes and merges keep up',
  holding: 'Writes wait until background work makes room for them',
  refusing: 'Writes are refused because background work fails',
};
