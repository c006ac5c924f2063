import * as assert from 'uvu/assert';
import { hash32 } from '../../src/base/hash.js';
import { FILTER_HASH_SEED } from '../../src/storage/bloom-filter.js';
import { LookupKey } from '../../src/storage/lookup-key.js';
import { bytesOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('LookupKey');

test('has the hash that filters were built with, anew for each key', () => {
  const key = new LookupKey();
  for (const text of ['one', 'another', '', 'one']) {
    const bytes = bytesOf(`<${text}>`);
    const expected = hash32(bytesOf(text), 0, text.length, FILTER_HASH_SEED);
    key.set(bytes, 1, text.length);
    assert.is(key.filterHash, expected);
    assert.is(key.filterHash, expected);
    assert.is(key.set(bytesOf(text)).filterHash, expected);
  }
});

run();
