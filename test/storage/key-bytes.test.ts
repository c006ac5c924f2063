import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  commonPrefix,
  compareBytes,
  copyBytes,
  grown,
  keyHead,
} from '../../src/storage/key-bytes.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('key bytes');

const bytes = fc.array(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), { maxLength: 6 });

test('orders like Buffer.compare, at any offset', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const left = new Uint8Array([9, ...a, 9]);
      const right = new Uint8Array([8, 8, ...b, 8]);
      const order = compareBytes(left, 1, a.length, right, 2, b.length);
      assert.is(Math.sign(order), Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const common = commonPrefix(left, 1, a.length, right, 2, b.length);
      assert.equal(a.slice(0, common), b.slice(0, common));
      const isLongest = common === Math.min(a.length, b.length) || a[common] !== b[common];
      assert.ok(isLongest);
    }),
  );
});

test('heads of keys never contradict the order of the keys', () => {
  const longer = fc.array(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), { maxLength: 9 });
  fc.assert(
    fc.property(longer, longer, (a, b) => {
      const left = keyHead(new Uint8Array([9, ...a, 9]), 1, a.length);
      const right = keyHead(new Uint8Array([8, 8, ...b]), 2, b.length);
      const order = Buffer.compare(Buffer.from(a), Buffer.from(b));
      if (left !== right) assert.is(Math.sign(left - right), order);
      const isTold = a.slice(0, 6).join() === b.slice(0, 6).join();
      if (isTold) assert.is(left, right);
    }),
  );
  assert.is(keyHead(new Uint8Array(6).fill(255), 0, 6), 2 ** 48 - 1);
});

test('copies short and long pieces exactly', () => {
  for (const length of [0, 1, 127, 128, 129, 5000]) {
    const from = Uint8Array.from({ length: length + 3 }, (_, i) => i);
    const to = new Uint8Array(length + 4);
    copyBytes(from, 2, length, to, 1);
    assert.equal([...to.subarray(1, length + 1)], [...from.subarray(2, length + 2)]);
    assert.equal([to[0], to[length + 1], to[length + 2]], [0, 0, 0]);
  }
});

test('grows by doubling and keeps the content', () => {
  const small = new Uint8Array([1, 2, 3]);
  assert.is(grown(small, 3), small);
  const larger = grown(small, 100);
  assert.is(larger.length, 128);
  assert.equal([...larger.subarray(0, 4)], [1, 2, 3, 0]);
});

run();
