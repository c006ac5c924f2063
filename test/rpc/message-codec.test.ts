import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { decodeMessage, encodeMessage } from '../../src/rpc/message-codec.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('message-codec');

test('plain values come back', () => {
  const value = [1, -5, 2 ** 40, 'text', null, true, [1, [2]], { a: 1, b: { c: 'd' } }];
  const bytes = encodeMessage(value);
  assert.equal(decodeMessage(bytes, 0, bytes.length), value);
});

test('decoded bytes do not refer to what they were decoded from', () => {
  const frame = encodeMessage(['x', Buffer.from('abcdefgh')]);
  const ring = new Uint8Array(new SharedArrayBuffer(64));
  ring.set(frame, 8);
  const [, bytes] = decodeMessage(ring, 8, frame.length) as [string, Uint8Array];
  ring.fill(0);
  assert.is(Buffer.from(bytes).toString(), 'abcdefgh');
});

test('arbitrary bytes decode or throw INTERNAL, and change no prototype', () => {
  const check = (bytes: Uint8Array) => {
    try {
      decodeMessage(bytes, 0, bytes.length);
    } catch (error) {
      assert.instance(error, StormError);
      assert.is((error as StormError).code, 'INTERNAL');
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check), { numRuns: 2000 });
  check(new Uint8Array(50_000).fill(0x91));
  check(Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff));
  check(Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff, 1));
  check(encodeMessage(JSON.parse('{"__proto__": {"polluted": true}}')));
  assert.is(({} as Record<string, unknown>)['polluted'], undefined);
});

run();
