import * as assert from 'uvu/assert';
import { counted, grouped, ms } from '../../src/report/words.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Words of reports');

test('numbers are grouped, and one thing is not many', () => {
  assert.is(grouped(1_234_567.4), '1,234,567');
  assert.is(counted(1, 'history', 'histories'), '1 history');
  assert.is(counted(0, 'history', 'histories'), '0 histories');
  assert.is(counted(1200, 'history', 'histories'), '1,200 histories');
});

test('durations have a fraction while they are short, and a word where there is none', () => {
  assert.equal([ms(0.26), ms(9.94), ms(1234.5)], ['0.3 ms', '9.9 ms', '1,235 ms']);
  assert.equal([ms(undefined), ms(Number.POSITIVE_INFINITY)], ['–', 'never']);
});

run();
