import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { BlockBuilder } from '../../src/storage/block-builder.js';
import { BlockSearch } from '../../src/storage/block-search.js';
import { LookupResult } from '../../src/storage/lookup.js';
import { LookupKey } from '../../src/storage/lookup-key.js';
import { TRAILER_BYTES, writeU32 } from '../../src/storage/table-format.js';
import { bytesOf, expectedVersion, put, type TestEntry, textOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { arbitraryEntries } from '../harness/table-cases.js';

const { test, run } = suite('BlockSearch');

const NEWEST = Number.MAX_SAFE_INTEGER;

function build(entries: readonly TestEntry[], restartInterval: number): Uint8Array {
  const builder = new BlockBuilder(16, restartInterval);
  for (const { key, sequence, kind, expiresAtMs, value } of entries) {
    const [k, v] = [bytesOf(key), bytesOf(value)];
    builder.add(k, 0, k.length, sequence, kind, expiresAtMs, v, 0, v.length);
  }
  builder.finishBlock(0);
  return builder.bytes.slice(0, builder.length);
}

/** Searches the block where it lies behind three other bytes, for a key within others. */
function find(block: Uint8Array, key: string, snapshot: number): TestEntry | undefined {
  const bytes = new Uint8Array([1, 2, 3, ...block]);
  const target = new LookupKey().set(bytesOf(`<${key}>`), 1, key.length);
  const into = new LookupResult();
  const end = bytes.length - TRAILER_BYTES;
  if (!new BlockSearch('table').find(bytes, 3, end, 0, target, snapshot, into)) return undefined;
  return {
    key,
    sequence: into.sequence,
    kind: into.kind,
    expiresAtMs: into.expiresAtMs,
    value: textOf(into.valueBytes, into.valueStart, into.valueLength),
  };
}

const isDamage = (error: unknown) => error instanceof CorruptionError;

/** Nobody asks a block for what lies behind its last entry: the index knows better. */
function isWithin(entries: readonly TestEntry[], key: string, snapshot: number): boolean {
  const last = entries.at(-1);
  if (last === undefined) return false;
  return key < last.key || (key === last.key && last.sequence <= snapshot);
}

test('finds the version a snapshot sees, whatever the restart interval', () => {
  const cases = [arbitraryEntries(1, 40), fc.integer({ min: 1, max: 50 }), fc.nat(31)] as const;
  fc.assert(
    fc.property(...cases, (entries, interval, sequence) => {
      const block = build(entries, interval);
      const absent = ['', 'a', 'ab/', 'aaaaaaaaaaa', 'p', '\x7f', '\xff\xff\xff\xff'];
      for (const key of [...entries.map((entry) => entry.key), ...absent]) {
        for (const snapshot of [sequence, NEWEST]) {
          if (isWithin(entries, key, snapshot)) {
            assert.equal(find(block, key, snapshot), expectedVersion(entries, key, snapshot));
          } else {
            assert.throws(() => find(block, key, snapshot), isDamage);
          }
        }
      }
    }),
  );
});

test('relies on no prefix being as long as it could be', () => {
  // As another writer might store them: aab, aac and abb, each with one shared byte only.
  const entry = (shared: number, own: string) => [
    shared,
    own.length,
    0,
    1,
    1,
    ...bytesOf(`${own}x`),
  ];
  const content = [...entry(0, 'aab'), ...entry(1, 'ac'), ...entry(1, 'bb')];
  const block = new Uint8Array([...content, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  for (const key of ['aab', 'aac', 'abb']) assert.equal(find(block, key, 1), put(key, 1, 'x'));
  for (const key of ['a', 'aaa', 'aaba', 'aad', 'ab', 'aba'])
    assert.is(find(block, key, 1), undefined);
});

test('meets no byte outside the block, even where a checksum vouches for nonsense', () => {
  const entries = [put('aa', 5, 'x'), put('ab', 4, 'y', 77), put('abc', 3, ''), put('b', 2, 'z')];
  const block = build(entries, 2);
  const noise = fc.array(fc.tuple(fc.nat(block.length - 1), fc.nat(255)), { minLength: 1 });
  fc.assert(
    fc.property(noise, fc.constantFrom('a', 'aa', 'ab', 'abc', 'b'), (changes, key) => {
      const damaged = block.slice();
      for (const [at, byte] of changes) damaged[at] = byte;
      try {
        const found = find(damaged, key, NEWEST);
        if (found !== undefined) assert.ok(found.value.length < block.length);
      } catch (error) {
        assert.ok(isDamage(error), String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('refuses impossible restart points', () => {
  const block = build([put('a', 1, 'x'), put('b', 1, 'y')], 1);
  const countAt = block.length - TRAILER_BYTES - 4;
  for (const count of [0, 3, 0xffffffff]) {
    const damaged = block.slice();
    writeU32(damaged, countAt, count);
    assert.throws(() => find(damaged, 'a', 1), isDamage, `${count} restart points`);
  }
  const astray = block.slice();
  writeU32(astray, countAt - 4, 0xffff);
  assert.throws(() => find(astray, 'b', 1), isDamage);
});

run();
