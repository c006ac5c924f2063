import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { fileNumber } from '../../src/base/ids.js';
import type { TableMeta } from '../../src/base/table-meta.js';
import { MemorySource } from '../../src/storage/block-source.js';
import { KIND_DELETE } from '../../src/storage/entry-cursor.js';
import { LookupResult } from '../../src/storage/lookup.js';
import { LookupKey } from '../../src/storage/lookup-key.js';
import { mappingAvailable } from '../../src/storage/mapped-file.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { TableReader, type TableReaderOptions } from '../../src/storage/table-reader.js';
import {
  allOf,
  bytesOf,
  del,
  entryAt,
  expectedVersion,
  put,
  restOf,
  type TestEntry,
  textOf,
} from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import {
  arbitraryEntries,
  arbitraryOptions,
  SMALL_TABLES,
  writeTable,
} from '../harness/table-cases.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('TableReader');

const MODES: TableReaderOptions[] = [
  { mode: 'mmap', verify: 'first-touch' },
  { mode: 'mmap', verify: 'always' },
  { mode: 'pread', verify: 'first-touch' },
];

function found(reader: TableReader, key: string, snapshot: number): TestEntry | undefined {
  const into = new LookupResult();
  if (!reader.get(new LookupKey().set(bytesOf(key)), snapshot, into)) return undefined;
  return {
    key,
    sequence: into.sequence,
    kind: into.kind,
    expiresAtMs: into.expiresAtMs,
    value: textOf(into.valueBytes, into.valueStart, into.valueLength),
  };
}

/** The table's file in memory, which tests may damage. */
function inMemory(entries: readonly TestEntry[], options = SMALL_TABLES) {
  return withTempDir((dir) => {
    const meta = writeTable(nodeFileSystem, dir, 7, entries, options);
    return { meta, bytes: new Uint8Array(readFileSync(`${dir}/table-000007.sst`)) };
  });
}

function isDamage(error: unknown): boolean {
  return error instanceof CorruptionError && error.site.file.length > 0 && error.site.offset >= 0;
}

test('finds the newest version that a snapshot may see, the same from every source', () =>
  withTempDir((dir) => {
    let number = 0;
    const snapshots = fc.array(fc.oneof(fc.integer({ min: 0, max: 32 }), fc.maxSafeNat()));
    fc.assert(
      fc.property(arbitraryEntries(1, 50), arbitraryOptions, snapshots, (entries, options, at) => {
        const meta = writeTable(nodeFileSystem, dir, ++number, entries, options);
        const absent = ['', 'a', 'ab', 'zz', '\xff\xff\xff\xff', 'aaaaaaaaaaaaaaaaaaa'];
        const keys = new Set([...entries.map((entry) => entry.key), ...absent]);
        for (const mode of MODES) {
          const reader = TableReader.open(nodeFileSystem, dir, meta, mode);
          for (const key of keys) {
            for (const snapshot of [...at, Number.MAX_SAFE_INTEGER]) {
              assert.equal(found(reader, key, snapshot), expectedVersion(entries, key, snapshot));
            }
          }
          reader.close();
        }
      }),
      { numRuns: 40 },
    );
  }));

test('moves its cursors to any key, the same from every source', () =>
  withTempDir((dir) => {
    let number = 0;
    fc.assert(
      fc.property(arbitraryEntries(1, 50), arbitraryOptions, fc.nat(), (entries, options, pick) => {
        const meta = writeTable(nodeFileSystem, dir, ++number, entries, options);
        const wanted = [
          entries[pick % entries.length]?.key ?? '',
          '',
          'aa',
          'pq',
          '\xff\xff\xff\xff',
        ];
        for (const mode of MODES) {
          const reader = TableReader.open(nodeFileSystem, dir, meta, mode);
          for (const readahead of [0, 1, 100_000]) {
            const cursor = reader.cursor(readahead);
            assert.equal(allOf(cursor), entries);
            assert.is(cursor.valid, false);
            for (const key of wanted) {
              cursor.seek(bytesOf(key));
              const rest = entries.filter((entry) => entry.key >= key);
              assert.equal(restOf(cursor), rest);
            }
          }
          reader.close();
        }
      }),
      { numRuns: 30 },
    );
  }));

test('keeps several cursors apart', () =>
  withTempDir((dir) => {
    const entries = Array.from({ length: 60 }, (_, i) => put(`k${100 + i}`, i + 1, `value ${i}`));
    const meta = writeTable(nodeFileSystem, dir, 7, entries);
    for (const mode of MODES) {
      const reader = TableReader.open(nodeFileSystem, dir, meta, mode);
      const first = reader.cursor();
      const second = reader.cursor(4096);
      first.seekToFirst();
      second.seek(bytesOf('k130'));
      for (let i = 0; i < 25; i++) {
        assert.equal(entryAt(first), entries[i]);
        assert.equal(entryAt(second), entries[30 + i]);
        assert.equal(found(reader, `k${159 - i}`, 99), entries[59 - i]);
        first.next();
        second.next();
      }
      reader.close();
    }
  }));

test('finds one of many versions that span blocks', async () => {
  const entries = [put('a', 1, 'first')];
  for (let sequence = 500; sequence > 0; sequence--) entries.push(put('k', sequence * 2));
  entries.push(del('z', 3));
  const { meta, bytes } = await inMemory(entries);
  const reader = new TableReader(new MemorySource(bytes, 'table'), 'table', meta);
  for (let snapshot = 2; snapshot <= 1000; snapshot++) {
    assert.is(found(reader, 'k', snapshot)?.sequence, snapshot - (snapshot % 2));
  }
  assert.is(found(reader, 'k', 1), undefined);
  assert.is(found(reader, 'z', 3)?.kind, KIND_DELETE);
  assert.is(found(reader, 'z', 2), undefined);
});

test('uses the map where mapping is possible and asked for', () =>
  withTempDir((dir) => {
    const meta = writeTable(nodeFileSystem, dir, 7, [put('a', 1)]);
    for (const mode of ['mmap', 'pread'] as const) {
      const reader = TableReader.open(nodeFileSystem, dir, meta, { mode, verify: 'always' });
      assert.is(reader.isMapped, mode === 'mmap' && mappingAvailable());
      assert.is(reader.sizeBytes, meta.sizeBytes);
      reader.close();
      assert.throws(() => found(reader, 'a', 9), /closed/);
    }
  }));

test('answers right or refuses with file and offset when any one bit is flipped', async () => {
  const entries: TestEntry[] = [];
  for (let i = 0; i < 12; i++) {
    entries.push(put(`key-${10 + i}`, 50 + i, `value ${i}`, i % 3 === 0 ? 1000 + i : 0));
    entries.push(i % 2 === 0 ? del(`key-${10 + i}`, 20 + i) : put(`key-${10 + i}`, 20 + i, 'old'));
  }
  const { meta, bytes } = await inMemory(entries);
  let refused = 0;
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = bytes.slice();
      damaged[at] = bytes[at]! ^ (1 << bit);
      refused += answersOrRefuses(damaged, meta, entries);
    }
  }
  // No byte of a table is without a checksum, so a walk through all of it must meet each flip.
  assert.is(refused, bytes.length * 8);
});

/** 1 when a walk through the whole table was refused. A wrong answer throws. */
function answersOrRefuses(bytes: Uint8Array, meta: TableMeta, entries: TestEntry[]): number {
  let reader: TableReader;
  try {
    reader = new TableReader(new MemorySource(bytes, 'table'), 'table', meta);
  } catch (error) {
    assert.ok(isDamage(error), String(error));
    return 1;
  }
  for (const entry of entries) {
    try {
      assert.equal(found(reader, entry.key, entry.sequence), entry);
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
  }
  const cursor = reader.cursor();
  const seen: TestEntry[] = [];
  let refused = 0;
  try {
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) seen.push(entryAt(cursor));
    assert.equal(seen, entries);
  } catch (error) {
    if (!isDamage(error)) throw error;
    assert.is(cursor.valid, false);
    assert.equal(seen, entries.slice(0, seen.length));
    refused = 1;
  }
  return refused;
}

test('refuses the file at every length but its own, before any byte is mapped', () =>
  withTempDir((dir) => {
    const meta = writeTable(nodeFileSystem, dir, 7, [put('a', 1, 'x'), put('b', 2, 'y')]);
    const whole = readFileSync(`${dir}/table-000007.sst`);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(`${dir}/table-000007.sst`, whole.subarray(0, length));
      for (const mode of MODES) {
        assert.throws(() => TableReader.open(nodeFileSystem, dir, meta, mode), isDamage);
        // The meta may be as wrong as the file.
        const asLong = { ...meta, sizeBytes: length };
        assert.throws(() => TableReader.open(nodeFileSystem, dir, asLong, mode), isDamage);
      }
    }
    writeFileSync(`${dir}/table-000007.sst`, Buffer.concat([whole, Buffer.from([0])]));
    for (const mode of MODES) {
      assert.throws(() => TableReader.open(nodeFileSystem, dir, meta, mode), isDamage);
    }
  }));

test('refuses a missing table and another table under its name', () =>
  withTempDir((dir) => {
    const meta = writeTable(nodeFileSystem, dir, 7, [put('a', 1, 'x')]);
    const other = writeTable(nodeFileSystem, dir, 8, [put('a', 1, 'y')]);
    const options: TableReaderOptions = { mode: 'pread', verify: 'always' };
    assert.is(meta.sizeBytes, other.sizeBytes);
    copyFileSync(`${dir}/table-000008.sst`, `${dir}/table-000007.sst`);
    assert.throws(
      () => TableReader.open(nodeFileSystem, dir, meta, options),
      (error: unknown) => isDamage(error) && /number is 8 and should be 7/.test(String(error)),
    );
    const missing = { ...meta, number: fileNumber(9) };
    assert.throws(
      () => TableReader.open(nodeFileSystem, dir, missing, options),
      (error: unknown) => isDamage(error) && /missing/.test(String(error)),
    );
    for (const wrong of [{ minKey: bytesOf('0') }, { maxKey: bytesOf('z') }, { entryCount: 2 }]) {
      const lying = { ...other, ...wrong };
      assert.throws(() => TableReader.open(nodeFileSystem, dir, lying, options), isDamage);
    }
  }));

test('refuses a block that lies at the place of another', async () => {
  // Two blocks of one length: swapping them would keep each block's own bytes intact.
  const entries = [put('a', 1, 'x'.repeat(90)), put('b', 1, 'y'.repeat(90))];
  const { meta, bytes } = await inMemory(entries, { ...SMALL_TABLES, blockBytes: 1 });
  const reader = new TableReader(new MemorySource(bytes, 'table'), 'table', meta);
  assert.equal(allOf(reader.cursor()), entries);
  const length = 1 + 1 + 1 + 1 + 1 + 1 + 90 + 4 + 4 + 5;
  const swapped = bytes.slice();
  swapped.set(bytes.subarray(length, 2 * length), 0);
  swapped.set(bytes.subarray(0, length), length);
  const damaged = new TableReader(new MemorySource(swapped, 'table'), 'table', meta);
  assert.throws(() => found(damaged, 'a', 9), isDamage);
  assert.throws(() => found(damaged, 'b', 9), isDamage);
});

test('verifies mapped blocks at the first touch only, or always when asked', async () => {
  const entries = [put('a', 1, 'value')];
  for (const verify of ['first-touch', 'always'] as const) {
    const { meta, bytes } = await inMemory(entries);
    const reader = new TableReader(new MemorySource(bytes, 'table'), 'table', meta, verify);
    assert.equal(found(reader, 'a', 9), entries[0]);
    bytes[bytes.indexOf(0x76)] = 0x57;
    if (verify === 'always') assert.throws(() => found(reader, 'a', 9), isDamage);
    else assert.is(found(reader, 'a', 9)?.value, 'Walue');
  }
});

run();
