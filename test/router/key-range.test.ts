import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  behindPrefix,
  hasWholeTag,
  isEmptyRange,
  justAbove,
  rangeOf,
} from '../../src/router/key-range.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('key range');
const bytes = fc.array(fc.constantFrom(0, 1, 0x61, 0xfe, 0xff), { maxLength: 4 }).map(Buffer.from);
const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString('latin1');

test('a key is in the range when it is in the bounds and begins with the prefix', () => {
  fc.assert(
    fc.property(bytes, bytes, bytes, bytes, (from, to, prefix, key) => {
      const range = rangeOf(from, to, prefix, 10);
      const isIn =
        (range.from === undefined || Buffer.compare(key, range.from) >= 0) &&
        (range.to === undefined || Buffer.compare(key, range.to) < 0);
      const wanted =
        Buffer.compare(key, from) >= 0 &&
        (to.length === 0 || Buffer.compare(key, to) < 0) &&
        key.subarray(0, prefix.length).equals(prefix);
      assert.is(isIn, wanted);
      if (isEmptyRange(range)) assert.not(isIn);
    }),
    { numRuns: 3000 },
  );
});

test('nothing lies between a key and the one just above it', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const above = justAbove(a);
      assert.is(Buffer.compare(b, a) > 0, Buffer.compare(b, above) >= 0);
    }),
  );
});

test('says what is behind a prefix, where there is something', () => {
  assert.is(text(behindPrefix(Buffer.from('ab'))), 'ac');
  assert.is(text(behindPrefix(Buffer.from('61ff', 'hex'))), 'b');
  assert.is(behindPrefix(Buffer.from('ffff', 'hex')), undefined);
});

test('knows a whole hash tag', () => {
  for (const whole of ['{a}', 'x{a}', '{a}{', '{{}'])
    assert.ok(hasWholeTag(Buffer.from(whole)), whole);
  for (const part of ['', '{', '{a', '{}', '{}{a}', 'a}']) {
    assert.not(hasWholeTag(Buffer.from(part)), part);
  }
});

test('refuses bounds longer than a key, by name', () => {
  const long = Buffer.alloc(11);
  assert.throws(() => rangeOf(long, undefined, undefined, 10), /"from" must be at most 10 bytes/);
  assert.throws(() => rangeOf(undefined, long, undefined, 10), /"to"/);
  assert.throws(() => rangeOf(undefined, undefined, long, 10), /"prefix"/);
});

run();
