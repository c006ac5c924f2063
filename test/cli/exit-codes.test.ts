import * as assert from 'uvu/assert';
import { ERROR_CODES, StormError } from '../../src/base/errors.js';
import { EXIT, EXIT_HELP, exitCodeOf } from '../../src/cli/exit-codes.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('exitCodeOf');

test('gives every error code its number', () => {
  const found = ERROR_CODES.map((code) => `${code} ${exitCodeOf(new StormError(code, ''))}`);
  assert.equal(found, [
    'INVALID_ARGUMENT 2',
    'NOT_FOUND 3',
    'RESOURCE_EXHAUSTED 4',
    'UNAVAILABLE 4',
    'DEADLINE_EXCEEDED 4',
    'FAILED_PRECONDITION 1',
    'ABORTED 1',
    'UNAUTHENTICATED 1',
    'PERMISSION_DENIED 1',
    'DATA_CORRUPTION 5',
    'WRONG_SHARD 4',
    'UNIMPLEMENTED 1',
    'INTERNAL 1',
  ]);
});

test('anything else is a failure', () => {
  for (const error of [new Error('x'), 'x', undefined]) assert.is(exitCodeOf(error), 1);
});

test('the help explains every number', () => {
  for (const code of Object.values(EXIT)) assert.match(EXIT_HELP, new RegExp(`^  ${code}  `, 'm'));
});

run();
