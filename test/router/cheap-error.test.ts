import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { cheaply } from '../../src/router/cheap-error.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('cheaply');

test('makes an error without a stack, and later ones have theirs', () => {
  const error = cheaply(() => new StormError('UNAVAILABLE', 'later'));
  assert.is(error.message, 'later');
  assert.not.match(error.stack ?? '', /at /);
  assert.match(new Error('x').stack ?? '', /at /);
});

run();
