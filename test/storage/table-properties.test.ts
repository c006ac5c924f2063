import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { fileNumber } from '../../src/base/ids.js';
import { writeU32 } from '../../src/storage/table-format.js';
import {
  differenceFrom,
  propertiesLength,
  readProperties,
  type TableProperties,
  writeProperties,
} from '../../src/storage/table-properties.js';
import { bytesOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('table properties');

const PROPERTIES: TableProperties = {
  number: fileNumber(1),
  entryCount: 2,
  tombstoneCount: 3,
  immortalCount: 4,
  minSequence: 5,
  maxSequence: 2 ** 53 - 1,
  minExpiresAtMs: 7,
  maxExpiresAtMs: 2 ** 45,
  minKey: bytesOf('a'),
  maxKey: bytesOf('zebra'),
};

function build(): Uint8Array {
  const bytes = new Uint8Array(propertiesLength(PROPERTIES) + 2);
  assert.is(writeProperties(bytes, 2, PROPERTIES), bytes.length);
  return bytes;
}

const read = (bytes: Uint8Array) => readProperties(bytes, 2, bytes.length - 2, 'the-file', 9);
const isDamage = (error: unknown) =>
  error instanceof CorruptionError && error.site.file === 'the-file' && error.site.offset === 9;

test('reads back what it writes, with keys of its own', () => {
  const bytes = build();
  const properties = read(bytes);
  bytes.fill(0);
  assert.equal(properties, PROPERTIES);
});

test('refuses bytes that cannot be properties', () => {
  const bytes = build();
  for (let length = 0; length < bytes.length - 2; length++) {
    assert.throws(() => read(bytes.slice(0, length + 2)), isDamage);
  }
  assert.throws(() => read(new Uint8Array([...bytes, 0])), isDamage);
  writeU32(bytes, 2 + 8 + 4, 0xffffffff);
  assert.throws(() => read(bytes), isDamage);
});

test('names the first difference from the manifest', () => {
  const meta = { ...PROPERTIES, sizeBytes: 1, crc32: 2 };
  assert.is(differenceFrom(PROPERTIES, meta), undefined);
  assert.is(
    differenceFrom(PROPERTIES, { ...meta, entryCount: 9 }),
    'entryCount is 2 and should be 9',
  );
  assert.is(differenceFrom(PROPERTIES, { ...meta, maxKey: bytesOf('zebr') }), 'maxKey is another');
});

run();
