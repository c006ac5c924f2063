import * as assert from 'uvu/assert';
import { BlockBuilder } from '../../src/storage/block-builder.js';
import { BlockColumns } from '../../src/storage/block-columns.js';
import { BlockReader } from '../../src/storage/block-reader.js';
import { TRAILER_BYTES } from '../../src/storage/table-format.js';
import { ArrayCursor, bytesOf, del, entryAt, put, type TestEntry } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('BlockColumns');

function readerOf(entries: readonly TestEntry[]): BlockReader {
  const builder = new BlockBuilder(16, 3);
  for (const { key, sequence, kind, expiresAtMs, value } of entries) {
    const keyBytes = bytesOf(key);
    const valueBytes = bytesOf(value);
    const valueLength = valueBytes.length;
    const keyLength = keyBytes.length;
    builder.add(keyBytes, 0, keyLength, sequence, kind, expiresAtMs, valueBytes, 0, valueLength);
  }
  builder.finishBlock(0);
  const reader = new BlockReader('f');
  reader.openBlock(builder.bytes, 0, builder.length - TRAILER_BYTES, 0);
  return reader;
}

function allOf(columns: BlockColumns): TestEntry[] {
  const view = new ArrayCursor([]);
  return Array.from({ length: columns.count }, (_, at) => {
    columns.show(at, view);
    return entryAt(view);
  });
}

test('shows every entry of a block, and of the next one in its place', () => {
  const columns = new BlockColumns();
  const many = Array.from({ length: 200 }, (_, i) => put(`key${1000 + i}`, i + 1, `v${i}`, i));
  const few = [put('', 7, 'x'), del('a', 9), put('a', 4, 'old'), put('ab', 2 ** 40, '', 2 ** 41)];
  for (const entries of [few, many, few]) {
    columns.fill(readerOf(entries), undefined);
    assert.equal(allOf(columns), entries);
  }
  assert.is(columns.sequence(2), 4);
  assert.is(columns.haveSameKey(1, 2), true);
  assert.is(columns.haveSameKey(0, 1), false);
  assert.is(columns.haveSameKey(2, 3), false);
});

test('takes only what is below a bound', () => {
  const entries = [put('a', 1), put('b', 3), put('b', 2), put('c', 1)];
  const columns = new BlockColumns();
  for (const bound of ['', 'a', 'aa', 'b', 'c', 'd']) {
    columns.fill(readerOf(entries), bytesOf(bound));
    assert.equal(
      allOf(columns),
      entries.filter(({ key }) => key < bound),
    );
  }
  columns.release();
  assert.is(columns.count, 0);
});

run();
