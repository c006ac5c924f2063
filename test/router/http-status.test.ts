import * as assert from 'uvu/assert';
import { ERROR_CODES, StormError } from '../../src/base/errors.js';
import { errorBody, errorHeaders, HTTP_STATUS_OF } from '../../src/router/http-status.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('http-status');

test('every code has an error status', () => {
  for (const code of ERROR_CODES) {
    assert.ok(HTTP_STATUS_OF[code] >= 400 && HTTP_STATUS_OF[code] < 600, code);
  }
  assert.is(HTTP_STATUS_OF.DATA_CORRUPTION, 500);
  assert.is(HTTP_STATUS_OF.RESOURCE_EXHAUSTED, 429);
});

test('headers carry the outcome of a write, and the hint in whole seconds', () => {
  const hint = (retryAfterMs: number) => new StormError('UNAVAILABLE', 'x', { retryAfterMs });
  assert.equal(errorHeaders(hint(1), true), {
    'stormkv-outcome': 'not-applied',
    'retry-after': '1',
  });
  assert.equal(errorHeaders(hint(2001), false), { 'retry-after': '3' });
  const unknown = new StormError('INTERNAL', 'x', { outcome: 'unknown' });
  assert.equal(errorHeaders(unknown, true), { 'stormkv-outcome': 'unknown' });
  assert.equal(errorBody('A', 'b'), { error: { code: 'A', message: 'b' } });
});

run();
