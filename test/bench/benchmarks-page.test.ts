import * as assert from 'uvu/assert';
import { CATALOGUE } from '../../bench/catalogue.js';
import { shortNumber } from '../../bench/support/bar-chart.js';
import { benchmarksPage } from '../../bench/support/benchmarks-page.js';
import { Latencies, runOpenLoops } from '../../bench/support/open-loop.js';
import type { BenchResult } from '../../bench/support/rounds.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('The bench suite');

const spread = (median: number) => ({ median, min: median / 2, max: median * 2 });
const RESULT: BenchResult = {
  bench: 'b',
  machine: {
    cpu: 'A & B',
    processors: 2,
    memoryMiB: 2048,
    node: 'v20',
    platform: 'linux-x64',
    loadAverage: 0.5,
    commit: 'abc',
    date: '2026-01-02T03:04:05.000Z',
  },
  settings: { seconds: 60 },
  rounds: 3,
  contenders: {
    ours: { perSecond: spread(1_234_567) },
    redis: { absent: 'redis is not installed' },
    rocksdb: { perSecond: spread(250_000) },
  },
};
const BENCH = {
  name: 'b',
  title: 'Bench <B>',
  about: 'About.',
  charts: [{ figure: 'perSecond', title: 'A < B', unit: 'writes/s' }],
  columns: ['nowhere'],
};

test('a page has a table, a chart of what was measured, and says what is absent or missing', () => {
  const other = { ...BENCH, name: 'other' };
  const { markdown, charts } = benchmarksPage([BENCH, other], new Map([['b', RESULT]]));
  assert.match(markdown, '| ours | 1.23 M (617 k – 2.47 M) |');
  assert.match(markdown, '| redis | absent: redis is not installed |');
  assert.match(markdown, 'Not measured yet: other.');
  assert.match(markdown, '![A < B](benchmarks/b-perSecond.svg)');
  assert.not.match(markdown, 'nowhere');
  const svg = charts.get('b-perSecond.svg') ?? '';
  assert.is(svg.match(/<rect/g)?.length, 2);
  assert.match(svg, 'A &lt; B');
  assert.match(svg, 'class="ours"');
  assert.match(svg, 'class="other"');
});

test('benches of the catalogue have names of their own', () => {
  assert.is(new Set(CATALOGUE.map(({ name }) => name)).size, CATALOGUE.length);
});

test('numbers are short', () => {
  assert.equal([1_234_567, 45_678, 4567, 7.891, 0].map(shortNumber), [
    '1.23 M',
    '45.7 k',
    '4570',
    '7.89',
    '0',
  ]);
});

test('latencies are known within one percent, the longest exactly', () => {
  const latencies = new Latencies();
  for (let ms = 1; ms <= 1000; ms++) latencies.add(ms);
  for (const share of [0.5, 0.99, 0.999]) {
    const found = latencies.percentile(share);
    assert.ok(found >= share * 1000 && found <= share * 1000 * 1.011, `${share}: ${found}`);
  }
  assert.is(latencies.percentile(1), 1000);
  assert.is(latencies.maxMs, 1000);
});

test('in an open loop a stall delays every call that was due meanwhile', async () => {
  const latencies = new Latencies();
  let calls = 0;
  const call = async (): Promise<void> => {
    if (calls++ !== 10) return;
    for (const endMs = performance.now() + 100; performance.now() < endMs; );
  };
  await runOpenLoops(0.3, [{ perSecond: 1000, latencies, call }]);
  assert.is(latencies.count, calls);
  assert.ok(calls >= 290, `${calls} calls`);
  // A closed loop would have shown one slow call of 300.
  assert.ok(latencies.percentile(0.8) > 20, `p80 ${latencies.percentile(0.8)} ms`);
});

test('an open loop ends with the first call that fails', async () => {
  const latencies = new Latencies();
  const call = () => Promise.reject(new Error('no'));
  try {
    await runOpenLoops(60, [{ perSecond: 10, latencies, call }]);
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, 'no');
  }
});

run();
