import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { MergeCursor, ReverseMergeCursor } from '../../src/storage/merge-cursor.js';
import {
  ArrayCursor,
  allOf,
  backwardFrom,
  bytesOf,
  entryAt,
  expectedBackward,
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

test('backward shows of each key the newest visible version of any input', () => {
  const inputs = fc.array(arbitraryEntries(0, 15), { maxLength: 9 });
  const snapshots = fc.oneof(fc.integer({ min: 0, max: 32 }), fc.constant(2 ** 53 - 1));
  const bounds = fc.constantFrom('', 'a', 'ab', 'pp', '\xff');
  fc.assert(
    fc.property(inputs, snapshots, bounds, (lists, snapshot, bound) => {
      const cursor = new ReverseMergeCursor(lists.map((entries) => new ArrayCursor(entries)));
      // Array.sort is stable, so of twins the newer input's one is expected.
      cursor.seekToLast(snapshot);
      assert.equal(backwardFrom(cursor), expectedBackward(lists.flat(), snapshot));
      cursor.seekBefore(bytesOf(bound), snapshot);
      assert.equal(backwardFrom(cursor), expectedBackward(lists.flat(), snapshot, bound));
    }),
  );
});

run();
