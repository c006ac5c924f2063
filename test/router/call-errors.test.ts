import * as assert from 'uvu/assert';
import * as errors from '../../src/router/call-errors.js';
import type { ShardSeat } from '../../src/router/router-types.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('call-errors');
const seat: ShardSeat = { shard: 2, state: 'down', reason: 'why', link: undefined, isDirty: false };

test('a write is unknown only where it had been sent', () => {
  assert.is(errors.lostError(seat, true, 1).outcome, 'unknown');
  assert.is(errors.lostError(seat, false, 1).outcome, 'not-applied');
  assert.is(errors.deadlineError(true).outcome, 'unknown');
  assert.is(errors.deadlineError(false).outcome, 'not-applied');
  assert.is(errors.notServingError(seat, 1).outcome, 'not-applied');
  assert.is(errors.busyError('why', 1).outcome, 'not-applied');
});

test('says when to try again where that helps, and names shard and reason', () => {
  assert.is(errors.lostError(seat, true, 5).retryAfterMs, 5);
  assert.is(errors.notServingError(seat, 6).retryAfterMs, 6);
  assert.is(errors.busyError('why', 7).retryAfterMs, 7);
  const refused = errors.notServingError({ ...seat, state: 'refused' }, 8);
  assert.is(refused.retryAfterMs, undefined);
  assert.is(refused.code, 'FAILED_PRECONDITION');
  for (const error of [refused, errors.notServingError(seat, 1), errors.lostError(seat, true, 1)]) {
    assert.match(error.message, /hard 2.*why/);
  }
});

run();
