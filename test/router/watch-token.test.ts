import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { decodeToken, encodeToken } from '../../src/router/watch-token.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('The token of a watch');

test('comes back as it was', () => {
  const sequence = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  const next = fc.array(fc.option(sequence, { nil: undefined }), { minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(sequence, next, (slotMapEpoch, sequences) => {
      const position = { slotMapEpoch, next: sequences };
      assert.equal(decodeToken(encodeToken(position)), position);
    }),
  );
});

test('anything else is refused', () => {
  const textOf = (fields: unknown) => Buffer.from(JSON.stringify(fields)).toString('base64url');
  for (const token of [
    'x',
    textOf({}),
    textOf([1]),
    textOf([1, -1]),
    textOf([0, 1]),
    textOf(['1', 1]),
  ]) {
    assert.throws(() => decodeToken(token), /begin without one/, token);
  }
});

run();
