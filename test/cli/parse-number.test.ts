import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { parseNumber } from '../../src/cli/parse-number.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('parseNumber');

test('takes whole numbers within the bounds', () => {
  assert.is(parseNumber('--n', '0', 0, 5), 0);
  assert.is(parseNumber('--n', '5', 0, 5), 5);
  assert.is(parseNumber('--n', '007', 0, 9), 7);
});

test('refuses everything else, with the option, the bounds and what was found', () => {
  for (const text of ['', ' 1', '-1', '1.0', '1e1', '0x1', '6', 'NaN', '9'.repeat(30)]) {
    assert.throws(
      () => parseNumber('--n', text, 0, 5),
      (error: StormError) => {
        const found = JSON.stringify(text);
        assert.is(error.message, `--n must be a whole number from 0 to 5: found ${found}`);
        return error instanceof StormError && error.code === 'INVALID_ARGUMENT';
      },
    );
  }
});

run();
