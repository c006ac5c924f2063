import * as assert from 'uvu/assert';
import { KeyChecker } from '../../src/chaos/linearizability.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';
import { hasOrder, historyOf, randomHistory } from './history-rig.js';

const { test, run } = suite('KeyChecker');

function verdictOf(...windows: string[]): string {
  const checker = new KeyChecker();
  for (const window of windows) {
    const verdict = checker.check(historyOf(window));
    if (verdict.kind !== 'fits') return `${verdict.kind} at ${verdict.at.invoked}`;
  }
  return 'fits';
}

const FITS: Record<string, string[]> = {
  'a read after a write': ['1-2 set 1\n3-4 get 1'],
  'reads during a write that see old and new': ['1-2 set 1\n3-9 set 2\n4-5 get 1\n6-7 get 2'],
  'writes at once, in the order that reads show': ['1-6 set 1\n2-5 set 2\n7-8 get 1'],
  'an unknown write that is seen much later': ['1-? set 1\n2-3 get 0\n9-10 get 1'],
  'an unknown write that is never seen': ['1-2 set 1\n3-? set 2\n4-5 get 1'],
  'an unknown delete that comes late': ['1-2 set 1\n3-? del\n4-5 get 1\n6-7 get 0'],
  'a delete': ['1-2 set 1\n3-4 del\n5-6 get 0'],
  'a write if absent': ['1-2 set 1 if 0\n3-4 set 2 if 0 = conflict\n5-6 get 1'],
  'a write that replaces what it saw': ['1-2 set 1\n3-4 set 2 if 1\n5-6 get 2'],
  'a conflict with a write that nobody saw': ['1-2 set 1\n3-? set 2\n4-5 set 3 if 1 = conflict v9'],
  'a conflict with a known version': ['1-2 set 1 v4\n3-4 set 2 if 0 = conflict v4'],
  'a refused write': ['1-2 set 1\n3-4 set 2 = refused\n5-6 get 1'],
  'an unknown write of an earlier window': ['1-? set 1\n2-3 get 0', '4-5 get 1'],
  'a value of an earlier window': ['1-2 set 1', '3-4 get 1', '5-6 get 1'],
  'an unknown delete of a life that is over': ['1-2 set 1\n3-?~5 del\n6-7 get 0'],
  'an unknown write that is first seen in a later life': ['1-?~3 set 1', '4-5 get 1'],
  'a blurred conflict in a later life': [
    '1-2 set 1 v1\n3-?~5 set 2\n6-7 set 3 if 1 = conflict v2\n8-9 get 2',
  ],
  'an unknown write seen before its life was over': ['1-?~6 set 1\n2-3 get 1\n7-8 get 1'],
};

const VIOLATIONS: Record<string, [string[], string]> = {
  'a read of nothing after a write': [['1-2 set 1\n3-4 get 0'], 'violation at 3'],
  'a stale read': [['1-2 set 1\n3-4 set 2\n5-6 get 1'], 'violation at 5'],
  'two reads in the wrong order': [['1-9 set 1\n2-3 get 1\n4-5 get 0'], 'violation at 4'],
  'a deleted value that comes back': [['1-2 set 1\n3-4 del\n5-6 get 1'], 'violation at 5'],
  'a value that comes back': [['1-2 set 1\n3-4 set 2\n5-6 get 2\n7-8 get 1'], 'violation at 7'],
  'an unknown write that comes and goes': [
    ['1-2 set 1\n3-? set 2\n4-5 get 2\n6-7 get 1'],
    'violation at 6',
  ],
  'a condition that cannot have held': [['1-2 set 1\n3-4 set 2 if 0'], 'violation at 3'],
  'a conflict where the condition held': [
    ['1-2 set 1\n3-4 set 2 if 1 = conflict'],
    'violation at 3',
  ],
  'a conflict with a version long gone': [
    ['1-2 set 1 v4\n3-4 set 2 v5\n5-6 set 3 if 0 = conflict v4'],
    'violation at 5',
  ],
  'a loss across windows': [['1-2 set 1', '3-4 get 0'], 'violation at 3'],
  'a value nobody wrote': [['1-2 get 7'], 'violation at 1'],
  'one unknown delete for two losses': [
    ['1-2 set 1\n3-? del\n4-5 get 0\n6-7 set 2\n8-9 get 0'],
    'violation at 8',
  ],
  'an unknown delete after its life': [
    ['1-2 set 1\n3-?~5 del\n6-7 get 1\n8-9 get 0'],
    'violation at 8',
  ],
  'an unknown write after its life': [['1-?~3 set 1\n4-5 get 0\n6-7 get 1'], 'violation at 4'],
  'an unknown write of a life before the last read': [
    ['1-?~3 set 1\n4-5 get 0', '6-7 get 1'],
    'violation at 6',
  ],
};

for (const [title, windows] of Object.entries(FITS)) {
  test(`accepts ${title}`, () => assert.is(verdictOf(...windows), 'fits'));
}
for (const [title, [windows, expected]] of Object.entries(VIOLATIONS)) {
  test(`reports ${title}`, () => assert.is(verdictOf(...windows), expected));
}

test('gives up where the search grows too large, which is no pass', () => {
  const checker = new KeyChecker(20);
  const writes = Array.from({ length: 9 }, (_, i) => `${i + 1}-${20 + i} set ${i + 1}`);
  const verdict = checker.check(historyOf(`${writes.join('\n')}\n40-41 get 99`));
  assert.is(verdict.kind, 'undecided');
});

test('agrees with trying every order, on right and on spoilt histories', () => {
  let spoilt = 0;
  for (let seed = 1; seed <= 1500; seed++) {
    const random = new SeededRandom(seed);
    // The search by trial knows no versions.
    const history = randomHistory(random, 3, 8).map((one) => ({ ...one, version: undefined }));
    if (seed % 3 !== 0) {
      const reads = history.filter(({ kind }) => kind === 'get');
      const at = history.indexOf(random.pick(reads.length > 0 ? reads : history));
      const one = history[at];
      if (one?.kind === 'get') history[at] = { ...one, value: random.nextInt(4) };
    }
    const isRight = hasOrder(history);
    if (!isRight) spoilt++;
    const verdict = new KeyChecker().check(history);
    assert.is(verdict.kind, isRight ? 'fits' : 'violation', `seed ${seed}`);
    if (seed % 3 === 0) assert.ok(isRight, `a register that works has an order: seed ${seed}`);
  }
  assert.ok(spoilt > 200, `${spoilt} spoilt histories`);
});

test('decides long histories with calls of unknown outcome quickly', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const verdict = new KeyChecker().check(randomHistory(new SeededRandom(seed), 8, 100, 0.03));
    assert.is(verdict.kind, 'fits', `seed ${seed}`);
  }
  const long = randomHistory(new SeededRandom(1), 8, 5000, 0.001);
  assert.is(new KeyChecker().check(long).kind, 'fits');
});

run();
