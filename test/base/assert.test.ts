import * as assert from 'uvu/assert';
import { assert as check, unreachable } from '../../src/base/assert.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('assert');

test('passes what holds and names what does not', () => {
  check(true, 'the sun rises');
  assert.throws(() => check(false, 'the sun rises'), /^Assertion failed: the sun rises$/);
});

test('unreachable shows the value that should not be', () => {
  const value = { kind: 'new' } as never;
  assert.throws(() => unreachable(value, 'verdict'), /Unknown verdict: \{"kind":"new"\}/);
});

run();
