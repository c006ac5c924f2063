import * as assert from 'uvu/assert';
import {
  allocateRing,
  CONTROL_BYTES,
  FRAME_HEADER_BYTES,
  frameBodyBytesMax,
  frameBytes,
  frameCheck,
  WORD_HEAD,
  WORD_TAIL,
} from '../../src/rpc/ring-layout.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('ring-layout');

test('keeps the counters on cache lines of their own, away from the data', () => {
  const { control, data, epoch } = allocateRing(4096, 9);
  assert.ok(control !== data);
  assert.equal([control.byteLength, data.byteLength, epoch], [CONTROL_BYTES, 4096, 9]);
  assert.ok(Math.abs(WORD_HEAD - WORD_TAIL) * 4 >= 64);
  assert.ok(Math.max(WORD_HEAD, WORD_TAIL) * 4 + 64 <= CONTROL_BYTES);
});

test('rounds frames up to 16 bytes, header included', () => {
  const sizes = [0, 1, 15, 16, 17, 32].map(frameBytes);
  assert.equal(sizes, [16, 32, 32, 32, 48, 48]);
  assert.is(frameBytes(frameBodyBytesMax(4096)), 2048);
  assert.is(FRAME_HEADER_BYTES, 16);
});

test('the check changes with every bit of length, sequence and epoch', () => {
  const base = frameCheck(100, 5, 3);
  assert.not.equal(frameCheck(0, 0, 0), 0, 'zeroed memory is no frame');
  for (let bit = 0; bit < 32; bit++) {
    const flip = 2 ** bit;
    assert.not.equal(frameCheck((100 ^ flip) >>> 0, 5, 3), base);
    assert.not.equal(frameCheck(100, (5 ^ flip) >>> 0, 3), base);
    assert.not.equal(frameCheck(100, 5, (3 ^ flip) >>> 0), base);
  }
});

run();
