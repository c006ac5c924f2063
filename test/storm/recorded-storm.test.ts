import * as assert from 'uvu/assert';
import { readRecordedStorm, recordedStormText } from '../../src/storm/recorded-storm.js';
import type { StormResult } from '../../src/storm/storm-result.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Recorded storms');

const SIZES = {
  entriesPerSubmission: { mean: 2.5, max: 4 },
  keyBytes: { mean: 16, max: 16 },
  valueBytes: { mean: 64, max: 64 },
  readShare: 0.25,
};

/** As much of a result as is recorded. */
const RESULT = {
  options: { profile: { name: 'mixed' }, door: 'http', seed: 9 },
  sizes: SIZES,
  timeline: { offeredPerSecond: [10, 0, 5], submissionsPerSecond: [4, 0, 2] },
} as unknown as StormResult;

test('come back as they were written', () => {
  const recorded = readRecordedStorm('f', recordedStormText(RESULT));
  assert.equal(recorded, {
    kind: 'stormkv recorded storm',
    format: 1,
    profile: 'mixed',
    door: 'http',
    seed: 9,
    offeredPerSecond: [10, 0, 5],
    submissionsPerSecond: [4, 0, 2],
    ...SIZES,
  });
});

test('say what is wrong with a file that is none', () => {
  assert.throws(() => readRecordedStorm('f', '{'), /Cannot use the recorded storm f: it is not/);
  assert.throws(() => readRecordedStorm('f', '{}'), /"kind": "stormkv recorded storm"/);
  const other = '{"kind":"stormkv recorded storm","format":9}';
  assert.throws(() => readRecordedStorm('f', other), /reads format 1: found 9/);
});

const SPOILT: readonly [string, unknown, RegExp][] = [
  ['submissionsPerSecond', [1], /must be equally long/],
  ['submissionsPerSecond', [], /submissionsPerSecond must be a list of numbers/],
  ['offeredPerSecond', [1, -1, 2], /offeredPerSecond must be a list of numbers/],
  ['offeredPerSecond', [1, '2', 2], /offeredPerSecond must be a list of numbers/],
  ['profile', 5, /profile must be a text: found 5/],
  ['keyBytes', 16, /keyBytes must have "mean" and "max"/],
  ['valueBytes', { mean: 5 }, /max must be a number/],
  ['readShare', null, /readShare must be a number, 0 or more: found null/],
];

for (const [field, value, message] of SPOILT) {
  test(`are refused where ${field} is ${JSON.stringify(value)}`, () => {
    const text = JSON.stringify({ ...JSON.parse(recordedStormText(RESULT)), [field]: value });
    assert.throws(() => readRecordedStorm('f', text), message);
  });
}

run();
