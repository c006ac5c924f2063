import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { hash32 } from '../../src/base/hash.js';
import { MemTable } from '../../src/shard/mem-table.js';
import { arenaLayout } from '../../src/storage/arena-format.js';
import { LookupResult } from '../../src/storage/lookup.js';
import { collidingKeys } from '../harness/colliding-keys.js';
import { bytesOf, del, expectedVersion, put, type TestEntry, textOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { arbitraryEntries } from '../harness/table-cases.js';

const { test, run } = suite('MemTable');
const NEWEST = Number.MAX_SAFE_INTEGER;

function tableOf(entries: readonly TestEntry[], arenaBytes = 1 << 18): MemTable {
  const table = new MemTable(new SharedArrayBuffer(arenaBytes));
  for (const entry of entries) add(table, entry);
  return table;
}

/** Key and value lie at odd places of one buffer, as they do in a frame. */
function add(table: MemTable, { key, value, sequence, kind, expiresAtMs }: TestEntry): void {
  const bytes = bytesOf(`<${key}>${value}]`);
  const valueStart = key.length + 2;
  table.add(bytes, 1, key.length, valueStart, value.length, kind, expiresAtMs, sequence);
}

function find(table: MemTable, key: string, snapshot = NEWEST): TestEntry | undefined {
  const found = new LookupResult();
  const bytes = bytesOf(`..${key}.`);
  if (!table.get(bytes, 2, key.length, snapshot, found)) return undefined;
  const { sequence, kind, expiresAtMs } = found;
  const value = textOf(found.valueBytes, found.valueStart, found.valueLength);
  return { key, sequence, kind, expiresAtMs, value };
}

/** Sequences that rise, in steps that pass 2^32 early, or begin near 2^53. */
function rising(entries: readonly TestEntry[], first: number): TestEntry[] {
  return entries.map((entry, i) => ({ ...entry, sequence: first + i * 3 }));
}

/** In the order of writing, which is not that of keys. */
const entriesWritten = (maxLength: number): fc.Arbitrary<TestEntry[]> =>
  arbitraryEntries(0, maxLength).chain((list) =>
    fc.shuffledSubarray(list, { minLength: list.length }),
  );

const firsts = fc.constantFrom(1, 2 ** 31 - 40, 2 ** 32 - 40, 2 ** 40, NEWEST - 1000);

test('finds for each snapshot the newest version that it may see', () => {
  fc.assert(
    fc.property(entriesWritten(60), firsts, (list, first) => {
      const entries = rising(list, first);
      const table = tableOf(entries);
      assert.is(table.entryCount, entries.length);
      assert.is(table.keyCount, new Set(entries.map(({ key }) => key)).size);
      assert.is(table.minSequence, entries[0]?.sequence ?? 0);
      assert.is(table.maxSequence, entries.at(-1)?.sequence ?? 0);
      for (const { key, sequence } of entries) {
        for (const snapshot of [sequence - 1, sequence, sequence + 1, NEWEST]) {
          assert.equal(find(table, key, snapshot), expectedVersion(entries, key, snapshot));
        }
      }
      assert.is(find(table, 'never written'), undefined);
    }),
  );
});

test('takes keys of 1 to 64 bytes and values around each copying bound', () => {
  const entries: TestEntry[] = [];
  for (let keyLength = 1; keyLength <= 64; keyLength++) {
    for (const valueLength of [0, 1, 3, 4, 5, 95, 96, 97, 255, 256, 257, 1000]) {
      const key = `${keyLength}`.padEnd(keyLength, 'k').slice(0, keyLength);
      const value = `${valueLength}`.padEnd(valueLength, 'v').slice(0, valueLength);
      const sequence = entries.length + 1;
      const expiresAtMs = sequence % 3 === 0 ? 2 ** 41 + sequence : 0;
      entries.push(put(key, sequence, value, expiresAtMs));
    }
  }
  const table = tableOf(entries, 1 << 20);
  for (const { key, sequence } of entries) {
    assert.equal(find(table, key, sequence), expectedVersion(entries, key, sequence));
  }
});

test('tells keys apart that have the same hash, one be the prefix of the other or not', () => {
  const keys = collidingKeys(50);
  const hashes = new Set(keys.map((key) => hash32(key, 0, key.length, 0)));
  assert.is(hashes.size, 1, 'they collide');
  const entries = [...keys, ...keys.slice(0, 20)].map((key, i) =>
    i % 7 === 3 ? del(textOf(key), i + 1) : put(textOf(key), i + 1, `v${i}`),
  );
  const table = tableOf(entries);
  assert.is(table.keyCount, 50);
  for (const { key, sequence } of entries) {
    assert.equal(find(table, key), expectedVersion(entries, key, NEWEST));
    assert.equal(find(table, key, sequence), expectedVersion(entries, key, sequence));
  }
  assert.is(find(table, textOf(collidingKeys(51)[50]!)), undefined);
});

test('finds all keys of a table filled to its last slot and byte', () => {
  for (const arenaBytes of [8 * 1024, 10_000, 64 * 1024]) {
    const table = new MemTable(new SharedArrayBuffer(arenaBytes));
    const run = 12;
    let count = 0;
    while (table.hasRoomFor(MemTable.boundFor(run, 1), 1)) {
      add(table, put(`k${count}`, ++count, 'v'));
    }
    assert.ok(count > 20, `${count} keys in ${arenaBytes} bytes`);
    assert.ok(table.keyCount <= arenaLayout(arenaBytes).keysMax);
    for (let i = 0; i < count; i++) assert.is(find(table, `k${i}`)?.sequence, i + 1);
    assert.is(find(table, `k${count}`), undefined);
  }
});

test('bounds what a run takes, whatever its entries', () => {
  fc.assert(
    fc.property(arbitraryEntries(1, 40), (list) => {
      const table = new MemTable(new SharedArrayBuffer(1 << 18));
      // The shortest run: a byte of format, two headers of one or two bytes per entry.
      let runBytes = 1;
      for (const entry of rising(list, 1)) {
        add(table, entry);
        runBytes += entry.key.length + entry.value.length + 3;
      }
      assert.ok(table.dataBytes <= MemTable.boundFor(runBytes, list.length));
      assert.is(table.usedBytes, table.firstEntryStart + table.dataBytes);
    }),
  );
});

test('gives a hot key the memory of one version, as long as no snapshot needs the older ones', () => {
  const table = new MemTable(new SharedArrayBuffer(16 * 1024));
  table.keepThrough = 0;
  add(table, put('other', 1, 'x'));
  for (let i = 2; i < 10_000; i++) add(table, put('hot', i, `${i}`.padStart(9, '0')));
  assert.is(table.entryCount, 2);
  assert.is(table.keyCount, 2);
  assert.equal(find(table, 'hot'), put('hot', 9999, '000009999'));
  assert.is(table.maxSequence, 9999);
  assert.is(find(table, 'hot', 9998), undefined, 'nobody may ask for what nobody needs');

  // Another size, an expiry, and a snapshot: each gets a version of its own.
  add(table, put('hot', 10_000, 'longer than before'));
  add(table, put('hot', 10_001, 'longer than before', 2 ** 41));
  table.keepThrough = 10_001;
  add(table, put('hot', 10_002, 'newer, same length', 2 ** 41 + 1));
  add(table, put('hot', 10_003, 'newest same length', 2 ** 41 + 2));
  assert.is(table.entryCount, 5);
  assert.equal(find(table, 'hot'), put('hot', 10_003, 'newest same length', 2 ** 41 + 2));
  assert.equal(find(table, 'hot', 10_001), put('hot', 10_001, 'longer than before', 2 ** 41));
  assert.equal(find(table, 'hot', 10_000), put('hot', 10_000, 'longer than before'));
  assert.equal(find(table, 'hot', 9999), put('hot', 9999, '000009999'));
});

test('shows every snapshot what it has to, whatever was replaced since', () => {
  const snapshots = fc.array(fc.nat({ max: 180 }), { maxLength: 4 });
  fc.assert(
    fc.property(entriesWritten(60), snapshots, (list, opened) => {
      const entries = rising(list, 1);
      const table = new MemTable(new SharedArrayBuffer(64 * 1024));
      for (const entry of entries) {
        // Those that were open when the entry was written: snapshots see what is before them.
        const open = opened.filter((sequence) => sequence < entry.sequence);
        table.keepThrough = Math.max(0, ...open);
        add(table, entry);
      }
      for (const snapshot of [...opened, NEWEST]) {
        for (const { key } of entries) {
          assert.equal(find(table, key, snapshot), expectedVersion(entries, key, snapshot));
        }
      }
    }),
  );
});

test('clears an arena that held another table', () => {
  const arena = new SharedArrayBuffer(16 * 1024);
  const first = new MemTable(arena);
  for (let i = 0; i < 50; i++) add(first, put(`k${i}`, i + 1, 'v'));
  const second = new MemTable(arena);
  assert.is(second.entryCount, 0);
  for (let i = 0; i < 50; i++) assert.is(find(second, `k${i}`), undefined);
});

test('refuses an entry for which it has no room', () => {
  const table = new MemTable(new SharedArrayBuffer(4096));
  assert.throws(() => add(table, put('k', 1, 'v'.repeat(4096))), /room/);
  assert.is(table.entryCount, 0);
  assert.is(find(table, 'k'), undefined);
});

run();
