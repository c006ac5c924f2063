import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { TableReader, type TableReaderOptions } from '../../src/storage/table-reader.js';
import { backwardFrom, bytesOf, del, entryAt, expectedBackward, put } from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import {
  arbitraryEntries,
  arbitraryOptions,
  SMALL_TABLES,
  writeTable,
} from '../harness/table-cases.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('TableReverseCursor');

const MODES: TableReaderOptions[] = [
  { mode: 'mmap', verify: 'first-touch' },
  { mode: 'pread', verify: 'always' },
];

test('shows of each key what a snapshot sees, in descending order, from anywhere', () =>
  withTempDir((dir) => {
    let number = 0;
    const snapshots = fc.array(fc.oneof(fc.integer({ min: 0, max: 32 }), fc.maxSafeNat()));
    fc.assert(
      fc.property(arbitraryEntries(1, 50), arbitraryOptions, snapshots, (entries, options, at) => {
        const meta = writeTable(nodeFileSystem, dir, ++number, entries, options);
        const bounds = [...new Set(entries.map((entry) => entry.key)), '', 'ab', 'zz', '\xff\xff'];
        for (const mode of MODES) {
          const reader = TableReader.open(nodeFileSystem, dir, meta, mode);
          const cursor = reader.reverseCursor();
          for (const snapshot of [...at, Number.MAX_SAFE_INTEGER]) {
            cursor.seekToLast(snapshot);
            assert.equal(backwardFrom(cursor), expectedBackward(entries, snapshot));
            for (const bound of bounds) {
              cursor.seekBefore(bytesOf(bound), snapshot);
              assert.equal(backwardFrom(cursor), expectedBackward(entries, snapshot, bound));
            }
          }
          reader.close();
        }
      }),
      { numRuns: 60 },
    );
  }));

test('finds the visible version of a key whose versions fill several blocks', () =>
  withTempDir((dir) => {
    const versions = Array.from({ length: 60 }, (_, i) => put('k', 100 - i, 'v'.repeat(i)));
    const entries = [put('a', 1), ...versions, del('z', 3)];
    const meta = writeTable(nodeFileSystem, dir, 1, entries, { ...SMALL_TABLES, blockBytes: 1 });
    const reader = TableReader.open(nodeFileSystem, dir, meta, { mode: 'pread', verify: 'always' });
    const cursor = reader.reverseCursor();
    for (let snapshot = 0; snapshot <= 101; snapshot++) {
      cursor.seekBefore(bytesOf('z'), snapshot);
      assert.equal(backwardFrom(cursor), expectedBackward(entries, snapshot, 'z'));
    }
    cursor.seekToLast(50);
    assert.equal(entryAt(cursor), del('z', 3));
    cursor.release();
    assert.is(cursor.valid, false);
    reader.close();
  }));

run();
