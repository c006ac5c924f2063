import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { MergeCursor } from '../../src/storage/merge-cursor.js';
import {
  ArrayCursor,
  allOf,
  bytesOf,
  entryAt,
  inTableOrder,
  put,
  restOf,
  type TestEntry,
} from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { arbitraryEntries } from '../harness/table-cases.js';

const { test, run } = suite('MergeCursor');

const merge = (...inputs: TestEntry[][]) =>
  new MergeCursor(inputs.map((entries) => new ArrayCursor(entries)));

test('gives every entry of every input, in table order', () => {
  const inputs = fc.array(arbitraryEntries(0, 15), { maxLength: 9 });
  fc.assert(
    fc.property(inputs, fc.constantFrom('', 'a', 'ab', 'pp', '\xff'), (lists, key) => {
      // Array.sort is stable, so the newer input's twin comes first here too.
      const expected = inTableOrder(lists.flat());
      const cursor = merge(...lists);
      assert.equal(allOf(cursor), expected);
      cursor.seek(bytesOf(key));
      assert.equal(
        restOf(cursor),
        expected.filter((entry) => entry.key >= key),
      );
    }),
  );
});

test('prefers the newer input where key and sequence are equal', () => {
  const cursor = merge([put('k', 5, 'newest')], [put('k', 5, 'older')], [put('k', 5, 'oldest')]);
  assert.equal(
    allOf(cursor).map((entry) => entry.value),
    ['newest', 'older', 'oldest'],
  );
});

test('is not valid without inputs, before the first seek and at the end', () => {
  const none = merge();
  none.seekToFirst();
  assert.is(none.valid, false);
  none.next();
  const one = merge([put('k', 1)], []);
  assert.is(one.valid, false);
  one.seekToFirst();
  assert.equal(entryAt(one), put('k', 1));
  one.next();
  assert.is(one.valid, false);
});

test('shows no entry once an input has thrown', () => {
  const broken = new ArrayCursor([put('a', 1), put('c', 1)]);
  const cursor = new MergeCursor([broken, new ArrayCursor([put('b', 1)])]);
  cursor.seekToFirst();
  broken.next = () => {
    throw new Error('damaged');
  };
  assert.throws(() => cursor.next(), /damaged/);
  assert.is(cursor.valid, false);
});

run();
