import * as assert from 'uvu/assert';
import type { StormError } from '../../src/base/errors.js';
import { SupervisorCalls } from '../../src/router/supervisor-calls.js';
import type { AdminAnswer, AdminQuestion } from '../../src/rpc/admin-operations.js';
import { clusterStats } from '../harness/fake-admin.js';
import { ManualClock } from '../harness/manual-clock.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('SupervisorCalls');
const STATS = { kind: 'stats' } as const;
const ANSWER = { kind: 'stats', stats: clusterStats([]) } as const;

interface Outcome {
  error: StormError | undefined;
  answer: AdminAnswer | undefined;
}

function makeRig() {
  const posted: [number, AdminQuestion][] = [];
  const clock = new ManualClock();
  const calls = new SupervisorCalls(clock, (id, question) => posted.push([id, question]));
  const outcomes: Outcome[] = [];
  const ask = (timeoutMs = Infinity) =>
    calls.ask(STATS, timeoutMs, (error, answer) => outcomes.push({ error, answer }));
  return { clock, calls, posted, outcomes, ask };
}

test('posts a question and hands its answer to who asked, whatever the order', () => {
  const { calls, posted, outcomes, ask } = makeRig();
  ask();
  ask();
  assert.equal(posted, [
    [1, STATS],
    [2, STATS],
  ]);
  const second = { ...ANSWER, stats: clusterStats([]) };
  calls.answered(2, second);
  calls.answered(1, ANSWER);
  assert.is(outcomes[0]?.answer, second);
  assert.is(outcomes[1]?.answer, ANSWER);
});

test('drops an answer that nobody waits for, and one that comes twice', () => {
  const { calls, outcomes, ask } = makeRig();
  ask();
  calls.answered(99, ANSWER);
  calls.answered(1, ANSWER);
  calls.answered(1, ANSWER);
  assert.is(outcomes.length, 1);
});

test('makes an error of a failure', () => {
  const { calls, outcomes, ask } = makeRig();
  ask();
  calls.answered(1, { kind: 'failed', code: 'FAILED_PRECONDITION', message: 'not now' });
  assert.is(outcomes[0]?.error?.code, 'FAILED_PRECONDITION');
  assert.is(outcomes[0]?.error?.message, 'not now');
});

test('gives up when the time is over, at once when there is none, and answers once', () => {
  const { clock, calls, posted, outcomes, ask } = makeRig();
  ask(0);
  assert.is(outcomes[0]?.error?.code, 'DEADLINE_EXCEEDED');
  assert.is(posted.length, 0);
  ask(10);
  clock.advance(9);
  calls.sweep();
  assert.is(outcomes.length, 1);
  clock.advance(1);
  calls.sweep();
  assert.is(outcomes[1]?.error?.code, 'DEADLINE_EXCEEDED');
  calls.answered(1, ANSWER);
  assert.is(outcomes.length, 2);
});

test('waits long, but not for ever, for a caller without a limit', () => {
  const { clock, calls, outcomes, ask } = makeRig();
  ask();
  clock.advance(3_600_000);
  calls.sweep();
  assert.is(outcomes[0]?.error?.code, 'DEADLINE_EXCEEDED');
});

test('refuses questions when too many wait, and takes them again afterwards', () => {
  const { calls, posted, outcomes, ask } = makeRig();
  while (outcomes.length === 0) ask();
  assert.is(outcomes[0]?.error?.code, 'RESOURCE_EXHAUSTED');
  assert.ok((outcomes[0]?.error?.retryAfterMs ?? 0) > 0);
  const waiting = posted.length;
  calls.answered(1, ANSWER);
  ask();
  assert.is(posted.length, waiting + 1);
  calls.close();
});

test('answers everything when it closes, and at once from then on', () => {
  const { calls, outcomes, ask } = makeRig();
  ask();
  calls.close();
  ask();
  assert.equal(
    outcomes.map(({ error }) => error?.code),
    ['UNAVAILABLE', 'UNAVAILABLE'],
  );
});

run();
