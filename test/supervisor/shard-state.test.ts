import * as assert from 'uvu/assert';
import {
  INITIAL_STATE,
  next,
  type ShardAction,
  type ShardEvent,
  type ShardState,
} from '../../src/supervisor/shard-state.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('next');
const POLICY = { restartBackoffMsMax: 400 };
const READY: ShardEvent = { kind: 'ready' };
const EXITED: ShardEvent = { kind: 'exited', exitCode: 1 };
const TIMER: ShardEvent = { kind: 'timer' };
const STOP: ShardEvent = { kind: 'stop', deadlineMs: 900 };
const POISONED: ShardEvent = { kind: 'poisoned', message: 'EIO' };
const STALLED: ShardEvent = { kind: 'stalled', message: 'no turn' };
const DAMAGED: ShardEvent = { kind: 'refused', code: 'DATA_CORRUPTION', message: 'bad table' };
const DISK_FULL: ShardEvent = { kind: 'refused', code: 'RESOURCE_EXHAUSTED', message: 'ENOSPC' };

/** Each line: time, event, phase and epoch after it, actions. */
function trace(...script: [atMs: number, event: ShardEvent][]): string[] {
  let state: ShardState = INITIAL_STATE;
  return [[0, { kind: 'start' }] as [number, ShardEvent], ...script].map(([atMs, event]) => {
    const { state: after, actions } = next(state, event, atMs, POLICY);
    state = after;
    return [`${event.kind}@${atMs} > ${after.phase} ${after.epoch}`, ...actions.map(show)].join(
      ' | ',
    );
  });
}

function show(action: ShardAction): string {
  switch (action.kind) {
    case 'spawn':
      return `spawn ${action.epoch}${action.distrustPageCache ? ' distrusting' : ''}`;
    case 'routers-down':
      return `down (${action.reason})`;
    case 'routers-refused':
      return `refused (${action.reason})`;
    case 'timer':
      return `timer ${action.ms}`;
    default:
      return action.kind;
  }
}

test('tells routers first, then cleans up, then spawns the next life at once', () => {
  assert.equal(trace([5, READY], [20_000, EXITED], [20_100, READY]), [
    'start@0 > recovering 1 | spawn 1',
    'ready@5 > serving 1 | routers-up',
    'exited@20000 > recovering 2 | down (its thread exited (code 1)) | cancel-timer | ' +
      'release-life | spawn 2',
    'ready@20100 > serving 2 | routers-up',
  ]);
});

test('waits longer with every death that follows soon after the one before', () => {
  const lines = trace(
    [5, READY],
    [10, EXITED],
    [15, READY],
    [20, EXITED],
    [70, TIMER],
    [80, EXITED],
    [180, TIMER],
    [190, EXITED],
    [390, TIMER],
    [400, EXITED],
    [800, TIMER],
    [810, EXITED],
  );
  const waits = lines.filter((line) => line.startsWith('exited'));
  assert.equal(
    waits.map((line) => line.split(' | ').at(-1)),
    ['spawn 2', 'timer 50', 'timer 100', 'timer 200', 'timer 400', 'timer 400'],
  );
});

test('forgets early deaths after a long life', () => {
  const lines = trace([5, READY], [10, EXITED], [20, READY], [10_020, EXITED]);
  assert.is(lines.at(-1)?.split(' | ').at(-1), 'spawn 3');
});

test('gives the reason that the thread threw', () => {
  const lines = trace([5, READY], [6, { kind: 'failed', message: 'boom' }], [7, EXITED]);
  assert.equal(lines.slice(2), [
    'failed@6 > serving 1',
    'exited@7 > recovering 2 | down (boom) | cancel-timer | release-life | spawn 2',
  ]);
});

test('waits for the exit of a poisoned thread and distrusts the page cache once', () => {
  assert.equal(
    trace([5, READY], [6, POISONED], [9, EXITED], [20, READY], [30_000, EXITED]).slice(2),
    [
      'poisoned@6 > ending 1 | down (EIO) | timer 5000',
      'exited@9 > recovering 2 | cancel-timer | release-life | spawn 2 distrusting',
      'ready@20 > serving 2 | routers-up',
      'exited@30000 > recovering 3 | down (its thread exited (code 1)) | cancel-timer | ' +
        'release-life | spawn 3',
    ],
  );
});

test('goes on distrusting until a life has served', () => {
  const lines = trace([5, READY], [6, POISONED], [9, EXITED], [12, EXITED], [62, TIMER]);
  assert.is(lines.at(-1), 'timer@62 > recovering 3 | spawn 3 distrusting');
});

test('distrusts after an opening that a failed call of the system ended', () => {
  const failed: ShardEvent = { kind: 'refused', code: 'UNAVAILABLE', message: 'EIO' };
  const lines = trace([5, failed], [6, EXITED]);
  assert.is(
    lines.at(-1),
    'exited@6 > recovering 2 | cancel-timer | release-life | spawn 2 distrusting',
  );
});

test('terminates a thread that said it ends and does not', () => {
  assert.equal(trace([5, READY], [6, POISONED], [5006, TIMER], [5010, EXITED]).slice(3), [
    'timer@5006 > ending 1 | terminate',
    'exited@5010 > recovering 2 | cancel-timer | release-life | spawn 2 distrusting',
  ]);
});

test('terminates a thread that hangs, and spawns only after its exit', () => {
  assert.equal(trace([5, READY], [9, STALLED], [10, STALLED], [12, EXITED]).slice(2), [
    'stalled@9 > ending 1 | down (no turn) | terminate',
    'stalled@10 > ending 1',
    'exited@12 > recovering 2 | cancel-timer | release-life | spawn 2',
  ]);
});

test('never restarts a shard that refused its data', () => {
  assert.equal(trace([5, DAMAGED], [6, EXITED], [7, TIMER], [8, READY], [9, EXITED]), [
    'start@0 > recovering 1 | spawn 1',
    'refused@5 > ending 1 | refused (DATA_CORRUPTION: bad table) | timer 5000',
    'exited@6 > refused 1 | cancel-timer | release-life',
    'timer@7 > refused 1',
    'ready@8 > refused 1',
    'exited@9 > refused 1',
  ]);
});

test('tries again when what was refused may pass by itself', () => {
  assert.equal(trace([5, DISK_FULL], [6, EXITED], [7, DISK_FULL], [8, EXITED], [58, TIMER]), [
    'start@0 > recovering 1 | spawn 1',
    'refused@5 > ending 1 | down (RESOURCE_EXHAUSTED: ENOSPC) | timer 5000',
    'exited@6 > recovering 2 | cancel-timer | release-life | spawn 2',
    'refused@7 > ending 2 | down (RESOURCE_EXHAUSTED: ENOSPC) | timer 5000',
    'exited@8 > waiting 2 | cancel-timer | release-life | timer 50',
    'timer@58 > recovering 3 | spawn 3',
  ]);
});

test('seals a serving shard and ends it by force when it is late', () => {
  assert.equal(trace([5, READY], [6, STOP], [7, STOP], [906, TIMER], [910, EXITED]).slice(2), [
    'stop@6 > stopping 1 | down (stopping) | send-stop | timer 900',
    'stop@7 > stopping 1',
    'timer@906 > stopping 1 | terminate',
    'exited@910 > stopped 1 | cancel-timer | release-life',
  ]);
});

test('stops from every other phase without a new life', () => {
  assert.is(
    trace([1, STOP], [2, EXITED]).at(-1),
    'exited@2 > stopped 1 | cancel-timer | release-life',
  );
  assert.is(
    trace([1, DAMAGED], [2, EXITED], [3, STOP]).at(-1),
    'stop@3 > stopped 1 | cancel-timer',
  );
  const waiting = trace([1, EXITED], [2, EXITED], [3, STOP], [60, TIMER]);
  assert.equal(waiting.slice(-2), ['stop@3 > stopped 2 | cancel-timer', 'timer@60 > stopped 2']);
  const ending = trace([1, READY], [2, POISONED], [3, STOP], [4, EXITED]);
  assert.equal(ending.slice(-2), [
    'stop@3 > stopping 1 | timer 900',
    'exited@4 > stopped 1 | cancel-timer | release-life',
  ]);
  assert.is(next(INITIAL_STATE, STOP, 0, POLICY).state.phase, 'stopped');
});

test('keeps the page cache distrusted when a shard is poisoned while it stops', () => {
  const stopping = next({ ...INITIAL_STATE, phase: 'stopping', epoch: 1 }, POISONED, 0, POLICY);
  assert.is(stopping.state.phase, 'stopping');
  assert.equal(stopping.actions, []);
});

run();
