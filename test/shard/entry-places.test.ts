import * as assert from 'uvu/assert';
import { RunReader, writeDelete, writeExpiringPut, writePut } from '../../src/base/entry-run.js';
import { EntryPlaces } from '../../src/shard/entry-places.js';
import { MemTable } from '../../src/shard/mem-table.js';
import { ArenaCursor } from '../../src/storage/arena-cursor.js';
import { bytesOf, del, inTableOrder, put, restOf, type TestEntry } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('EntryPlaces');
const COMMIT_TIME_MS = 1_000_000;
const FIRST_SEQUENCE = 2 ** 32 - 50;
/** Where the run begins in the buffer that is parsed, and how much further on it will lie. */
const RUN_START = 3;
const SHIFT = 8;

interface Written {
  entry: TestEntry;
  write: (target: Uint8Array, at: number) => number;
}

/** Puts, deletes and expiring puts; each key is written several times. */
function workload(count: number): Written[] {
  return Array.from({ length: count }, (_, i) => {
    const key = `key-${'x'.repeat(i % 5)}${i % Math.ceil(count / 3)}`;
    const value = 'v'.repeat((i * 7) % 300);
    const sequence = FIRST_SEQUENCE + i;
    const [keyBytes, valueBytes] = [bytesOf(key), bytesOf(value)];
    if (i % 7 === 3) {
      return { entry: del(key, sequence), write: (to, at) => writeDelete(to, at, keyBytes) };
    }
    if (i % 7 === 5) {
      return {
        entry: put(key, sequence, value, COMMIT_TIME_MS + i),
        write: (to, at) => writeExpiringPut(to, at, keyBytes, valueBytes, i),
      };
    }
    return {
      entry: put(key, sequence, value),
      write: (to, at) => writePut(to, at, keyBytes, valueBytes),
    };
  });
}

/** Parses the workload where it lies and notes its places in the shifted copy that it returns. */
function locate(written: Written[], places: EntryPlaces): Uint8Array {
  const run = new Uint8Array(RUN_START + 1 + written.length * 400);
  let at = RUN_START + 1;
  for (const { write } of written) at = write(run, at);
  const reader = new RunReader();
  reader.reset(run, RUN_START, at - RUN_START);
  while (reader.next()) places.set(reader.count - 1, reader, SHIFT);
  assert.is(reader.count, written.length);
  const shifted = new Uint8Array(at + SHIFT);
  shifted.set(run.subarray(0, at), SHIFT);
  return shifted;
}

function applied(places: EntryPlaces, bytes: Uint8Array, from: number, to: number): TestEntry[] {
  const table = new MemTable(new SharedArrayBuffer(8 * 1024 * 1024));
  places.applyTo(table, bytes, from, to, COMMIT_TIME_MS, FIRST_SEQUENCE);
  const cursor = new ArenaCursor(table.arena);
  cursor.seekToFirst();
  return restOf(cursor);
}

test('brings every entry to the MemTable as it was written, however many there are', () => {
  const places = new EntryPlaces();
  // Around the number that is applied at once, and beyond what there is room for at first.
  for (const count of [0, 1, 63, 64, 65, 300, 10_000]) {
    const written = workload(count);
    const bytes = locate(written, places);
    const expected = inTableOrder(written.map(({ entry }) => entry));
    assert.equal(applied(places, bytes, 0, count), expected, `${count} entries`);
  }
});

test('leaves out what comes before the stretch that is asked for, and what comes after', () => {
  const places = new EntryPlaces();
  const written = workload(200);
  const bytes = locate(written, places);
  for (const [from, to] of [
    [199, 200],
    [70, 130],
    [200, 200],
  ] as const) {
    const expected = inTableOrder(written.slice(from, to).map(({ entry }) => entry));
    assert.equal(applied(places, bytes, from, to), expected, `${from} to ${to}`);
  }
});

test('tells where a key lies and whether its entry is a delete', () => {
  const places = new EntryPlaces();
  const written = workload(40);
  const bytes = locate(written, places);
  for (const [i, { entry }] of written.entries()) {
    const start = places.keyStart(i);
    const key = bytes.subarray(start, start + places.keyLength(i));
    assert.equal(key, bytesOf(entry.key));
    assert.is(places.isDelete(i), i % 7 === 3);
  }
});

run();
