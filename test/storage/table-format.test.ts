import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import * as assert from 'uvu/assert';
import { CorruptionError, StormError } from '../../src/base/errors.js';
import { fileNumber } from '../../src/base/ids.js';
import type { TableMeta } from '../../src/base/table-meta.js';
import { MemorySource } from '../../src/storage/block-source.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import {
  CODEC_RAW,
  checkSection,
  FOOTER_BYTES,
  readFooter,
  readU32,
  readU64,
  sealSection,
  TABLE_FORMAT,
  writeFooter,
  writeU32,
  writeU64,
} from '../../src/storage/table-format.js';
import { TableReader } from '../../src/storage/table-reader.js';
import { allOf, bytesOf, del, inTableOrder, put, type TestEntry } from '../harness/entries.js';
import { hexBlock } from '../harness/hex-block.js';
import { suite } from '../harness/suite.js';
import { writeTable } from '../harness/table-cases.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('table format');

const ROOT = resolve(import.meta.dirname, '../../..');
const DOCUMENT = join(ROOT, 'docs/formats/table.md');
const GOLDEN = join(ROOT, 'test/testdata/table-v0.sst');

const EXAMPLE = [
  put('{p1}/q1', 300, 'yes'),
  put('{p1}/q2', 301, 'no', 1000),
  del('{p1}/q2', 7),
  put('{p2}/q1', 302, '3'),
];
const EXAMPLE_OPTIONS = {
  blockBytes: 64,
  tableBytesMax: 4096,
  bloomBitsPerKey: 10,
  restartInterval: 2,
};

function goldenEntries(): TestEntry[] {
  const entries: TestEntry[] = [];
  for (let patient = 1; patient <= 12; patient++) {
    for (let item = 1; item <= 9; item++) {
      const key = `{patient-${patient}}/visit-1/phq9-${item}`;
      const sequence = patient * 1000 + item;
      entries.push(put(key, sequence, `answer ${item % 4}`, item === 9 ? 1_900_000_000_000 : 0));
      if (item === 3) entries.push(put(key, sequence + 2 ** 33, 'corrected'), del(key, 5));
    }
  }
  return inTableOrder(entries);
}

const GOLDEN_OPTIONS = { ...EXAMPLE_OPTIONS, blockBytes: 512, restartInterval: 4 };

/** The finished file and what describes it. */
function written(number: number, entries: TestEntry[], options: typeof EXAMPLE_OPTIONS) {
  return withTempDir((dir): { meta: TableMeta; bytes: Uint8Array } => {
    const meta = writeTable(nodeFileSystem, dir, number, entries, options);
    const [name = ''] = nodeFileSystem.list(dir);
    return { meta, bytes: new Uint8Array(readFileSync(join(dir, name))) };
  });
}

test('is what the worked example in the document says', async () => {
  const { bytes } = await written(5, EXAMPLE, EXAMPLE_OPTIONS);
  assert.is(Buffer.from(bytes).toString('hex'), hexBlock(DOCUMENT, 'example'));
});

test('reads and writes the golden file of version 0', async () => {
  const { meta, bytes } = await written(42, goldenEntries(), GOLDEN_OPTIONS);
  if (process.env['REWRITE'] === '1') writeFileSync(GOLDEN, bytes);
  const golden = new Uint8Array(readFileSync(GOLDEN));
  assert.ok(Buffer.from(golden).equals(bytes), 'the writer gives other bytes than before');
  const known = { ...meta, number: fileNumber(42), crc32: crc32(golden) };
  const reader = new TableReader(new MemorySource(golden, 'golden'), 'golden', known);
  assert.equal(allOf(reader.cursor()), goldenEntries());
});

test('refuses an unknown codec or format only where the checksum proves it real', async () => {
  const { meta, bytes } = await written(5, EXAMPLE, EXAMPLE_OPTIONS);
  const open = (file: Uint8Array) => new TableReader(new MemorySource(file, 'f'), 'f', meta);
  const codecAt = 63;
  assert.is(bytes[codecAt], CODEC_RAW);
  const newer = bytes.slice();
  newer[codecAt] = 9;
  assert.throws(() => allOf(open(newer).cursor()), isA('DATA_CORRUPTION'));
  writeU32(newer, codecAt + 1, crc32(newer.subarray(0, codecAt + 1), 0));
  assert.throws(() => allOf(open(newer).cursor()), isA('UNIMPLEMENTED'));

  const footerAt = bytes.length - FOOTER_BYTES;
  const later = bytes.slice();
  writeU32(later, footerAt + 24, TABLE_FORMAT + 1);
  assert.throws(() => open(later), isA('DATA_CORRUPTION'));
  const end = bytes.length - 4;
  writeU32(later, end, crc32(later.subarray(footerAt, end), footerAt));
  assert.throws(() => open(later), isA('UNIMPLEMENTED'));
});

test('verifies a section at its own offset only', () => {
  const bytes = new Uint8Array(32);
  bytes.set(bytesOf('content'), 3);
  const end = sealSection(bytes, 3, 10, 1000);
  checkSection(bytes, 3, end - 3, 'f', 1000);
  for (const offset of [0, 999, 1001, 2 ** 31]) {
    assert.throws(() => checkSection(bytes, 3, end - 3, 'f', offset), isDamageAt(offset));
  }
  assert.throws(() => checkSection(bytes, 3, 4, 'f', 1000), isDamageAt(1000));
});

test('refuses a footer whose sections do not adjoin', () => {
  const good = {
    indexOffset: 100,
    indexLength: 50,
    filterOffset: 150,
    filterLength: 0,
    propertiesOffset: 150,
    propertiesLength: 50,
  };
  const bytes = new Uint8Array(FOOTER_BYTES + 2);
  assert.is(writeFooter(bytes, 2, 200, good), FOOTER_BYTES + 2);
  assert.equal(readFooter(bytes, 2, 'f', 200), good);
  assert.throws(() => readFooter(bytes, 2, 'f', 201), isDamageAt(201));
  for (const wrong of [{ indexOffset: 99 }, { filterLength: 1 }, { propertiesLength: 49 }]) {
    writeFooter(bytes, 2, 200, { ...good, ...wrong });
    assert.throws(() => readFooter(bytes, 2, 'f', 200), isDamageAt(200));
  }
});

test('stores fixed-width numbers little-endian up to their limits', () => {
  const bytes = new Uint8Array(12);
  for (const value of [0, 1, 0x12345678, 2 ** 32 - 1]) {
    writeU32(bytes, 1, value);
    assert.is(readU32(bytes, 1), value);
  }
  for (const value of [0, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
    writeU64(bytes, 3, value);
    assert.is(readU64(bytes, 3), value);
  }
  writeU32(bytes, 0, 1);
  assert.equal([...bytes.subarray(0, 4)], [1, 0, 0, 0]);
});

const isA = (code: string) => (error: unknown) =>
  error instanceof StormError && error.code === code;
const isDamageAt = (offset: number) => (error: unknown) =>
  error instanceof CorruptionError && error.site.offset === offset && error.site.file === 'f';

run();
