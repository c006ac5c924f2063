import * as assert from 'uvu/assert';
import { TableTally } from '../../src/storage/check-tally.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { ArrayCursor, bytesOf, del, put, type TestEntry } from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { writeTable } from '../harness/table-cases.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('TableTally');

function tallied(entries: readonly TestEntry[]) {
  const tally = new TableTally();
  const cursor = new ArrayCursor(entries);
  const places: string[] = [];
  for (cursor.seekToFirst(); cursor.valid; cursor.next()) places.push(tally.add(cursor));
  return { tally, places };
}

const ENTRIES = [put('a', 5, 'x', 9), put('a', 3), del('b', 7), put('c', 1, 'y', 4)];

test('agrees with what the writer says of the same entries, and with nothing else', () =>
  withTempDir((dir) => {
    const meta = writeTable(nodeFileSystem, dir, 1, ENTRIES);
    const { tally } = tallied(ENTRIES);
    assert.is(tally.differenceFrom(meta), undefined);
    for (const name of [
      'entryCount',
      'tombstoneCount',
      'immortalCount',
      'minSequence',
      'maxSequence',
      'minExpiresAtMs',
      'maxExpiresAtMs',
    ] as const) {
      assert.match(tally.differenceFrom({ ...meta, [name]: meta[name] + 1 }) ?? '', name);
    }
    for (const name of ['minKey', 'maxKey'] as const) {
      assert.match(tally.differenceFrom({ ...meta, [name]: bytesOf('bb') }) ?? '', name);
    }
  }));

test('tells new keys, older versions and entries out of order', () => {
  const list = [put('b', 5), put('b', 5), put('b', 6), put('a', 1), put('ab', 2), put('ab', 1)];
  const out = 'out-of-order';
  assert.equal(tallied(list).places, ['new-key', out, out, out, 'new-key', 'older-version']);
  const { tally } = tallied([put('z', 1)]);
  tally.forgetLast();
  const cursor = new ArrayCursor([put('a', 1)]);
  cursor.seekToFirst();
  assert.is(tally.add(cursor), 'new-key');
});

run();
