import * as assert from 'uvu/assert';
import { Breaker } from '../../src/router/breaker.js';
import { BREAKER_WORDS, OPEN_TRAFFIC } from '../../src/rpc/traffic.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Breaker');
const T = 1_000_000;

function makeBreaker(changes: Partial<(typeof OPEN_TRAFFIC)['breaker']> = {}): Breaker {
  const words = new Int32Array(new SharedArrayBuffer(BREAKER_WORDS * 4));
  return new Breaker(words, { ...OPEN_TRAFFIC.breaker, ...changes });
}

/** So many good calls and then so many faults, all now. */
function record(breaker: Breaker, good: number, faults: number, nowMs = T): void {
  for (let i = 0; i < good; i++) breaker.record(false, nowMs);
  for (let i = 0; i < faults; i++) breaker.record(true, nowMs);
}

function opened(): Breaker {
  const breaker = makeBreaker();
  record(breaker, 0, 100);
  assert.is(breaker.state, 'open');
  return breaker;
}

test('99 faults are too few, the 100th opens it', () => {
  const breaker = makeBreaker();
  record(breaker, 0, 99);
  assert.is(breaker.state, 'closed');
  record(breaker, 0, 1);
  assert.is(breaker.state, 'open');
  assert.is(breaker.openings, 1);
});

test('exactly half of 100 calls leave it closed, one fault more opens it at the 101st', () => {
  const breaker = makeBreaker();
  record(breaker, 50, 50);
  assert.is(breaker.state, 'closed');
  record(breaker, 0, 1);
  assert.is(breaker.state, 'open');
});

test('49 good and 51 faults of 100 open it, 51 good and 50 faults of 101 do not', () => {
  const [more, fewer] = [makeBreaker(), makeBreaker()];
  record(more, 49, 51);
  assert.is(more.state, 'open');
  record(fewer, 51, 50);
  assert.is(fewer.state, 'closed');
});

test('what is older than the window does not count, bucket by bucket', () => {
  const breaker = makeBreaker();
  for (let i = 0; i < 10; i++) record(breaker, 0, 9, T + i * 500);
  assert.equal(breaker.counts(T + 4999), { total: 90, faults: 90 });
  assert.equal(breaker.counts(T + 5000), { total: 81, faults: 81 });
  assert.equal(breaker.counts(T + 60_000), { total: 0, faults: 0 });
  record(breaker, 0, 18, T + 5000);
  assert.is(breaker.state, 'closed');
  record(breaker, 0, 1, T + 5000);
  assert.is(breaker.state, 'open');
});

test('open it refuses everybody for so long, and says when to come back', () => {
  const breaker = opened();
  for (let i = 0; i < 1000; i++) assert.is(breaker.pass(T + 999), 'refused');
  assert.is(breaker.retryAfterMs(T + 400), 600);
  assert.is(breaker.pass(T + 1000), 'probe');
  assert.is(breaker.state, 'half-open');
});

test('half-open it lets five probes through and refuses a flood', () => {
  const breaker = opened();
  const passages = Array.from({ length: 1000 }, () => breaker.pass(T + 1000));
  assert.is(passages.filter((passage) => passage === 'probe').length, 5);
  assert.is(passages.filter((passage) => passage === 'free').length, 0);
});

test('closes as soon as the probes cannot fail any more, with nothing counted', () => {
  const breaker = opened();
  for (let i = 0; i < 5; i++) breaker.pass(T + 1000);
  for (const isFault of [true, false, true]) breaker.recordProbe(isFault, T + 1000, T + 1001);
  assert.is(breaker.state, 'half-open');
  breaker.recordProbe(false, T + 1000, T + 1001);
  assert.is(breaker.state, 'half-open');
  breaker.recordProbe(false, T + 1000, T + 1001);
  assert.is(breaker.state, 'closed');
  assert.equal(breaker.counts(T + 1001), { total: 0, faults: 0 });
  assert.is(breaker.pass(T + 1001), 'free');
});

test('opens again as soon as too many probes failed, and tries again after the same time', () => {
  const breaker = opened();
  for (let i = 0; i < 5; i++) breaker.pass(T + 1000);
  for (let i = 0; i < 3; i++) breaker.recordProbe(true, T + 1000, T + 1500);
  assert.is(breaker.state, 'open');
  assert.is(breaker.openings, 2);
  assert.is(breaker.pass(T + 2499), 'refused');
  assert.is(breaker.pass(T + 2500), 'probe');
});

test('is never stuck half-open: probes that do not come back are replaced', () => {
  const breaker = opened();
  for (let i = 0; i < 5; i++) assert.is(breaker.pass(T + 1000), 'probe');
  assert.is(breaker.pass(T + 1999), 'refused');
  for (let i = 0; i < 5; i++) assert.is(breaker.pass(T + 2000), 'probe');
  assert.is(breaker.pass(T + 2000), 'refused');
  for (let i = 0; i < 5; i++) breaker.recordProbe(true, T + 1000, T + 2001);
  assert.is(breaker.state, 'half-open', 'those of the earlier trial say nothing');
  for (let i = 0; i < 3; i++) breaker.recordProbe(false, T + 2000, T + 2001);
  assert.is(breaker.state, 'closed');
});

test('a probe that was turned away elsewhere makes room for another', () => {
  const breaker = opened();
  for (let i = 0; i < 5; i++) breaker.pass(T + 1000);
  breaker.recordProbe(undefined, T + 1000, T + 1001);
  assert.is(breaker.pass(T + 1001), 'probe');
  assert.is(breaker.pass(T + 1001), 'refused');
});

test('recovers within one openMs of the server doing so', () => {
  const breaker = makeBreaker();
  const healedAt = T + 60_000;
  let closedAt = 0;
  // A call each millisecond that fails until the server is well.
  for (let nowMs = T; closedAt === 0 && nowMs < T + 120_000; nowMs++) {
    const passage = breaker.pass(nowMs);
    if (passage === 'free') breaker.record(nowMs < healedAt, nowMs);
    if (passage === 'probe') breaker.recordProbe(nowMs < healedAt, nowMs, nowMs);
    if (nowMs >= healedAt && breaker.state === 'closed') closedAt = nowMs;
  }
  assert.ok(closedAt - healedAt <= 1010, `${closedAt - healedAt} ms`);
});

test('late results of calls from before it opened change nothing', () => {
  const breaker = opened();
  record(breaker, 1000, 0);
  assert.is(breaker.state, 'open');
  for (let i = 0; i < 5; i++) breaker.pass(T + 1000);
  record(breaker, 1000, 0, T + 1000);
  assert.is(breaker.state, 'half-open');
});

test('threads that share its memory share its state, also where its times wrap', () => {
  for (const base of [T, 2 ** 31 - 300, 2 ** 32 - 300]) {
    const words = new Int32Array(new SharedArrayBuffer(BREAKER_WORDS * 4));
    const one = new Breaker(words, OPEN_TRAFFIC.breaker);
    const other = new Breaker(words, OPEN_TRAFFIC.breaker);
    record(one, 0, 50, base);
    record(other, 0, 50, base);
    assert.is(one.state, 'open');
    assert.is(other.pass(base + 999), 'refused');
    assert.is(other.pass(base + 1000), 'probe');
    one.reset();
    assert.is(other.pass(base + 1000), 'free');
  }
});

run();
