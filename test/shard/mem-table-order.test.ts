import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { MemTable } from '../../src/shard/mem-table.js';
import { CHUNK_KEYS, MemTableOrder } from '../../src/shard/mem-table-order.js';
import { MergeCursor, ReverseMergeCursor } from '../../src/storage/merge-cursor.js';
import {
  allOf,
  backwardFrom,
  bytesOf,
  expectedBackward,
  inTableOrder,
  put,
  restOf,
  type TestEntry,
} from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { arbitraryEntries } from '../harness/table-cases.js';

const { test, run } = suite('MemTableOrder');

function add(table: MemTable, { key, value, sequence, kind, expiresAtMs }: TestEntry): void {
  const bytes = bytesOf(key + value);
  const { length } = key;
  table.add(bytes, 0, length, length, value.length, kind, expiresAtMs, sequence);
}

/** In the order of writing, which is not that of keys. */
const entriesWritten = arbitraryEntries(0, 80)
  .chain((list) => fc.shuffledSubarray(list, { minLength: list.length }))
  .map((list) => list.map((entry, i) => ({ ...entry, sequence: i + 1 })));

test('shows what has been written so far in order, however often it is asked', () => {
  const bounds = fc.constantFrom('', 'a', 'b', 'pp', '\xff\xff');
  fc.assert(
    fc.property(entriesWritten, fc.nat(80), bounds, (entries, snapshot, bound) => {
      const table = new MemTable(new SharedArrayBuffer(1 << 18));
      const order = new MemTableOrder(table);
      for (const [i, entry] of entries.entries()) {
        add(table, entry);
        if (i % 10 === 3) order.step();
      }
      assert.ok(order.step());
      const forward = new MergeCursor(order.cursors());
      assert.equal(allOf(forward), inTableOrder(entries));
      forward.seek(bytesOf(bound));
      assert.equal(restOf(forward), inTableOrder(entries.filter(({ key }) => key >= bound)));
      const backward = new ReverseMergeCursor(order.cursors());
      backward.seekToLast(snapshot);
      assert.equal(backwardFrom(backward), expectedBackward(entries, snapshot));
      backward.seekBefore(bytesOf(bound), snapshot);
      assert.equal(backwardFrom(backward), expectedBackward(entries, snapshot, bound));
    }),
  );
});

test('sorts one chunk per step, and sees later versions of keys in old chunks', () => {
  const table = new MemTable(new SharedArrayBuffer(16 << 20));
  const order = new MemTableOrder(table);
  const count = 2 * CHUNK_KEYS + 100;
  const entries: TestEntry[] = [];
  const write = (key: string, value: string): void => {
    const entry = put(key, entries.length + 1, value);
    entries.push(entry);
    add(table, entry);
  };
  for (let i = 0; i < count; i++) write(`${(i * 7919) % 999_983}`, 'first');
  assert.not(order.step(), 'after the first chunk a second one is full');
  assert.ok(order.step());
  assert.is(order.cursors().length, 3, 'two chunks and a tail');
  for (let i = 0; i < 100; i++) write(`${(i * 7919) % 999_983}`, 'second');
  for (let i = 0; i < 100; i++) write(`late ${i}`, 'new');
  assert.ok(order.step());
  const found = allOf(new MergeCursor(order.cursors()));
  const expected = inTableOrder(entries);
  assert.is(found.length, expected.length);
  const different = found.findIndex((entry, i) => {
    const wanted = expected[i];
    return entry.key !== wanted?.key || entry.sequence !== wanted.sequence;
  });
  assert.is(different, -1);
  assert.is(found.filter(({ value }) => value === 'second').length, 100);
});

test('of an empty table shows nothing', () => {
  const order = new MemTableOrder(new MemTable(new SharedArrayBuffer(8192)));
  assert.ok(order.step());
  assert.equal(allOf(new MergeCursor(order.cursors())), []);
});

run();
