import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { fileNumber } from '../../src/base/ids.js';
import type { TableMeta } from '../../src/base/table-meta.js';
import { writeTables } from '../../src/compactor/write-tables.js';
import type { FileSystem } from '../../src/storage/file-system.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { TableReader } from '../../src/storage/table-reader.js';
import { ArrayCursor, allOf, put, type TestEntry, textOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { arbitraryEntries, arbitraryOptions, SMALL_TABLES } from '../harness/table-cases.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('writeTables');

function positioned(entries: readonly TestEntry[]): ArrayCursor {
  const cursor = new ArrayCursor(entries);
  cursor.seekToFirst();
  return cursor;
}

function contentOf(dir: string, meta: TableMeta): TestEntry[] {
  const options = { mode: 'pread', verify: 'always' } as const;
  const reader = TableReader.open(nodeFileSystem, dir, meta, options);
  const entries = allOf(reader.cursor());
  reader.close();
  return entries;
}

const numbers = (count: number, from = 1) =>
  Array.from({ length: count }, (_, i) => fileNumber(from + i));

test('keeps every entry and never parts the versions of one key', () =>
  withTempDir((dir) => {
    let next = 1;
    fc.assert(
      fc.property(arbitraryEntries(0, 60), arbitraryOptions, (entries, options) => {
        const outputs = numbers(70, next);
        next += 70;
        const metas = writeTables(nodeFileSystem, dir, positioned(entries), outputs, options);
        assert.equal(
          metas.map((meta) => meta.number),
          outputs.slice(0, metas.length),
        );
        assert.equal(
          metas.flatMap((meta) => contentOf(dir, meta)),
          entries,
        );
        for (const [i, meta] of metas.slice(1).entries()) {
          const before = metas[i];
          assert.ok(before !== undefined && textOf(before.maxKey) < textOf(meta.minKey));
          assert.ok(before.sizeBytes >= options.tableBytesMax);
        }
      }),
      { numRuns: 30 },
    );
  }));

test('lets the last number take the rest when numbers run out', () =>
  withTempDir((dir) => {
    const entries = Array.from({ length: 80 }, (_, i) => put(`k${100 + i}`, 1, 'v'.repeat(50)));
    const metas = writeTables(nodeFileSystem, dir, positioned(entries), numbers(2), SMALL_TABLES);
    assert.is(metas.length, 2);
    assert.equal(
      metas.flatMap((meta) => contentOf(dir, meta)),
      entries,
    );
    assert.throws(
      () => writeTables(nodeFileSystem, dir, positioned(entries), [], SMALL_TABLES),
      /at least one output number/,
    );
  }));

test('writes no table for an empty source', () =>
  withTempDir((dir) => {
    const metas = writeTables(nodeFileSystem, dir, positioned([]), numbers(1), SMALL_TABLES);
    assert.equal(metas, []);
    assert.equal(nodeFileSystem.list(dir), []);
  }));

test('syncs the directory once, after the last table has its name', () =>
  withTempDir((dir) => {
    const events: string[] = [];
    const fs: FileSystem = {
      ...nodeFileSystem,
      rename(from, to) {
        nodeFileSystem.rename(from, to);
        events.push('rename');
      },
      syncDir(path) {
        nodeFileSystem.syncDir(path);
        events.push('syncDir');
      },
    };
    const entries = Array.from({ length: 30 }, (_, i) => put(`k${100 + i}`, 1, 'v'.repeat(50)));
    const metas = writeTables(fs, dir, positioned(entries), numbers(30), SMALL_TABLES);
    assert.ok(metas.length > 1);
    assert.equal(events, [...metas.map(() => 'rename'), 'syncDir']);
  }));

test('removes all its files after any failure', () =>
  withTempDir((dir) => {
    const entries = Array.from({ length: 30 }, (_, i) => put(`k${100 + i}`, 1, 'v'.repeat(50)));
    const failing = (name: 'rename' | 'syncDir', nth: number): FileSystem => {
      let calls = 0;
      const count = () => {
        if (++calls === nth) throw new Error(`${name} failed`);
      };
      return {
        ...nodeFileSystem,
        rename(from, to) {
          if (name === 'rename') count();
          nodeFileSystem.rename(from, to);
        },
        syncDir(path) {
          if (name === 'syncDir') count();
          nodeFileSystem.syncDir(path);
        },
      };
    };
    for (const fs of [failing('rename', 1), failing('rename', 3), failing('syncDir', 1)]) {
      assert.throws(
        () => writeTables(fs, dir, positioned(entries), numbers(30), SMALL_TABLES),
        /failed/,
      );
      assert.equal(nodeFileSystem.list(dir), []);
    }
  }));

run();
