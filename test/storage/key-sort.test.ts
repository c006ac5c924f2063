import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type KeyTable, SORT_KEYS_MAX, sortKeys } from '../../src/storage/key-sort.js';
import { bytesOf, textOf } from '../harness/entries.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('sortKeys');

/** The keys in one buffer, with a byte between them that must not count. */
function tableOf(keys: readonly string[]): KeyTable {
  const starts = new Uint32Array(keys.length);
  const lengths = new Uint32Array(keys.length);
  let at = 0;
  for (const [i, key] of keys.entries()) {
    starts[i] = at;
    lengths[i] = key.length;
    at += key.length + 1;
  }
  return { bytes: bytesOf(`${keys.join('\xff')}\xff`), starts, lengths };
}

function sorted(keys: readonly string[]): string[] {
  const table = tableOf(keys);
  const order = sortKeys(table, keys.length);
  assert.is(new Set(order).size, keys.length, 'each index once');
  return [...order].map((i) => textOf(table.bytes, table.starts[i]!, table.lengths[i]!));
}

/** By code units, which of these texts are bytes. */
const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const keys = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 6 }),
  fc.string({ unit: fc.constantFrom('\0', '\x01', '\xff'), maxLength: 9 }),
  fc
    .string({ unit: fc.constantFrom('p', 'q'), maxLength: 4 })
    .map((end) => 'patient-17/'.repeat(5) + end),
  fc.string({ unit: 'binary-ascii', maxLength: 30 }),
);

test('orders keys by bytes, equal ones, empty ones and prefixes too', () => {
  fc.assert(
    fc.property(fc.array(keys, { maxLength: 200, size: 'max' }), (list) => {
      assert.equal(sorted(list), [...list].sort(byBytes));
    }),
    { numRuns: 300 },
  );
});

test('puts a key before every longer one that it begins, zeros or not', () => {
  const list: string[] = [];
  for (const stem of ['', 'a', 'ab', 'abc', 'abcd', 'abcdefgh']) {
    for (let zeros = 0; zeros < 8; zeros++) list.push(stem + '\0'.repeat(zeros), `${stem}\x01`);
  }
  const random = new SeededRandom(1);
  for (let round = 0; round < 50; round++) {
    const shuffled = [...list];
    for (let i = list.length - 1; i > 0; i--) {
      const j = random.nextInt(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
    }
    assert.equal(sorted(shuffled), [...list].sort(byBytes));
  }
});

test('sorts many keys that are equal', () => {
  const list = Array.from({ length: 5000 }, (_, i) => (i % 3 === 0 ? 'the same key' : 'same'));
  assert.equal(sorted(list), [...list].sort(byBytes));
});

test('sorts a hundred thousand keys with long common prefixes', () => {
  const random = new SeededRandom(7);
  const list = Array.from({ length: 100_000 }, () => {
    const patient = `${random.nextInt(30_000)}`.padStart(8, '0');
    return `study/eq5d/patient-${patient}/answer-${random.nextInt(30)}`;
  });
  const table = tableOf(list);
  const order = sortKeys(table, list.length);
  for (let i = 1; i < order.length; i++) {
    const [a, b] = [list[order[i - 1]!]!, list[order[i]!]!];
    if (a > b) throw new Error(`${a} before ${b}`);
  }
});

test('needs no depth of the stack for keys of many thousand bytes', () => {
  const stem = 'x'.repeat(20_000);
  const list = Array.from({ length: 50 }, (_, i) => stem.slice(0, 19_000 + ((i * 37) % 50) * 20));
  assert.equal(sorted(list), [...list].sort(byBytes));
});

test('refuses more keys than it can tell apart', () => {
  const table = tableOf([]);
  assert.throws(() => sortKeys(table, SORT_KEYS_MAX + 1), RangeError);
});

run();
