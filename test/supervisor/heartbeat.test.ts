import * as assert from 'uvu/assert';
import { Heartbeat, lookEveryMs } from '../../src/supervisor/heartbeat.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Heartbeat');

test('reports a count that stands still for four looks, and then starts anew', () => {
  const heartbeat = new Heartbeat();
  const looks = [7, 7, 7, 7, 7, 7, 7, 7, 7, 7].map((turns) => heartbeat.look(turns));
  assert.equal(looks, [false, false, false, false, true, false, false, false, false, true]);
});

test('is content with any progress', () => {
  const heartbeat = new Heartbeat();
  const looks = [1, 1, 1, 1, 2, 2, 2, 2, 3].map((turns) => heartbeat.look(turns));
  assert.not(looks.includes(true));
});

test('does not take one late look for a hang', () => {
  // The process stood still for an hour between the two looks.
  const heartbeat = new Heartbeat();
  assert.not(heartbeat.look(5));
  assert.not(heartbeat.look(5));
});

test('looks four times within the limit', () => {
  assert.is(lookEveryMs(10_000), 2_500);
  assert.is(lookEveryMs(1), 1);
});

run();
