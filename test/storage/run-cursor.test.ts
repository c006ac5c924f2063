import * as assert from 'uvu/assert';
import { fileNumber } from '../../src/base/ids.js';
import type { TableMeta } from '../../src/base/table-meta.js';
import { ReverseRunCursor, RunCursor } from '../../src/storage/run-cursor.js';
import {
  ArrayCursor,
  allOf,
  backwardFrom,
  bytesOf,
  expectedBackward,
  put,
  restOf,
  type TestEntry,
} from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('RunCursor');

/** A run of three tables that notes what is opened and closed. */
function makeRun(events: string[] = []) {
  const tables: TestEntry[][] = [
    [put('a', 3), put('c', 2), put('c', 1)],
    [put('d', 1)],
    [put('f', 2), put('g', 1)],
  ];
  const run = tables.map((entries, i) => metaOf(i, entries));
  const files = {
    open(meta: TableMeta) {
      events.push(`open ${meta.number}`);
      return new ArrayCursor(tables[meta.number] ?? []);
    },
    close: (meta: TableMeta) => events.push(`close ${meta.number}`),
  };
  const cursor = new RunCursor(run, files);
  const reverse = new ReverseRunCursor(run, files);
  return { cursor, reverse, entries: tables.flat() };
}

function metaOf(number: number, entries: TestEntry[]): TableMeta {
  return {
    number: fileNumber(number),
    sizeBytes: 0,
    crc32: 0,
    entryCount: entries.length,
    tombstoneCount: 0,
    minKey: bytesOf(entries[0]?.key ?? ''),
    maxKey: bytesOf(entries.at(-1)?.key ?? ''),
    minSequence: Math.min(...entries.map(({ sequence }) => sequence)),
    maxSequence: 0,
    minExpiresAtMs: 0,
    maxExpiresAtMs: 0,
    immortalCount: 0,
  };
}

test('goes through the tables one after another and holds one open', () => {
  const events: string[] = [];
  const { cursor, entries } = makeRun(events);
  assert.equal(allOf(cursor), entries);
  assert.is(cursor.valid, false);
  cursor.close();
  assert.equal(events, ['open 0', 'close 0', 'open 1', 'close 1', 'open 2', 'close 2']);
});

test('seeks to the table that may hold the key, also between tables', () => {
  const { cursor, entries } = makeRun();
  for (const key of ['', 'a', 'b', 'c', 'cc', 'd', 'e', 'f', 'g', 'h', 'a']) {
    cursor.seek(bytesOf(key));
    assert.equal(
      restOf(cursor),
      entries.filter((entry) => entry.key >= key),
      key,
    );
  }
});

test('gives an open table back when closed early, and is empty without tables', () => {
  const events: string[] = [];
  const { cursor } = makeRun(events);
  cursor.seek(bytesOf('d'));
  cursor.close();
  cursor.close();
  assert.is(cursor.valid, false);
  assert.equal(events, ['open 1', 'close 1']);
  const none = new RunCursor([], { open: () => new ArrayCursor([]), close: () => {} });
  none.seekToFirst();
  none.next();
  assert.is(none.valid, false);
});

test('goes backward from any key, over tables in which a snapshot sees nothing', () => {
  const { reverse, entries } = makeRun();
  for (const snapshot of [0, 1, 2, 3]) {
    reverse.seekToLast(snapshot);
    assert.equal(backwardFrom(reverse), expectedBackward(entries, snapshot));
    for (const key of ['', 'a', 'b', 'c', 'cc', 'd', 'e', 'f', 'g', 'h', 'a']) {
      reverse.seekBefore(bytesOf(key), snapshot);
      assert.equal(backwardFrom(reverse), expectedBackward(entries, snapshot, key), key);
    }
  }
});

test('backward too holds one table open, and none at the end', () => {
  const events: string[] = [];
  const { reverse } = makeRun(events);
  reverse.seekToLast(9);
  backwardFrom(reverse);
  assert.equal(events, ['open 2', 'close 2', 'open 1', 'close 1', 'open 0', 'close 0']);
  const none = new ReverseRunCursor([], { open: () => new ArrayCursor([]), close: () => {} });
  none.seekToLast(1);
  none.seekBefore(bytesOf('a'), 1);
  assert.is(none.valid, false);
});

run();
