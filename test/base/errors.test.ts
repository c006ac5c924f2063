import * as assert from 'uvu/assert';
import { CorruptionError, messageOf, StormError, systemCodeOf } from '../../src/base/errors.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('errors');

test('StormError is surely not applied unless it says otherwise', () => {
  const plain = new StormError('UNAVAILABLE', 'why');
  assert.is(plain.outcome, 'not-applied');
  assert.is(plain.retryAfterMs, undefined);
  assert.not('cause' in plain);
  const cause = new Error('deeper');
  const full = new StormError('UNAVAILABLE', 'why', { outcome: 'unknown', retryAfterMs: 5, cause });
  assert.is(full.outcome, 'unknown');
  assert.is(full.retryAfterMs, 5);
  assert.is(full.cause, cause);
  assert.ok(String(full).startsWith('StormError: why'));
});

test('CorruptionError names file, offset and, where known, sequence', () => {
  const error = new CorruptionError('Broken block', { file: '/d/x.sst', offset: 7, sequence: 9 });
  assert.is(error.code, 'DATA_CORRUPTION');
  assert.is(error.message, 'Broken block (file /d/x.sst, offset 7, sequence 9)');
  assert.equal(error.site, { file: '/d/x.sst', offset: 7, sequence: 9 });
  const without = new CorruptionError('Broken block', { file: 'f', offset: 0 });
  assert.is(without.message, 'Broken block (file f, offset 0)');
  assert.instance(without, StormError);
});

test('messageOf reads anything thrown', () => {
  assert.is(messageOf(new Error('why')), 'why');
  assert.is(messageOf('text'), 'text');
  assert.is(messageOf(undefined), 'undefined');
});

test('systemCodeOf finds the code of a system error and nothing else', () => {
  assert.is(systemCodeOf(Object.assign(new Error('full'), { code: 'ENOSPC' })), 'ENOSPC');
  assert.is(systemCodeOf(Object.assign(new Error('odd'), { code: 28 })), undefined);
  assert.is(systemCodeOf({ code: 'ENOSPC' }), undefined);
  assert.is(systemCodeOf(new Error('plain')), undefined);
});

run();
