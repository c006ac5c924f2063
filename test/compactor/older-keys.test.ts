import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { MAY_HOLD_ANY, OlderRuns } from '../../src/compactor/older-keys.js';
import type { KeyRange } from '../../src/rpc/jobs.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('OlderRuns');

/** `b-d` holds keys from b to d; words of one text are the tables of one run. */
function runOf(text: string): KeyRange[] {
  return text.split(' ').map((word) => {
    const [minKey = '', maxKey = ''] = word.split('-');
    return { minKey: Buffer.from(minKey), maxKey: Buffer.from(maxKey) };
  });
}

function held(runs: string[], keys: string[]): string {
  const older = new OlderRuns(runs.map(runOf));
  return keys.filter((key) => older.mayHold(Buffer.from(`<${key}>`), 1, key.length)).join('');
}

test('may hold what lies in the range of a table, its ends included', () => {
  assert.is(held(['b-d'], ['a', 'b', 'c', 'd', 'e']), 'bcd');
  assert.is(held(['b-c f-f'], ['a', 'b', 'c', 'd', 'e', 'f', 'g']), 'bcf');
});

test('looks at every run', () => {
  assert.is(held(['b-c', 'e-f'], ['a', 'b', 'd', 'e', 'f', 'g']), 'bef');
});

test('skips tables that lie between two keys', () => {
  assert.is(held(['a-a b-b c-c x-z'], ['d', 'y']), 'y');
});

test('holds nothing where there is nothing older, and may hold any where that is not known', () => {
  assert.is(held([], ['a']), '');
  assert.ok(MAY_HOLD_ANY.mayHold(Buffer.from('a'), 0, 1));
});

test('tells prefixes apart', () => {
  const older = new OlderRuns([runOf('ab-abc')]);
  const asked = ['a', 'aa', 'ab', 'abb', 'abc', 'abca', 'b'];
  const found = asked.filter((key) => older.mayHold(Buffer.from(key), 0, key.length));
  assert.equal(found, ['ab', 'abb', 'abc']);
});

test('agrees with a look at all ranges, whatever they are', () => {
  const number = fc.integer({ min: 0, max: 99 });
  const bounds = fc.uniqueArray(number, { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(bounds, { maxLength: 5 }), fc.array(number), (lists, asked) => {
      const name = (n: number) => Buffer.from(String(n).padStart(2, '0'));
      const pairs = lists.map((list) => {
        const sorted = list.toSorted((a, b) => a - b);
        return sorted.flatMap((min, i) => (i % 2 === 0 ? [[min, sorted[i + 1] ?? min]] : []));
      });
      const runs = pairs.map((run) =>
        run.map(([min = 0, max = 0]) => ({ minKey: name(min), maxKey: name(max) })),
      );
      const older = new OlderRuns(runs);
      for (const n of asked.toSorted((a, b) => a - b)) {
        const expected = pairs.flat().some(([min = 0, max = 0]) => min <= n && n <= max);
        assert.is(older.mayHold(name(n), 0, 2), expected);
      }
    }),
  );
});

run();
