import * as assert from 'uvu/assert';
import { NumberedValues } from '../../src/storm/numbered-value.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Values of a storm');

test('say which write they are of, and whether they are of another run or damaged', () => {
  const values = new NumberedValues(5, 40);
  const value = Buffer.from(values.valueView(12, 3));
  assert.is(values.originOf(value, 3), 12);
  assert.is(values.originOf(value, 4), 'damaged');
  assert.is(new NumberedValues(6, 40).originOf(value, 3), 'other-run');
});

run();
