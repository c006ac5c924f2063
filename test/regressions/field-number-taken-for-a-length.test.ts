/**
 * A client made room for as many numbers as the highest field number said: seven bytes of an answer
 * with field 536,870,911 asked for an array of 4 GiB. Found by the fuzzer.
 */
import * as assert from 'uvu/assert';
import { decodeNumbers } from '../../src/rpc/client-codec.js';
import { ProtoWriter } from '../../src/rpc/proto-writer.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('A field number taken for a length');

test('an unknown field with a high number is passed over', () => {
  const writer = new ProtoWriter();
  writer.number(2, 7);
  writer.number(100_000, 1);
  // The highest that there can be; beyond what a signed shift could write.
  const highest = Uint8Array.of(0xf8, 0xff, 0xff, 0xff, 0x0f, 1);
  assert.equal(decodeNumbers(Buffer.concat([writer.resultView(), highest])), [0, 7]);
});

run();
