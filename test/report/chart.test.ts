import * as assert from 'uvu/assert';
import { renderLaneChart, renderTimeChart, type TimeChart } from '../../src/report/chart.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Charts');
const CHART: TimeChart = {
  kind: 'time-chart',
  title: 'Throughput',
  description: 'Writes',
  unit: 'per second',
  scale: 'linear',
  endS: 60,
  series: [
    {
      name: 'writes',
      style: 'line',
      points: [
        [0, 0],
        [30, 100],
        [40, undefined],
        [50, 100],
        [60, 0],
      ],
    },
  ],
  shaded: [],
};

test('a curve is broken where there is no value', () => {
  const paths = renderTimeChart(CHART).match(/class="line s0"/g) ?? [];
  assert.is(paths.length, 4, 'two pieces in each of two sizes');
});

test('never draws outside of itself, and no number is missing', () => {
  const shaded = [{ fromS: 50, toS: 100, title: 'beyond' }];
  const html = renderTimeChart({ ...CHART, shaded }) + renderTimeChart({ ...CHART, scale: 'log' });
  assert.not(/NaN|Infinity|undefined/.test(html));
  const [wide = ''] = html.split('</svg>');
  for (const [, x = '', width = '0'] of wide.matchAll(
    /<rect x="([\d.]+)"[^>]*? width="([\d.]+)"/g,
  )) {
    assert.ok(Number(x) + Number(width) <= 1040, `${x} + ${width}`);
  }
});

test('draws nothing wrong of nothing', () => {
  const html = renderTimeChart({ ...CHART, series: [{ name: 'none', style: 'area', points: [] }] });
  assert.not(/NaN|Infinity|undefined/.test(html));
  const lanes = { kind: 'lane-chart', title: 'L', description: 'D', endS: 1, lanes: [] } as const;
  assert.not(/NaN|Infinity|undefined/.test(renderLaneChart(lanes)));
});

test('shades that touch are one, and thousands of points are thinned', () => {
  const shaded = Array.from({ length: 1000 }, (_, i) => ({
    fromS: i * 0.06,
    toS: i * 0.06 + 0.05,
    title: `kill ${i}`,
  }));
  const points = Array.from({ length: 5000 }, (_, i) => [i * 0.012, i % 7] as const);
  const html = renderTimeChart({
    ...CHART,
    shaded,
    series: [{ name: 'w', style: 'line', points }],
  });
  assert.ok((html.match(/class="shade"/g) ?? []).length < 10);
  assert.match(html, /kill 0, and 999 more/);
  assert.ok(html.length < 20_000, `${html.length} bytes`);
});

test('an event is wide enough to be seen, and one without an end reaches the end', () => {
  const html = renderLaneChart({
    kind: 'lane-chart',
    title: 'Faults',
    description: 'Events',
    endS: 3600,
    lanes: [
      {
        name: 'kills',
        spans: [
          { fromS: 1, toS: 1.001, title: 'short' },
          { fromS: 1800, toS: undefined, title: 'for ever' },
        ],
      },
    ],
  });
  const widths = html.match(/<g class="event/g) ?? [];
  assert.is(widths.length, 4);
  assert.match(html, /class="event open"/);
  assert.match(html, /width="3"/);
});

run();
