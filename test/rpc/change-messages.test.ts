import * as assert from 'uvu/assert';
import { decodeChanges, encodeChanges } from '../../src/rpc/change-messages.js';
import { encodeMessage } from '../../src/rpc/message-codec.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('change messages');

test('the request for changes comes back as it was', () => {
  for (const parameters of [
    { from: 0, name: undefined, prefix: undefined, bytesMax: 1 },
    { from: 2 ** 50, name: 'é', prefix: Uint8Array.of(0xff, 1), bytesMax: 65_536 },
  ]) {
    const found = decodeChanges(encodeChanges(parameters));
    assert.equal(
      [found.from, found.name, found.bytesMax],
      [parameters.from, parameters.name, parameters.bytesMax],
    );
    assert.equal(found.prefix && [...found.prefix], parameters.prefix && [...parameters.prefix]);
  }
});

test('anything else is refused', () => {
  for (const fields of [
    [],
    {},
    [1, null, null],
    [-1, null, null, 1],
    [1, 2, null, 1],
    [1, null, 'x', 1],
    [1, null, null, 0],
  ]) {
    assert.throws(() => decodeChanges(encodeMessage(fields)), /Malformed|malformed/);
  }
});

run();
