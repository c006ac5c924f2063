import * as assert from 'uvu/assert';
import { didYouMean, editDistance } from '../../src/config/did-you-mean.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('didYouMean');

test('counts insertions, removals, replacements and swaps', () => {
  const cases: [string, string, number][] = [
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', '', 3],
    ['sync', 'snyc', 1],
    ['sync', 'sinc', 1],
    ['kitten', 'sitting', 3],
  ];
  for (const [a, b, distance] of cases) assert.is(editDistance(a, b), distance, `${a} ${b}`);
});

test('suggests the nearest name, whatever its case, and nothing far-fetched', () => {
  const names = ['serve', 'put', 'get', 'del'];
  assert.is(didYouMean('sevre', names), 'serve');
  assert.is(didYouMean('GET', names), 'get');
  assert.is(didYouMean('pot', names), 'put');
  assert.is(didYouMean('compact', names), undefined);
});

test('does not compare a name with what is much longer or shorter', () => {
  // Letter by letter this would take minutes.
  assert.is(didYouMean('x'.repeat(1_000_000), ['serve', 'y'.repeat(100_000)]), undefined);
  assert.is(didYouMean('serv', ['serve']), 'serve');
});

run();
