import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { KeyRange } from '../../src/storage/key-range.js';
import { bytesOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('KeyRange');

test('has what lies between its ends, both inclusive, and nothing else', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '\0', '\xff'), maxLength: 9 });
  const head = fc.constantFrom('', 'p', 'patient-000');
  fc.assert(
    fc.property(head, word, word, fc.array(word), (common, one, other, words) => {
      const [min = '', max = ''] = [common + one, common + other].sort((a, b) => (a < b ? -1 : 1));
      const range = new KeyRange(bytesOf(min), bytesOf(max));
      const keys = [
        ...words,
        ...words.map((key) => common + key),
        min,
        max,
        `${min}\0`,
        `${max}\0`,
      ];
      for (const key of [...keys, '', 'p', 'q', 'patient-00']) {
        const isInside = key >= min && key <= max;
        assert.is(range.has(bytesOf(`<${key}>`), 1, key.length), isInside, `${min} ${key} ${max}`);
      }
    }),
  );
});

run();
