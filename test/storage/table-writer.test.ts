import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { fileNumber } from '../../src/base/ids.js';
import type { FileHandle, FileSystem } from '../../src/storage/file-system.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { TableReader } from '../../src/storage/table-reader.js';
import { TableWriter } from '../../src/storage/table-writer.js';
import { allOf, bytesOf, del, put, type TestEntry, textOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import {
  addTo,
  arbitraryEntries,
  arbitraryOptions,
  SMALL_TABLES,
  writeTable,
} from '../harness/table-cases.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('TableWriter');

const NUMBER = fileNumber(7);

test('writes any entries so that a reader gives them back', () =>
  withTempDir((dir) => {
    let number = 0;
    fc.assert(
      fc.property(arbitraryEntries(1, 60), arbitraryOptions, (entries, options) => {
        const meta = writeTable(nodeFileSystem, dir, ++number, entries, options);
        const reader = TableReader.open(nodeFileSystem, dir, meta, {
          mode: 'pread',
          verify: 'always',
        });
        assert.equal(allOf(reader.cursor()), entries);
        reader.close();
      }),
      { numRuns: 60 },
    );
  }));

test('describes the table in its meta, with size and checksum of the whole file', () =>
  withTempDir((dir) => {
    const entries = [put('a', 9, '1'), del('a', 4), put('b', 7, '2', 50), put('c', 5, '3', 40)];
    const meta = writeTable(nodeFileSystem, dir, 7, entries);
    const file = readFileSync(`${dir}/table-000007.sst`);
    assert.equal(
      { ...meta, minKey: textOf(meta.minKey), maxKey: textOf(meta.maxKey) },
      {
        number: 7,
        sizeBytes: file.length,
        crc32: crc32(file),
        entryCount: 4,
        tombstoneCount: 1,
        immortalCount: 2,
        minKey: 'a',
        maxKey: 'c',
        minSequence: 4,
        maxSequence: 9,
        minExpiresAtMs: 40,
        maxExpiresAtMs: 50,
      },
    );
  }));

test('takes values larger than its write buffer, and writes large pieces', () =>
  withTempDir((dir) => {
    const writes: number[] = [];
    const entries: TestEntry[] = [];
    for (let i = 0; i < 40; i++) entries.push(put(`k${i + 100}`, i + 1, 'v'.repeat(100_000)));
    entries.push(put('l', 1, 'w'.repeat(3_000_000)), put('m', 2, 'x'));
    const fs = watched(nodeFileSystem, (_, length) => writes.push(length));
    const meta = writeTable(fs, dir, 7, entries, { ...SMALL_TABLES, blockBytes: 4096 });
    assert.ok(writes.length <= 8, `${writes.length} writes`);
    assert.is(crc32(readFileSync(`${dir}/table-000007.sst`)), meta.crc32);
    const reader = TableReader.open(nodeFileSystem, dir, meta, { mode: 'pread', verify: 'always' });
    assert.equal(allOf(reader.cursor()), entries);
    reader.close();
  }));

test('refuses entries that are out of order', () =>
  withTempDir((dir) => {
    const wrong: [TestEntry, TestEntry][] = [
      [put('b', 1), put('a', 2)],
      [put('ab', 1), put('a', 2)],
      [put('a', 1), put('a', 2)],
      [put('a', 2), put('a', 2)],
      [put('\xff', 1), put('\x7f', 2)],
    ];
    for (const [first, second] of wrong) {
      const writer = TableWriter.create(nodeFileSystem, dir, NUMBER, SMALL_TABLES);
      addTo(writer, first);
      assert.throws(() => addTo(writer, second), /must (as|des)cend/);
      writer.abandon();
    }
    assert.equal(nodeFileSystem.list(dir), []);
  }));

test('refuses to finish without an entry', () =>
  withTempDir((dir) => {
    const writer = TableWriter.create(nodeFileSystem, dir, NUMBER, SMALL_TABLES);
    assert.throws(() => writer.finish(), /at least one entry/);
    writer.abandon();
    assert.equal(nodeFileSystem.list(dir), []);
  }));

test('gives the file its name only after its data is synced', () =>
  withTempDir((dir) => {
    const events: string[] = [];
    const fs = watched(nodeFileSystem, (event) => events.push(event));
    writeTable(fs, dir, 7, [put('a', 1)]);
    assert.equal(events, ['write', 'write', 'sync', 'rename']);
    assert.equal(nodeFileSystem.list(dir), ['table-000007.sst']);
  }));

test('replaces a left-over temporary file and leaves none when abandoned', () =>
  withTempDir((dir) => {
    nodeFileSystem.open(`${dir}/table-000007.sst.tmp`, 'create').close();
    const writer = TableWriter.create(nodeFileSystem, dir, NUMBER, SMALL_TABLES);
    addTo(writer, put('a', 1));
    writer.abandon();
    writer.abandon();
    assert.equal(nodeFileSystem.list(dir), []);
    const meta = writeTable(nodeFileSystem, dir, 7, [put('b', 2)]);
    assert.is(textOf(meta.minKey), 'b');
  }));

test('passes a write or sync error on and leaves no finished file', () =>
  withTempDir((dir) => {
    for (const failing of ['write', 'sync', 'rename']) {
      const fs = watched(nodeFileSystem, (event) => {
        if (event === failing) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      });
      const writer = TableWriter.create(fs, dir, NUMBER, SMALL_TABLES);
      addTo(writer, put('a', 1));
      assert.throws(() => writer.finish(), /no space/);
      assert.equal(nodeFileSystem.list(dir), ['table-000007.sst.tmp'], failing);
      writer.abandon();
      assert.equal(nodeFileSystem.list(dir), []);
    }
  }));

test('copies the bytes of keys and values when they are added', () =>
  withTempDir((dir) => {
    const writer = TableWriter.create(nodeFileSystem, dir, NUMBER, SMALL_TABLES);
    const key = bytesOf('a');
    const value = bytesOf('1');
    writer.add(key, 0, 1, 1, 0, 0, value, 0, 1);
    key.fill(0);
    value.fill(0);
    addTo(writer, put('b', 2, '2'));
    const meta = writer.finish();
    assert.is(textOf(meta.minKey), 'a');
    const reader = TableReader.open(nodeFileSystem, dir, meta, { mode: 'pread', verify: 'always' });
    assert.equal(allOf(reader.cursor()), [put('a', 1, '1'), put('b', 2, '2')]);
    reader.close();
  }));

/** Reports writes, syncs and renames before they happen; `report` may throw. */
function watched(fs: FileSystem, report: (event: string, length: number) => void): FileSystem {
  const open = (path: string, mode: 'read' | 'update' | 'create'): FileHandle => {
    const handle = fs.open(path, mode);
    return {
      path,
      readAt: handle.readAt.bind(handle),
      writeAt(source, offset, length, position) {
        report('write', length);
        handle.writeAt(source, offset, length, position);
      },
      sizeBytes: handle.sizeBytes.bind(handle),
      truncate: handle.truncate.bind(handle),
      syncData() {
        report('sync', 0);
        handle.syncData();
      },
      map: handle.map.bind(handle),
      close: handle.close.bind(handle),
    };
  };
  return {
    ...fs,
    open,
    rename(from, to) {
      report('rename', 0);
      fs.rename(from, to);
    },
  };
}

test('syncs a large table as it grows, and leaves little to its end', () =>
  withTempDir((dir) => {
    let unsynced = 0;
    let unsyncedMost = 0;
    let syncs = 0;
    const fs: FileSystem = {
      ...nodeFileSystem,
      open(path, mode) {
        const handle = nodeFileSystem.open(path, mode);
        const { writeAt, syncData } = handle;
        handle.writeAt = (source, offset, length, position) => {
          writeAt.call(handle, source, offset, length, position);
          unsynced += length;
          unsyncedMost = Math.max(unsyncedMost, unsynced);
        };
        handle.syncData = () => {
          syncData.call(handle);
          unsynced = 0;
          syncs++;
        };
        return handle;
      },
    };
    const value = 'v'.repeat(100_000);
    const entries = Array.from({ length: 250 }, (_, i) => put(`k${1000 + i}`, i + 1, value));
    const options = { ...SMALL_TABLES, tableBytesMax: 2 ** 30 };
    const { sizeBytes } = writeTable(fs, dir, 7, entries, options);
    assert.ok(sizeBytes > 20 * 2 ** 20, `${sizeBytes} bytes`);
    assert.ok(unsyncedMost < 10 * 2 ** 20, `${unsyncedMost} bytes were not synced at a time`);
    assert.ok(syncs >= 3, `${syncs} syncs`);
  }));

run();
