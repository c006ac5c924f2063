import * as assert from 'uvu/assert';
import { readRecordedStorm } from '../../src/storm/recorded-storm.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Recorded storms');

test('say what is wrong with a file that is none', () => {
  assert.throws(() => readRecordedStorm('f', '{'), /Cannot use the recorded storm f: it is not/);
  assert.throws(() => readRecordedStorm('f', '{}'), /"kind": "stormkv recorded storm"/);
  const other = '{"kind":"stormkv recorded storm","format":9}';
  assert.throws(() => readRecordedStorm('f', other), /reads format 1: found 9/);
});

run();
