import * as assert from 'uvu/assert';
import { escapeHtml, px } from '../../src/report/html.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('html');

test('text cannot leave its place', () => {
  assert.is(
    escapeHtml(`<a b="c" d='e'>&</a>`),
    '&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;&lt;/a&gt;',
  );
});

test('coordinates have one decimal at most', () => {
  assert.equal([1, 1.25, 1 / 3].map(px), ['1', '1.3', '0.3']);
});

run();
