import * as assert from 'uvu/assert';
import { type Report, renderReport } from '../../src/report/report.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('renderReport');

const REPORT: Report = {
  title: 'A <run> & "more"',
  subtitle: 'on a machine',
  verdict: { isGood: false, text: 'It failed' },
  tiles: [{ name: 'kills', value: '12', note: 'of 13' }],
  sections: [
    { kind: 'text', title: 'Method', paragraphs: ['<script>alert(1)</script>'] },
    {
      kind: 'table',
      title: 'Table',
      columns: [
        { name: 'what', align: 'left' },
        { name: 'times', align: 'right' },
      ],
      rows: [['<b>', '7']],
    },
    {
      kind: 'time-chart',
      title: 'Chart',
      description: 'What it <shows>',
      unit: 'per second',
      scale: 'linear',
      endS: 10,
      series: [{ name: 'writes', style: 'area', points: [[1, 5]] }],
      shaded: [{ fromS: 2, toS: 3, title: 'a kill' }],
      shadedName: 'recovery',
    },
    {
      kind: 'lane-chart',
      title: 'Lanes',
      description: 'Events',
      endS: 10,
      lanes: [{ name: 'kills', spans: [{ fromS: 9, toS: undefined, title: 'never' }] }],
    },
  ],
  footer: 'Made by a test',
};

test('shows every part, as text and never as markup', () => {
  const html = renderReport(REPORT);
  for (const text of [
    'A &lt;run&gt; &amp; &quot;more&quot;',
    'It failed',
    'of 13',
    'Made by a test',
  ]) {
    assert.ok(html.includes(text), text);
  }
  assert.ok(html.includes('&lt;script&gt;'));
  assert.not(/<script/.test(html));
  assert.ok(html.includes('<td class="left">&lt;b&gt;</td><td class="right">7</td>'));
});

test('needs nothing from anywhere', () => {
  const html = renderReport(REPORT);
  assert.not(/\b(src|href|url)\s*[=(]/i.test(html));
  assert.ok(html.includes("default-src 'none'"));
});

test('gives every picture a title and a description that name it', () => {
  const html = renderReport(REPORT);
  const pictures = html.match(/<svg [^>]*role="img"/g) ?? [];
  assert.is(pictures.length, 4, 'two charts, each for wide pages and for phones');
  const labels = [...html.matchAll(/aria-labelledby="([\w -]+)"/g)].flatMap(([, ids = '']) =>
    ids.split(' '),
  );
  assert.is(new Set(labels).size, 8);
  for (const id of labels) assert.ok(html.includes(`id="${id}"`), id);
});

run();
