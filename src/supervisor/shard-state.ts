/**
 * What becomes of a shard when something happens to it: `next(state, event)` is the whole policy of
 * supervision, without effects; shard-keeper.ts carries the actions out in order. The drawing is in
 * docs/lifecycle.md.
 *
 * 1. Routers hear that a shard is down before anything else happens.
 * 2. A new life is spawned only after the thread of the old one has exited: never two owners.
 * 3. The first death is answered at once; a shard that dies again before it served for a while, or
 *    during recovery, waits longer and longer.
 * 4. Damaged data does not heal: a shard that refused it waits for an operator. What may pass by
 *    itself (disk full, …) is tried again like a death.
 */
import { unreachable } from '../base/assert.js';

export type ShardPhase =
  /** Not started yet. */
  | 'idle'
  /** Its thread opens its data. */
  | 'recovering'
  | 'serving'
  /** Its thread is on its way out; whatever comes next waits for the exit. */
  | 'ending'
  /** No thread; the next life begins when the back-off is over. */
  | 'waiting'
  /** No thread, and none until the process is restarted. */
  | 'refused'
  /** The cluster closes; its thread is asked to seal and end. */
  | 'stopping'
  | 'stopped';

export interface ShardState {
  readonly phase: ShardPhase;
  /** Number of the current or last life; 0 = none yet. */
  readonly epoch: number;
  /** Deaths in a row without a long enough life between them. */
  readonly quickDeaths: number;
  /** The next life must not trust what it finds in the page cache. */
  readonly distrustPageCache: boolean;
  /** When the current life began to serve. */
  readonly servingSinceMs: number | undefined;
  /** In `ending`: the thread said that it will not serve its data. */
  readonly isRefusal: boolean;
  /** What the current life's thread threw; empty if nothing. */
  readonly failure: string;
  /** Why it does not serve, or why its last life ended; empty once it serves. */
  readonly reason: string;
}

export type ShardEvent =
  | { kind: 'start' }
  | { kind: 'ready' }
  | { kind: 'refused'; code: string; message: string }
  | { kind: 'poisoned'; message: string }
  /** The thread threw; its exit follows. */
  | { kind: 'failed'; message: string }
  /** The thread takes no turns, or one of its channels is damaged. */
  | { kind: 'stalled'; message: string }
  | { kind: 'exited'; exitCode: number }
  /** The time of the last `timer` action is up. */
  | { kind: 'timer' }
  | { kind: 'stop'; deadlineMs: number };

export type ShardAction =
  | { kind: 'spawn'; epoch: number; distrustPageCache: boolean }
  | { kind: 'routers-up' }
  | { kind: 'routers-down'; reason: string }
  | { kind: 'routers-refused'; reason: string }
  | { kind: 'terminate' }
  | { kind: 'send-stop' }
  /** Takes back what the dead life had: arenas and jobs. */
  | { kind: 'release-life' }
  /** Replaces the timer that may be running. */
  | { kind: 'timer'; ms: number }
  | { kind: 'cancel-timer' };

export interface Transition {
  state: ShardState;
  actions: ShardAction[];
}

export interface ShardPolicy {
  restartBackoffMsMax: number;
}

/** A life that served so long was a good one; its death counts as a first. */
export const GOOD_LIFE_MS = 10_000;
/** The second death in a row waits so long, each further one twice as long as the one before. */
export const RESTART_BACKOFF_MS_MIN = 50;
/** A thread that said it ends is terminated after this. */
export const EXIT_GRACE_MS = 5_000;
/** Refusals that may pass without an operator. */
const PASSING_CODES: readonly string[] = ['UNAVAILABLE', 'RESOURCE_EXHAUSTED'];

export const INITIAL_STATE: ShardState = {
  phase: 'idle',
  epoch: 0,
  quickDeaths: 0,
  distrustPageCache: false,
  servingSinceMs: undefined,
  isRefusal: false,
  failure: '',
  reason: '',
};

/**
 * The next state and what to do, in order. An event that means nothing in a state changes nothing.
 */
export function next(
  state: ShardState,
  event: ShardEvent,
  nowMs: number,
  policy: ShardPolicy,
): Transition {
  switch (event.kind) {
    case 'start':
      return state.phase === 'idle' ? spawn(state, []) : stay(state);
    case 'ready':
      return onReady(state, nowMs);
    case 'refused':
      return onRefused(state, event.code, event.message);
    case 'poisoned':
      return onPoisoned(state, event.message);
    case 'failed':
      return isAlive(state) ? stay({ ...state, failure: event.message }) : stay(state);
    case 'stalled':
      return isAlive(state)
        ? end(state, event.message, [down(event.message), { kind: 'terminate' }])
        : stay(state);
    case 'exited':
      return onExited(state, event.exitCode, nowMs, policy);
    case 'timer':
      return onTimer(state);
    case 'stop':
      return onStop(state, event.deadlineMs);
    default:
      return unreachable(event, 'shard event');
  }
}

function onReady(state: ShardState, nowMs: number): Transition {
  if (state.phase !== 'recovering') return stay(state);
  return {
    state: {
      ...state,
      phase: 'serving',
      servingSinceMs: nowMs,
      // What it replayed is in fresh, synced files now.
      distrustPageCache: false,
      reason: '',
    },
    actions: [{ kind: 'routers-up' }],
  };
}

function onRefused(state: ShardState, code: string, message: string): Transition {
  if (!isAlive(state)) return stay(state);
  const reason = `${code}: ${message}`;
  const isRefusal = !PASSING_CODES.includes(code);
  const told: ShardAction = isRefusal ? { kind: 'routers-refused', reason } : down(reason);
  // A call of the system failed: maybe a sync, and maybe the word of that could not be left either.
  const distrustPageCache = state.distrustPageCache || code === 'UNAVAILABLE';
  const next = { ...state, isRefusal, distrustPageCache };
  return end(next, reason, [told, { kind: 'timer', ms: EXIT_GRACE_MS }]);
}

function onPoisoned(state: ShardState, message: string): Transition {
  const poisoned = { ...state, distrustPageCache: true };
  if (!isAlive(state)) return stay(poisoned);
  return end(poisoned, message, [down(message), { kind: 'timer', ms: EXIT_GRACE_MS }]);
}

function onExited(
  state: ShardState,
  exitCode: number,
  nowMs: number,
  policy: ShardPolicy,
): Transition {
  const cleanUp: ShardAction[] = [{ kind: 'cancel-timer' }, { kind: 'release-life' }];
  switch (state.phase) {
    case 'recovering':
    case 'serving': {
      const { failure } = state;
      const reason = failure === '' ? `its thread exited (code ${exitCode})` : failure;
      return revive({ ...state, reason }, [down(reason), ...cleanUp], nowMs, policy);
    }
    case 'ending':
      if (!state.isRefusal) return revive(state, cleanUp, nowMs, policy);
      return { state: { ...state, phase: 'refused' }, actions: cleanUp };
    case 'stopping':
      return { state: { ...state, phase: 'stopped' }, actions: cleanUp };
    default:
      return stay(state);
  }
}

function onTimer(state: ShardState): Transition {
  switch (state.phase) {
    case 'waiting':
      return spawn(state, []);
    case 'ending':
    case 'stopping':
      return { state, actions: [{ kind: 'terminate' }] };
    default:
      return stay(state);
  }
}

function onStop(state: ShardState, deadlineMs: number): Transition {
  switch (state.phase) {
    case 'recovering':
    case 'serving':
      return {
        state: { ...state, phase: 'stopping' },
        actions: [down('stopping'), { kind: 'send-stop' }, { kind: 'timer', ms: deadlineMs }],
      };
    case 'ending':
      return {
        state: { ...state, phase: 'stopping' },
        actions: [{ kind: 'timer', ms: Math.min(deadlineMs, EXIT_GRACE_MS) }],
      };
    case 'stopping':
    case 'stopped':
      return stay(state);
    default:
      return { state: { ...state, phase: 'stopped' }, actions: [{ kind: 'cancel-timer' }] };
  }
}

/** The thread is gone: a new life at once or after a while. */
function revive(
  state: ShardState,
  actions: ShardAction[],
  nowMs: number,
  policy: ShardPolicy,
): Transition {
  const since = state.servingSinceMs;
  const wasGood = since !== undefined && nowMs - since >= GOOD_LIFE_MS;
  const quickDeaths = wasGood ? 1 : state.quickDeaths + 1;
  const dead = { ...state, quickDeaths, servingSinceMs: undefined };
  if (quickDeaths === 1) return spawn(dead, actions);
  const ms = backoffMs(quickDeaths, policy);
  return { state: { ...dead, phase: 'waiting' }, actions: [...actions, { kind: 'timer', ms }] };
}

function backoffMs(quickDeaths: number, policy: ShardPolicy): number {
  const doublings = Math.min(quickDeaths - 2, 30);
  return Math.min(policy.restartBackoffMsMax, RESTART_BACKOFF_MS_MIN * 2 ** doublings);
}

function spawn(state: ShardState, actions: ShardAction[]): Transition {
  const epoch = state.epoch + 1;
  const { distrustPageCache, quickDeaths, reason } = state;
  return {
    state: { ...INITIAL_STATE, phase: 'recovering', epoch, distrustPageCache, quickDeaths, reason },
    actions: [...actions, { kind: 'spawn', epoch, distrustPageCache }],
  };
}

function end(state: ShardState, reason: string, actions: ShardAction[]): Transition {
  return { state: { ...state, phase: 'ending', reason }, actions };
}

function stay(state: ShardState): Transition {
  return { state, actions: [] };
}

function down(reason: string): ShardAction {
  return { kind: 'routers-down', reason };
}

function isAlive(state: ShardState): boolean {
  return state.phase === 'recovering' || state.phase === 'serving';
}
