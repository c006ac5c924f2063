import * as assert from 'uvu/assert';
import { type ErrorCode, StormError } from '../../src/base/errors.js';
import { answersOf } from '../../src/demo/answers.js';
import type { Door } from '../../src/demo/door.js';
import { Ledger } from '../../src/demo/ledger.js';
import { forEachAtOnce, runStorm } from '../../src/demo/storm.js';
import { suite } from '../harness/suite.js';
import { formOf, turnOfLoop } from './demo-rig.js';

const { test, run } = suite('runStorm');
const trial = { form: formOf(4), patientCount: 30, seed: 1 };

/** Runs the storm against doors whose put is this. */
async function storm(put: Door['put']) {
  const ledger = new Ledger(30, 4);
  const seen = { retries: 0, acknowledged: 0, http: 0, pauses: [] as number[] };
  const door = (isHttp: boolean): Door => ({
    put(key, value) {
      if (isHttp) seen.http++;
      return put(key, value);
    },
    get: () => Promise.resolve(undefined),
  });
  const doors = { grpc: door(false), http: door(true) };
  let nowMs = 0;
  await runStorm({
    trial,
    ledger,
    doors: { current: () => Promise.resolve(doors) },
    patientsAtOnce: 5,
    patienceMs: 100,
    monotonicMs: () => nowMs,
    sleep(ms) {
      seen.pauses.push(ms);
      nowMs++;
      return turnOfLoop();
    },
    onAcknowledged: () => void seen.acknowledged++,
    onRetry: () => void seen.retries++,
  });
  return { ledger, seen };
}

test('sends every answer, a tenth of the patients over HTTP', async () => {
  const stored = new Map<string, Buffer>();
  const { ledger, seen } = await storm((key, value) => {
    stored.set(key, value);
    return Promise.resolve();
  });
  assert.is(ledger.acknowledgedCount, 120);
  assert.is(seen.acknowledged, 120);
  assert.is(seen.http, 12);
  for (const { key, value } of answersOf(trial.form, 29, 1)) assert.equal(stored.get(key), value);
});

test('sends an answer again, unchanged, until it is acknowledged', async () => {
  const sent = new Map<string, Buffer[]>();
  const { ledger, seen } = await storm((key, value) => {
    const attempts = sent.get(key) ?? [];
    sent.set(key, [...attempts, value]);
    const isLast = attempts.length === 2;
    return isLast ? Promise.resolve() : Promise.reject(new StormError('UNAVAILABLE', 'later'));
  });
  assert.is(seen.retries, 240);
  assert.equal([ledger.submittedCount, ledger.acknowledgedCount], [120, 120]);
  for (const [first, second, third] of sent.values()) {
    assert.equal(first, second);
    assert.equal(second, third);
  }
});

test('pauses as long as the server asks for', async () => {
  let isFirst = true;
  const { seen } = await storm(() => {
    const error = new StormError('RESOURCE_EXHAUSTED', 'full', { retryAfterMs: 17 });
    const reply = isFirst ? Promise.reject(error) : Promise.resolve();
    isFirst = false;
    return reply;
  });
  assert.equal(seen.pauses, [17]);
});

test('ends with an error that no retry can mend, or that lasts too long', async () => {
  for (const code of ['INVALID_ARGUMENT', 'DATA_CORRUPTION', 'UNAVAILABLE'] as ErrorCode[]) {
    const failing = storm(() => Promise.reject(new StormError(code, `always ${code}`)));
    await failing.then(
      () => assert.unreachable('the storm ended well'),
      (error: Error) => assert.is(error.message, `always ${code}`),
    );
  }
});

test('forEachAtOnce keeps its width and begins nothing after a failure', async () => {
  let [running, widest, begun] = [0, 0, 0];
  const body = async (index: number) => {
    begun++;
    widest = Math.max(widest, ++running);
    await turnOfLoop();
    running--;
    if (index === 10) throw new Error('eleventh');
  };
  await forEachAtOnce(100, 3, body).then(
    () => assert.unreachable('nothing failed'),
    (error: Error) => assert.is(error.message, 'eleventh'),
  );
  await turnOfLoop();
  assert.is(widest, 3);
  assert.ok(begun <= 14, String(begun));
});

run();
