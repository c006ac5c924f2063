/** Tables for tests: options with small numbers, and arbitrary entries that are hard on a table. */
import fc from 'fast-check';
import { fileNumber } from '../../src/base/ids.js';
import type { Compression, TableMeta, TableOptions } from '../../src/base/table-meta.js';
import { lz4Available } from '../../src/storage/block-codec.js';
import { KIND_DELETE, KIND_PUT } from '../../src/storage/entry-cursor.js';
import type { FileSystem } from '../../src/storage/file-system.js';
import { TableWriter } from '../../src/storage/table-writer.js';
import { bytesOf, inTableOrder, type TestEntry, withoutTwins } from './entries.js';

/** Many blocks, restarts and outputs already with a few entries. */
export const SMALL_TABLES: TableOptions = {
  blockBytes: 96,
  tableBytesMax: 600,
  bloomBitsPerKey: 10,
  restartInterval: 3,
};

export function writeTable(
  fs: FileSystem,
  dir: string,
  number: number,
  entries: readonly TestEntry[],
  options: TableOptions = SMALL_TABLES,
): TableMeta {
  const writer = TableWriter.create(fs, dir, fileNumber(number), options);
  for (const entry of entries) addTo(writer, entry);
  return writer.finish();
}

export function addTo(writer: TableWriter, entry: TestEntry): void {
  const key = bytesOf(`<${entry.key}>`);
  const value = bytesOf(`[[${entry.value}]]`);
  const { sequence, kind, expiresAtMs } = entry;
  const valueLength = value.length - 4;
  writer.add(key, 1, key.length - 2, sequence, kind, expiresAtMs, value, 2, valueLength);
}

const keys = fc.oneof(
  // Few letters: shared prefixes and several versions of one key are the rule.
  fc.string({ unit: fc.constantFrom('a', 'b', '/'), minLength: 1, maxLength: 5 }),
  fc.string({ unit: fc.constantFrom('\0', '\x7f', '\xff'), minLength: 1, maxLength: 3 }),
  fc.string({ unit: fc.constantFrom('p', 'q'), minLength: 250, maxLength: 400 }),
);
const sequences = fc.oneof(
  fc.integer({ min: 1, max: 30 }),
  fc.integer({ min: 2 ** 31 - 3, max: 2 ** 32 + 3 }),
  fc.constant(Number.MAX_SAFE_INTEGER),
);
const values = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('x', '\xf0'), minLength: 120, maxLength: 300 }),
);
const expiries = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 100 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 33_000_000_000_000 }) },
);

/** Objects as literals make them, so that comparing by prototype works. */
const PLAIN = { noNullPrototype: true };

const entry: fc.Arbitrary<TestEntry> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record(
      {
        key: keys,
        sequence: sequences,
        kind: fc.constant(KIND_PUT),
        expiresAtMs: expiries,
        value: values,
      },
      PLAIN,
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        key: keys,
        sequence: sequences,
        kind: fc.constant(KIND_DELETE),
        expiresAtMs: fc.constant(0),
        value: fc.constant(''),
      },
      PLAIN,
    ),
  },
);

/** Entries in table order, no two with the same key and sequence. */
export function arbitraryEntries(minLength: number, maxLength: number): fc.Arbitrary<TestEntry[]> {
  return fc
    .array(entry, { minLength, maxLength, size: 'max' })
    .map((entries) => inTableOrder(withoutTwins(entries)));
}

/** All that this machine can write. */
export const COMPRESSIONS: Compression[] = lz4Available()
  ? ['none', 'auto', 'deflate', 'lz4']
  : ['none', 'auto', 'deflate'];

export const arbitraryOptions: fc.Arbitrary<TableOptions> = fc.record({
  blockBytes: fc.integer({ min: 1, max: 500 }),
  tableBytesMax: fc.integer({ min: 1, max: 3000 }),
  bloomBitsPerKey: fc.constantFrom(0, 1, 10, 64),
  restartInterval: fc.integer({ min: 1, max: 20 }),
  compression: fc.constantFrom(...COMPRESSIONS),
});
