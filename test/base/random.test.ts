import * as assert from 'uvu/assert';
import { type Random, randomUint48, systemRandom } from '../../src/base/random.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('random');

const always = (byte: number): Random => ({ fill: (target) => target.fill(byte) });

test('randomUint48 reaches both ends of its range and is never 0', () => {
  assert.is(randomUint48(always(0xff)), 2 ** 48 - 1);
  assert.is(randomUint48(always(1)), 0x010101010101);
  assert.is(randomUint48(always(0)), 1);
});

test('systemRandom fills what it is given, differently each time', () => {
  const [a, b] = [new Uint8Array(16), new Uint8Array(16)];
  assert.is(systemRandom.fill(a), a);
  systemRandom.fill(b);
  assert.not.equal(a, b);
  assert.ok(a.some((byte) => byte !== 0));
});

run();
