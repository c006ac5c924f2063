import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  MALFORMED,
  VARINT_BYTES_MAX,
  VarintReader,
  writeVarint,
} from '../../src/storage/varint.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('varint');

const EDGES = [0, 1, 127, 128, 16_383, 16_384, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 49];

function read(bytes: number[], end = bytes.length): { value: number; at: number } {
  const reader = new VarintReader();
  reader.reset(new Uint8Array(bytes), 0, end);
  return { value: reader.read(), at: reader.at };
}

test('reads back what it writes, in a row and up to 2^53 - 1', () => {
  const numbers = fc.array(fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constantFrom(...EDGES)));
  fc.assert(
    fc.property(numbers, (values) => {
      const bytes = new Uint8Array(values.length * VARINT_BYTES_MAX + 1);
      let end = 1;
      for (const value of values) end = writeVarint(bytes, end, value);
      const reader = new VarintReader();
      reader.reset(bytes, 1, end);
      assert.equal(
        values.map(() => reader.read()),
        values,
      );
      assert.is(reader.at, end);
      assert.is(reader.read(), MALFORMED);
    }),
  );
});

test('writes low groups first and no byte more than needed', () => {
  const bytes = new Uint8Array(8);
  assert.is(writeVarint(bytes, 0, 300), 2);
  assert.equal([...bytes.subarray(0, 2)], [0xac, 0x02]);
  assert.is(writeVarint(bytes, 0, Number.MAX_SAFE_INTEGER), VARINT_BYTES_MAX);
});

test('refuses a number that is cut off, too large or not in its shortest form', () => {
  assert.is(read([]).value, MALFORMED);
  assert.is(read([0x80]).value, MALFORMED);
  assert.is(read([0xac, 0x02], 1).value, MALFORMED);
  assert.is(read([0x80, 0x00]).value, MALFORMED);
  assert.is(read([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]).value, 2 ** 53 - 1);
  assert.is(read([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]).value, MALFORMED);
  assert.is(read([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]).value, MALFORMED);
});

run();
