import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { BlockBuilder } from '../../src/storage/block-builder.js';
import { BlockReader } from '../../src/storage/block-reader.js';
import { TRAILER_BYTES, writeU32 } from '../../src/storage/table-format.js';
import { bytesOf, put, type TestEntry, textOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { arbitraryEntries } from '../harness/table-cases.js';

const { test, run } = suite('BlockReader');

function build(entries: readonly TestEntry[], restartInterval: number): Uint8Array {
  const builder = new BlockBuilder(16, restartInterval);
  for (const { key, sequence, kind, expiresAtMs, value } of entries) {
    const [k, v] = [bytesOf(key), bytesOf(value)];
    builder.add(k, 0, k.length, sequence, kind, expiresAtMs, v, 0, v.length);
  }
  const expected = builder.blockBytes;
  builder.finishBlock(0);
  assert.is(builder.length, expected);
  return builder.bytes.slice(0, builder.length);
}

function open(block: Uint8Array): BlockReader {
  const reader = new BlockReader('table');
  reader.openBlock(block, 0, block.length - TRAILER_BYTES, 0);
  return reader;
}

function current(reader: BlockReader): TestEntry {
  return {
    key: textOf(reader.keyBytes, reader.keyStart, reader.keyLength),
    sequence: reader.sequence,
    kind: reader.kind,
    expiresAtMs: reader.expiresAtMs,
    value: textOf(reader.valueBytes, reader.valueStart, reader.valueLength),
  };
}

function rest(reader: BlockReader): TestEntry[] {
  const entries: TestEntry[] = [];
  for (; reader.valid; reader.nextInBlock()) entries.push(current(reader));
  return entries;
}

const isDamage = (error: unknown) => error instanceof CorruptionError;

test('walks and searches through any block, whatever the restart interval', () => {
  const cases = [arbitraryEntries(1, 40), fc.integer({ min: 1, max: 50 }), fc.nat(31)] as const;
  fc.assert(
    fc.property(...cases, (entries, interval, sequence) => {
      const reader = open(build(entries, interval));
      reader.toFirst();
      assert.equal(rest(reader), entries);
      for (const { key } of [...entries, put('', 1), put('ab/', 1), put('\xff\xff\xff\xff', 1)]) {
        reader.search(bytesOf(key), sequence);
        const isBehind = (e: TestEntry) => e.key > key || (e.key === key && e.sequence <= sequence);
        assert.equal(rest(reader), entries.filter(isBehind));
      }
    }),
  );
});

test('stores a shared prefix once between restart points', () => {
  const entries = Array.from({ length: 32 }, (_, i) => put(`patient-0000/${100 + i}`, 1));
  assert.ok(build(entries, 16).length < build(entries, 1).length - 300);
});

test('meets no byte outside the block, even where a checksum vouches for nonsense', () => {
  const entries = [put('aa', 5, 'x'), put('ab', 4, 'y', 77), put('abc', 3, ''), put('b', 2, 'z')];
  const block = build(entries, 2);
  const noise = fc.array(fc.tuple(fc.nat(block.length - 1), fc.nat(255)), { minLength: 1 });
  fc.assert(
    fc.property(noise, (changes) => {
      const damaged = block.slice();
      for (const [at, byte] of changes) damaged[at] = byte;
      try {
        const reader = open(damaged);
        reader.toFirst();
        for (const entry of rest(reader)) assert.ok(entry.value.length <= block.length);
        reader.search(bytesOf('ab'), 9);
      } catch (error) {
        assert.ok(isDamage(error), String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('refuses impossible restarts, unknown kinds and flags', () => {
  const block = build([put('a', 1, 'x')], 1);
  const countAt = block.length - TRAILER_BYTES - 4;
  const damage: [string, (b: Uint8Array) => void][] = [
    ['no restart', (b) => writeU32(b, countAt, 0)],
    ['too many restarts', (b) => writeU32(b, countAt, 0xffffffff)],
    ['restart at the end', (b) => writeU32(b, countAt - 4, countAt - 4)],
    ['kind 2', (b) => b.fill(2, 2, 3)],
    ['unknown flag', (b) => b.fill(0x20, 2, 3)],
    ['shared bytes at a restart', (b) => b.fill(1, 0, 1)],
  ];
  for (const [name, change] of damage) {
    const damaged = block.slice();
    change(damaged);
    assert.throws(() => open(damaged).search(bytesOf('a'), 9), isDamage, name);
  }
  assert.throws(() => open(new Uint8Array(TRAILER_BYTES)), isDamage);
});

run();
