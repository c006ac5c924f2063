import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { MemTable } from '../../src/shard/mem-table.js';
import { ArenaCursor } from '../../src/storage/arena-cursor.js';
import {
  allOf,
  backwardFrom,
  bytesOf,
  expectedBackward,
  inTableOrder,
  restOf,
  type TestEntry,
} from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { arbitraryEntries } from '../harness/table-cases.js';

const { test, run } = suite('ArenaCursor');

/** Writes happen in the order of their sequences, each with one of its own. */
function written(entries: readonly TestEntry[]): TestEntry[] {
  return entries.map((entry, i) => ({ ...entry, sequence: i + 1 }));
}

function cursorOf(entries: readonly TestEntry[]): ArenaCursor {
  const table = new MemTable(new SharedArrayBuffer(1 << 20));
  for (const { key, sequence, kind, expiresAtMs, value } of entries) {
    const bytes = bytesOf(key + value);
    const at = key.length;
    table.add(bytes, 0, at, at, value.length, kind, expiresAtMs, sequence);
  }
  return new ArenaCursor(table.arena);
}

test('shows what was written in table order, and from any key', () => {
  fc.assert(
    fc.property(arbitraryEntries(0, 60), fc.constantFrom('', 'a', 'b', 'pp'), (list, bound) => {
      const entries = written(list);
      const cursor = cursorOf(entries);
      assert.equal(allOf(cursor), inTableOrder(entries));
      cursor.seek(bytesOf(bound));
      const behind = entries.filter(({ key }) => key >= bound);
      assert.equal(restOf(cursor), inTableOrder(behind));
    }),
  );
});

test('backward shows what a snapshot sees of each key', () => {
  const bounds = fc.constantFrom('', 'a', 'b', 'pp');
  fc.assert(
    fc.property(arbitraryEntries(0, 60), fc.nat(61), bounds, (list, snapshot, bound) => {
      const entries = written(list);
      const cursor = cursorOf(entries);
      cursor.seekToLast(snapshot);
      assert.equal(backwardFrom(cursor), expectedBackward(entries, snapshot));
      cursor.seekBefore(bytesOf(bound), snapshot);
      assert.equal(backwardFrom(cursor), expectedBackward(entries, snapshot, bound));
    }),
  );
});

run();
