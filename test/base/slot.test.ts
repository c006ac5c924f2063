import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { crc16, SLOT_COUNT, slotOfKey } from '../../src/base/slot.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('slot');

const slotOf = (key: string) => {
  const bytes = new Uint8Array(Buffer.from(`}{${key}}{`));
  return slotOfKey(bytes, 2, bytes.length - 4);
};

/** Bit by bit, as the CRC catalogue defines it. */
function slowCrc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const carry = ((crc >>> 15) ^ (byte >>> bit)) & 1;
      crc = ((crc << 1) & 0xffff) ^ (carry === 1 ? 0x1021 : 0);
    }
  }
  return crc;
}

test('crc16 gives the published values of CRC-16/XMODEM', () => {
  const sum = (text: string) => crc16(new Uint8Array(Buffer.from(text)), 0, text.length);
  assert.is(sum(''), 0);
  assert.is(sum('123456789'), 0x31c3);
  assert.is(sum('A'), 0x58e5);
});

test('crc16 agrees with the definition for any bytes, and looks at no others', () => {
  const one = fc.tuple(fc.uint8Array(), fc.uint8Array({ maxLength: 5 }));
  fc.assert(
    fc.property(one, ([bytes, around]) => {
      const padded = Uint8Array.of(...around, ...bytes, ...around);
      assert.is(crc16(padded, around.length, bytes.length), slowCrc16(bytes));
    }),
  );
});

test('puts keys where every CRC-16 slot store puts them', () => {
  assert.is(slotOf('foo'), 12182);
  assert.is(slotOf('bar'), 5061);
  assert.is(slotOf('hello'), 866);
  assert.is(slotOf('somekey'), 11058);
  assert.is(slotOf('foo{hash_tag}'), 2515);
});

test('hashes only the first tag, and the whole key where there is none', () => {
  const same = [
    ['{patient-17}/q3', 'patient-17'],
    ['{patient-17}/q3', '{patient-17}/q4'],
    ['a{b}c{d}', 'b'],
    ['{a{b}', 'a{b'],
    ['x{{y}}z', '{y'],
    ['}{t}', 't'],
  ];
  for (const [a = '', b = ''] of same) assert.is(slotOf(a), slotOf(b), `${a} and ${b}`);
  // An empty tag is no tag, and nothing behind it is one either.
  for (const whole of ['foo{}{bar}', '{}', '{}x', 'open{only', 'close}only', '}{', '{', '']) {
    const bytes = new Uint8Array(Buffer.from(whole));
    assert.is(slotOf(whole), slowCrc16(bytes) % SLOT_COUNT, whole);
  }
});

test('any key has a slot, and a tag decides it alone', () => {
  const tag = fc.string({ minLength: 1 }).filter((text) => !/[{}]/.test(text));
  const rest = fc.string().filter((text) => !text.includes('{'));
  fc.assert(
    fc.property(tag, rest, fc.string(), (name, before, behind) => {
      const slot = slotOf(`${before}{${name}}${behind}`);
      assert.is(slot, slotOf(name));
      assert.ok(slot >= 0 && slot < SLOT_COUNT);
    }),
  );
});

run();
