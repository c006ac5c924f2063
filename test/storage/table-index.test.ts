import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { writeU32 } from '../../src/storage/table-format.js';
import { IndexBuilder, TableIndex } from '../../src/storage/table-index.js';
import { bytesOf, inTableOrder, put, withoutTwins } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('TableIndex');

const BLOCKS: [end: number, lastKey: string, lastSequence: number][] = [
  [100, 'b', 7],
  [250, 'k', 90],
  [251, 'k', 40],
  [400, 'k', 2 ** 40],
  [900, 'm', 1],
];

function build(blocks = BLOCKS): Uint8Array {
  const builder = new IndexBuilder();
  for (const [end, key, sequence] of blocks) {
    builder.add(end, bytesOf(key), key.length, sequence);
  }
  const bytes = new Uint8Array(builder.lengthBytes + 3);
  assert.is(builder.write(bytes, 3), bytes.length);
  return bytes;
}

function open(bytes: Uint8Array, blocksEnd = 900): TableIndex {
  return new TableIndex(bytes, 3, bytes.length - 3, blocksEnd, 'the-file', 900);
}

test('tells where blocks begin and end', () => {
  const index = open(build());
  assert.is(index.count, 5);
  assert.equal(
    [0, 1, 2, 3, 4].map((block) => [index.blockStart(block), index.blockEnd(block)]),
    [
      [0, 100],
      [100, 250],
      [250, 251],
      [251, 400],
      [400, 900],
    ],
  );
});

test('finds the one block by key and sequence', () => {
  const blocks = BLOCKS.filter(([end]) => end !== 400);
  const index = open(build(blocks));
  const find = (key: string, sequence: number) => index.find(bytesOf(key), 0, key.length, sequence);
  assert.is(find('', 9), 0);
  assert.is(find('b', 7), 0);
  assert.is(find('b', 6), 1);
  assert.is(find('k', 2 ** 53 - 1), 1);
  assert.is(find('k', 90), 1);
  assert.is(find('k', 89), 2);
  assert.is(find('k', 39), 3);
  assert.is(find('l', 0), 3);
  assert.is(find('m', 0), 4);
  assert.is(find('z', 9), 4);
});

test('finds among keys that differ late, early or only by sequence', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '\0', '\xff'), maxLength: 8 });
  const head = fc.constantFrom('', 'patient-', 'patient-000');
  const records = fc.array(fc.tuple(word, fc.integer({ min: 1, max: 4 })), { minLength: 1 });
  fc.assert(
    fc.property(head, records, fc.array(word), fc.nat(5), (common, list, others, sequence) => {
      const ordered = inTableOrder(list.map(([key, at]) => put(common + key, at)));
      const entries = withoutTwins(ordered);
      const blocks = entries.map(({ key, sequence }, i): [number, string, number] => [
        (i + 1) * 10,
        key,
        sequence,
      ]);
      const index = open(build(blocks), blocks.length * 10);
      const wanted = [
        ...others,
        ...others.map((key) => common + key),
        ...entries.map((e) => e.key),
      ];
      for (const key of [...wanted, '', 'patient', 'patient-001', '\xff\xff']) {
        const expected = entries.filter(
          (e) => e.key < key || (e.key === key && e.sequence > sequence),
        ).length;
        const bytes = bytesOf(`<${key}>`);
        assert.is(index.find(bytes, 1, key.length, sequence), expected, key);
      }
    }),
  );
});

test('grows with any number of blocks and length of keys', () => {
  const many = Array.from({ length: 3000 }, (_, i): [number, string, number] => [
    (i + 1) * 10,
    `${'x'.repeat(i % 90)}${i}`,
    i,
  ]);
  const index = open(build(many), 30_000);
  assert.is(index.count, 3000);
  assert.is(index.blockEnd(2999), 30_000);
});

test('refuses bytes that cannot be an index', () => {
  const damage: [string, (b: Uint8Array) => void][] = [
    ['no block', (b) => writeU32(b, 3, 0)],
    ['more blocks than bytes', (b) => writeU32(b, 3, 0xffffffff)],
    ['fewer blocks', (b) => writeU32(b, 3, 4)],
    ['block ends before it begins', (b) => writeU32(b, 7 + 16, 100)],
    ['block behind the blocks', (b) => writeU32(b, 7 + 4 * 16, 901)],
    ['key ends before it begins', (b) => writeU32(b, 7 + 16 + 4, 0)],
    ['key behind the keys', (b) => writeU32(b, 7 + 4 * 16 + 4, 6)],
    ['sequence beyond 2^53', (b) => writeU32(b, 7 + 12, 0xffffffff)],
  ];
  for (const [name, change] of damage) {
    const bytes = build();
    change(bytes);
    assert.throws(() => open(bytes), isDamage, name);
  }
  assert.throws(() => open(build(), 899), isDamage);
  assert.throws(() => open(new Uint8Array(6)), isDamage);
});

const isDamage = (error: unknown) =>
  error instanceof CorruptionError && error.site.file === 'the-file' && error.site.offset === 900;

run();
