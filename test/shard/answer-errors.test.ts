import * as assert from 'uvu/assert';
import { CorruptionError, StormError } from '../../src/base/errors.js';
import { asStormError, wrongShard } from '../../src/shard/answer-errors.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Answers of errors');

test('name both slot maps to who was routed by another one', () => {
  const error = wrongShard({ slotMapEpoch: 3 }, 4);
  assert.is(error.code, 'WRONG_SHARD');
  assert.is(error.outcome, 'not-applied');
  assert.match(error.message, /slot map 3, this shard serves 4/);
});

test('pass typed errors on as they are', () => {
  const typed = new StormError('RESOURCE_EXHAUSTED', 'full', { retryAfterMs: 5 });
  assert.is(asStormError(typed), typed);
  const damage = new CorruptionError('Block damaged', { file: 'f', offset: 3 });
  assert.is(asStormError(damage), damage);
});

test('make anything else INTERNAL and keep its cause', () => {
  const cause = new RangeError('out of bounds');
  const error = asStormError(cause);
  assert.is(error.code, 'INTERNAL');
  assert.is(error.message, 'out of bounds');
  assert.is(error.cause, cause);
  assert.is(asStormError('text').message, 'text');
});

run();
