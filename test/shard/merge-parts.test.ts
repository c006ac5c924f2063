import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { fileNumber } from '../../src/base/ids.js';
import type { TableMeta } from '../../src/base/table-meta.js';
import { mergeParts, outputsOf } from '../../src/shard/merge-parts.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('mergeParts');

function tableOf(number: number, minKey: string, maxKey: string, sizeBytes: number): TableMeta {
  const counts = { entryCount: 1, tombstoneCount: 0, immortalCount: 1 };
  const times = { minExpiresAtMs: 0, maxExpiresAtMs: 0, minSequence: 1, maxSequence: 1 };
  const keys = { minKey: Buffer.from(minKey), maxKey: Buffer.from(maxKey) };
  return { number: fileNumber(number), sizeBytes, crc32: 0, ...counts, ...keys, ...times };
}

/** `b-d:10` is a table of 10 bytes with keys from b to d. */
function runOf(text: string, firstNumber: number): TableMeta[] {
  return text.split(' ').map((word, i) => {
    const [, minKey = '', maxKey = '', size] = /^(\w+)-(\w+):(\d+)$/.exec(word) ?? [];
    return tableOf(firstNumber + i, minKey, maxKey, Number(size));
  });
}

/** Each part as `from..to: its tables, runs apart`; tables of run i count from 10 × i. */
function told(runs: string[], partBytes: number): string[] {
  const parts = mergeParts(
    runs.map((text, i) => runOf(text, 10 * (i + 1))),
    partBytes,
  );
  return parts.map(({ bounds, runs: within }) => {
    const text = (key: Uint8Array | undefined) => (key === undefined ? '' : String(key));
    const numbers = within.map((tables) => tables.map(({ number }) => number).join(' '));
    const range = bounds === undefined ? 'all' : `${text(bounds.from)}..${text(bounds.to)}`;
    return `${range}: ${numbers.join(' | ')}`;
  });
}

test('leaves a small merge in one piece', () => {
  assert.equal(told(['a-z:10', 'a-k:10 m-z:10'], 100), ['all: 10 | 20 21']);
  assert.equal(told(['a-z:10'], 1), ['all: 10'], 'and what has only one table');
});

test('cuts at the first keys of tables of the largest run', () => {
  assert.equal(told(['c-x:10', 'a-e:20 f-k:20 m-z:20'], 20), [
    '..f: 10 | 20',
    'f..m: 10 | 21',
    'm..: 10 | 22',
  ]);
});

test('counts what the other runs add to a part', () => {
  assert.equal(told(['a-z:40', 'a-e:20 f-k:20 m-p:20 q-z:20'], 60), [
    '..m: 10 | 20 21',
    'm..: 10 | 22 23',
  ]);
});

test('leaves out of a part the tables that lie outside, and runs without any', () => {
  assert.equal(told(['a-b:5', 'a-e:20 f-k:20 m-z:20', 'h-n:5'], 20), [
    '..f: 10 | 20',
    'f..m: 21 | 30',
    'm..: 22 | 30',
  ]);
});

test('takes a table that ends where the next part begins into both', () => {
  assert.equal(told(['a-f:1', 'a-e:20 f-k:20'], 20), ['..f: 10 | 20', 'f..: 10 | 21']);
});

test('has a part with nothing for nothing', () => {
  assert.equal(mergeParts([], 10), [{ bounds: undefined, runs: [] }]);
});

test('gives every key of every table to exactly one part that lists the table', () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 10, max: 99 }), { maxLength: 20 });
  const runs = fc.array(cuts, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(runs, fc.integer({ min: 1, max: 200 }), (lists, partBytes) => {
      let number = 0;
      const tables = lists.map((list) => {
        const sorted = list.toSorted((a, b) => a - b);
        return sorted.flatMap((min, i) =>
          i % 2 === 0 ? [tableOf(++number, `${min}`, `${sorted[i + 1] ?? min}`, min)] : [],
        );
      });
      const parts = mergeParts(tables, partBytes);
      for (const table of tables.flat()) {
        for (let key = Number(String(table.minKey)); key <= Number(String(table.maxKey)); key++) {
          const holders = parts.filter(({ bounds: { from, to } = {} }) => {
            const isIn = from === undefined || String(from) <= `${key}`;
            return isIn && (to === undefined || `${key}` < String(to));
          });
          assert.is(holders.length, 1);
          assert.ok(holders[0]?.runs.flat().includes(table));
        }
      }
    }),
  );
});

test('reserves a number for every table that a part may write', () => {
  assert.is(outputsOf([runOf('a-b:10', 1), runOf('a-c:10 d-e:10', 2)], 10), 4);
  assert.is(outputsOf([], 10), 1);
});

run();
