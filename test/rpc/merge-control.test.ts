import * as assert from 'uvu/assert';
import { MergeCancelled, MergeControl } from '../../src/rpc/merge-control.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('MergeControl');

test('asks for full speed without a limit at first', () => {
  const control = MergeControl.create();
  assert.is(control.sharePercent, 100);
  assert.is(control.bytesPerSecond, 0);
  assert.not(control.isCancelled);
});

test('tells who holds the same memory', () => {
  const control = MergeControl.create();
  const other = new MergeControl(control.memory);
  control.sharePercent = 30;
  control.bytesPerSecond = 3 * 1024 * 1024;
  assert.is(other.sharePercent, 30);
  assert.is(other.bytesPerSecond, 3 * 1024 * 1024);
  other.cancel();
  assert.ok(control.isCancelled);
});

test('keeps the share where a merge goes on at all', () => {
  const control = MergeControl.create();
  control.sharePercent = 0;
  assert.is(control.sharePercent, 1);
  control.sharePercent = 1000;
  assert.is(control.sharePercent, 100);
});

test('takes the smallest limit for a limit', () => {
  const control = MergeControl.create();
  control.bytesPerSecond = 1;
  assert.is(control.bytesPerSecond, 1024);
});

test('does not rest once it is cancelled', () => {
  const control = MergeControl.create();
  control.rest(1);
  control.cancel();
  control.rest(1e9);
  assert.is(new MergeCancelled().code, 'CANCELLED');
});

run();
