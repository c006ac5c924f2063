import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { hash32 } from '../../src/base/hash.js';
import { BloomFilter, FILTER_HASH_SEED, FilterBuilder } from '../../src/storage/bloom-filter.js';
import { bytesOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('BloomFilter');

const hashOf = (n: number) => {
  const key = bytesOf(`patient-${n}`);
  return hash32(key, 0, key.length, FILTER_HASH_SEED);
};

function build(keys: number, bitsPerKey: number): Uint8Array {
  const builder = new FilterBuilder(bitsPerKey);
  for (let n = 0; n < keys; n++) builder.add(hashOf(n));
  const bytes = new Uint8Array(builder.lengthBytes + 7).fill(0xff);
  assert.is(builder.write(bytes, 5), builder.lengthBytes + 5);
  return bytes.slice(5, -2);
}

test('contains every key that was added, whatever the bits per key', () => {
  for (const bits of [1, 5, 10, 20, 64]) {
    for (const keys of [1, 2, 100, 5000]) {
      const bytes = build(keys, bits);
      const filter = new BloomFilter(bytes, 0, bytes.length, 'f', 0);
      for (let n = 0; n < keys; n++) assert.ok(filter.mayContain(hashOf(n)), `${bits}: ${n}`);
    }
  }
});

test('lets about 1 % of absent keys pass at 10 bits per key', () => {
  const bytes = build(20_000, 10);
  const filter = new BloomFilter(bytes, 0, bytes.length, 'f', 0);
  let passed = 0;
  for (let n = 20_000; n < 120_000; n++) if (filter.mayContain(hashOf(n))) passed++;
  assert.ok(passed < 1500, `${passed} of 100000`);
  assert.ok(bytes.length < 20_000 * (10 / 8) + 100, `${bytes.length} bytes`);
});

test('refuses bytes that cannot be a filter', () => {
  const good = build(10, 10);
  const cases: [string, (b: Uint8Array) => Uint8Array][] = [
    ['empty', () => new Uint8Array(0)],
    ['no lines', (b) => b.slice(0, 8)],
    ['cut off', (b) => b.slice(0, -1)],
    ['no probes', (b) => b.fill(0, 0, 4)],
    ['too many probes', (b) => b.fill(0xff, 0, 4)],
    ['more lines than bytes', (b) => b.fill(0xff, 4, 8)],
  ];
  for (const [name, damage] of cases) {
    const bytes = damage(good.slice());
    assert.throws(
      () => new BloomFilter(bytes, 0, bytes.length, 'the-file', 7),
      (error: unknown) => error instanceof CorruptionError && error.site.file === 'the-file',
      name,
    );
  }
});

run();
