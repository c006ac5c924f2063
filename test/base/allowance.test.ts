import * as assert from 'uvu/assert';
import { Allowance } from '../../src/base/allowance.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Allowance');

test('gives ten seconds of its rate at once, then its rate, and never more than was saved', () => {
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs, wallMs: () => nowMs };
  const allowance = new Allowance(5, clock);
  const takeAll = () => {
    let taken = 0;
    while (allowance.take()) taken++;
    return taken;
  };
  assert.is(takeAll(), 50);
  nowMs += 1000;
  assert.is(takeAll(), 5);
  nowMs += 100;
  assert.is(takeAll(), 0);
  nowMs += 100;
  assert.is(takeAll(), 1);
  nowMs += 3_600_000;
  assert.is(takeAll(), 50);
});

run();
