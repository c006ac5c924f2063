import * as assert from 'uvu/assert';
import { Dice } from '../../src/demo/dice.js';
import { Meter, SLOT_MS } from '../../src/storm/meter.js';
import { latencyOf } from '../../src/storm/storm-result.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Meter of a storm');

test('percentiles are those of the sorted latencies', () => {
  const meter = new Meter(0);
  const dice = new Dice(1, 'latencies');
  const all = Array.from({ length: 5000 }, () => 0.05 / (1.0001 - dice.float()));
  for (const [i, ms] of all.entries()) meter.wroteBy(i + ms, i);
  const sorted = all.sort((a, b) => a - b);
  const latency = latencyOf(meter.totals.writes);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  const pairs = [
    [latency?.p50Ms, at(0.5)],
    [latency?.p90Ms, at(0.9)],
    [latency?.p99Ms, at(0.99)],
    [latency?.p999Ms, at(0.999)],
    [latency?.maxMs, at(1)],
  ] as const;
  for (const [found = 0, expected] of pairs) {
    assert.ok(Math.abs(found / expected - 1) < 0.01, `${found}, not ${expected}`);
  }
  assert.is(latency?.count, 5000);
});

test('a stall counts for all that were due while it lasted, not only for one', () => {
  const meter = new Meter(0);
  // Due every ms. Served at once, but for one second in which nothing is served.
  const servedAt = (due: number) => (due >= 1000 && due < 2000 ? 2000 : due + 0.1);
  for (let due = 0; due < 10_000; due++) meter.wroteBy(servedAt(due), due);
  const latency = latencyOf(meter.totals.writes);
  // One in ten waited, half a second on average: only one would have, had the clock run from
  // when a call was sent by a caller that waits.
  assert.ok(Math.abs((latency?.p99Ms ?? 0) - 900) < 10, `${latency?.p99Ms}`);
  assert.ok(Math.abs((latency?.meanMs ?? 0) - 50) < 2, `${latency?.meanMs}`);
  assert.ok(Math.abs((latency?.maxMs ?? 0) - 1000) < 2, `${latency?.maxMs}`);
});

test('what was due in the warm-up is in the moments, not in the whole', () => {
  const meter = new Meter(1000);
  meter.wroteBy(1500, 999);
  meter.wroteBy(1500, 1000);
  meter.readBy(1500, 10, false);
  assert.equal([meter.totals.writes.count, meter.totals.reads.count], [1, 0]);
  assert.is(meter.takeInterval().latencies.count, 3);
});

test('reports what came since the report before, by slots of when it was due', () => {
  const meter = new Meter(0);
  meter.offered(0, 3);
  meter.offered(SLOT_MS - 1, 4);
  meter.offered(SLOT_MS, 5);
  meter.acknowledged();
  meter.retried();
  meter.failed('UNAVAILABLE');
  meter.failed('UNAVAILABLE');
  meter.gaveUp('unknown');
  meter.readBy(5, 1, true);
  meter.readFailed();
  const report = meter.takeInterval();
  assert.equal(report.offered, [
    [0, 7, 2],
    [1, 5, 1],
  ]);
  assert.equal(report.errors, { UNAVAILABLE: 2 });
  const { acknowledged, retries, unknown, refused, reads, readsWrong, readsFailed } = report;
  assert.equal([acknowledged, retries, unknown, refused], [1, 1, 1, 0]);
  assert.equal([reads, readsWrong, readsFailed], [1, 1, 1]);
  const next = meter.takeInterval();
  assert.equal([next.offered, next.acknowledged, next.errors], [[], 0, {}]);
  assert.is(next.latencies.count, 0);
});

run();
