import * as assert from 'uvu/assert';
import {
  type ArrivalCurve,
  Arrivals,
  peakFactor,
  pushCurve,
  recordedCurve,
  steadyCurve,
} from '../../src/storm/arrival-curve.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Arrivals');

const COUNT = 20_000;

function moments(curve: ArrivalCurve, count = COUNT, seed = 1): number[] {
  const arrivals = new Arrivals(curve, count, seed);
  const all = Array.from({ length: count }, () => arrivals.next());
  assert.is(arrivals.next(), Number.POSITIVE_INFINITY);
  return all;
}

/** How many of the moments are in each of so many equal parts of the duration. */
function histogram(all: readonly number[], durationMs: number, parts: number): number[] {
  const counts = new Array<number>(parts).fill(0);
  for (const at of all) {
    const part = Math.min(parts - 1, Math.floor((at / durationMs) * parts));
    counts[part] = (counts[part] ?? 0) + 1;
  }
  return counts;
}

const CURVES: readonly [string, ArrivalCurve][] = [
  ['a steady rate', steadyCurve(10_000)],
  ['a push notification', pushCurve(10_000)],
  ['a recorded rate', recordedCurve([5, 0, 20, 1, 0])],
];

for (const [name, curve] of CURVES) {
  test(`${name} brings every submission, in order, within the duration`, () => {
    const all = moments(curve);
    let before = 0;
    for (const at of all) {
      assert.ok(at >= before && at <= curve.durationMs, `${at} after ${before}`);
      before = at;
    }
    assert.equal([curve.cumulative[0], curve.cumulative.at(-1)], [0, 1]);
    for (let i = 1; i < curve.cumulative.length; i++) {
      assert.ok((curve.cumulative[i] ?? 0) >= (curve.cumulative[i - 1] ?? 0), `step ${i}`);
    }
  });
}

test('a steady rate is spread evenly, within what chance allows', () => {
  const expected = COUNT / 20;
  for (const count of histogram(moments(steadyCurve(10_000)), 10_000, 20)) {
    assert.ok(Math.abs(count - expected) < 6 * Math.sqrt(expected), `${count}, not ${expected}`);
  }
  assert.is(peakFactor(steadyCurve(10_000)), 1);
});

test('a push notification peaks right after it and after each of its reminders', () => {
  const counts = histogram(moments(pushCurve(10_000)), 10_000, 100);
  const sum = (from: number, to: number) => counts.slice(from, to).reduce((a, b) => a + b, 0);
  // Just before the reminders at 45 and at 75 hundredths, and just after them.
  assert.ok(sum(46, 50) > 3 * sum(40, 44), 'first reminder');
  assert.ok(sum(76, 80) > 2 * sum(70, 74), 'second reminder');
  const busiest = counts.indexOf(Math.max(...counts));
  assert.ok(busiest < 10, `the busiest part is ${busiest}`);
  assert.ok(sum(0, 45) > sum(45, 100));
});

test('the peak of the curve is the one that arrivals show', () => {
  const curve = pushCurve(10_000);
  const most = Math.max(...histogram(moments(curve), 10_000, 100)) / (COUNT / 100);
  assert.ok(Math.abs(most / peakFactor(curve) - 1) < 0.15, `${most}, ${peakFactor(curve)}`);
});

test('a recorded rate comes again in each of its seconds, and nothing where there was none', () => {
  const counts = histogram(moments(recordedCurve([10, 0, 40, 0, 50])), 5000, 5);
  assert.equal([counts[1], counts[3]], [0, 0]);
  for (const [second, share] of [
    [0, 0.1],
    [2, 0.4],
    [4, 0.5],
  ] as const) {
    const expected = share * COUNT;
    const found = counts[second] ?? 0;
    assert.ok(Math.abs(found - expected) < 6 * Math.sqrt(expected), `second ${second}: ${found}`);
  }
});

test('the same seed brings the same moments, another seed others', () => {
  const curve = pushCurve(1000);
  assert.equal(moments(curve, 50, 7), moments(curve, 50, 7));
  assert.not.equal(moments(curve, 50, 7), moments(curve, 50, 8));
});

run();
