import * as assert from 'uvu/assert';
import { Judge, judgeTag } from '../../src/chaos/judge.js';
import { suite } from '../harness/suite.js';
import { historyOf } from './history-rig.js';

const { test, run } = suite('Judge');

function findingsOf(...windows: string[]): string[] {
  const judge = new Judge();
  for (const window of windows) judge.judge(new Map([['k', historyOf(window)]]));
  return judge.violations.map(({ invariant }) => invariant);
}

const FOUND: Record<string, [string[], string]> = {
  'a value that is gone': [['1-2 set 1\n3-4 get 0'], 'lost'],
  'an older value than the acknowledged one': [['1-2 set 1\n3-4 set 2\n5-6 get 1'], 'lost'],
  'a deleted value that is back': [['1-2 set 1\n3-4 del\n5-6 get 1'], 'resurrected'],
  'a refused write that was applied': [['1-2 set 1 = refused\n3-4 get 1'], 'refused-applied'],
  'a refused write that shows in a later window': [
    ['1-2 set 1 = refused', '3-4 get 1'],
    'refused-applied',
  ],
  'versions that go back': [['1-2 set 1 v5\n3-4 set 2 v4'], 'version'],
  'versions that go back from one window to the next': [
    ['1-2 set 1 v5', '3-4 set 2 v4'],
    'version',
  ],
  'one version with two values': [['1-2 set 1 v5\n3-4 set 2 v5'], 'version'],
  'a condition that cannot have held': [['1-2 set 1\n3-4 set 2 if 0'], 'order'],
};

for (const [title, [windows, invariant]] of Object.entries(FOUND)) {
  test(`names ${title}`, () => assert.equal(findingsOf(...windows), [invariant]));
}

test('finds nothing where there is nothing, and counts what it judged', () => {
  const judge = new Judge();
  const window = historyOf('1-2 set 1 v1\n3-5 set 2 v2\n4-6 get 1 v1\n7-8 get 2 v2');
  judge.judge(new Map([['k', window]]));
  assert.equal([judge.violations, judge.checked], [[], 4]);
});

test('reports a key once: what follows proves nothing', () => {
  assert.equal(findingsOf('1-2 set 1\n3-4 get 0', '5-6 get 1\n7-8 get 0'), ['lost']);
});

test('counts a search that was given up as a violation', () => {
  const judge = new Judge({ stepsMax: 10 });
  const writes = Array.from({ length: 9 }, (_, i) => `${i + 1}-${20 + i} set ${i + 1}`);
  judge.judge(new Map([['k', historyOf(`${writes.join('\n')}\n40-41 get 99`)]]));
  assert.equal(
    judge.violations.map(({ invariant }) => invariant),
    ['undecided'],
  );
});

test('wants the keys of a tag to be of one batch, all or none', () => {
  assert.is(judgeTag([], 4), undefined);
  assert.is(judgeTag([7, 7, 7, 7], 4), undefined);
  assert.match(judgeTag([7, 7, 7], 4) ?? '', /3 of 4 keys/);
  assert.match(judgeTag([7, 7, 8, 7], 4) ?? '', /batches 7, 8/);
});

run();
