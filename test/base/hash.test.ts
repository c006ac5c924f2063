import * as assert from 'uvu/assert';
import { hash32 } from '../../src/base/hash.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('hash32');

const hashOf = (text: string, seed: number) => {
  const bytes = new Uint8Array(Buffer.from(`..${text}..`, 'utf8'));
  return hash32(bytes, 2, bytes.length - 4, seed);
};

test('agrees with the published values of MurmurHash3 for every rest of a word', () => {
  assert.is(hashOf('', 0), 0);
  assert.is(hashOf('', 1), 0x514e28b7);
  assert.is(hashOf('', 0xffffffff), 0x81f16f39);
  assert.is(hashOf('a', 0x9747b28c), 0x7fa09ea6);
  assert.is(hashOf('aa', 0x9747b28c), 0x5d211726);
  assert.is(hashOf('aaa', 0x9747b28c), 0x283e0130);
  assert.is(hashOf('aaaa', 0x9747b28c), 0x5a97808a);
  assert.is(hashOf('Hello, world!', 0x9747b28c), 0x24884cba);
  assert.is(hashOf('The quick brown fox jumps over the lazy dog', 0x9747b28c), 0x2fa826cd);
});

test('looks at nothing but the bytes given', () => {
  const bytes = new Uint8Array(32).fill(7);
  const before = hash32(bytes, 4, 9, 1);
  bytes.fill(9, 0, 4).fill(9, 13);
  assert.is(hash32(bytes, 4, 9, 1), before);
  bytes[12] = 9;
  assert.is.not(hash32(bytes, 4, 9, 1), before);
});

run();
