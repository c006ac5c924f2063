import * as assert from 'uvu/assert';
import { VersionConflict } from '../../src/base/version-conflict.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('VersionConflict');

test('carries the version for programs and says it for people', () => {
  const conflict = new VersionConflict(7);
  assert.is(conflict.code, 'ABORTED');
  assert.is(conflict.version, 7);
  assert.match(conflict.message, 'has version 7 now; nothing was written');
});

test('says that there is no value instead of version 0', () => {
  assert.match(new VersionConflict(0).message, 'the key has no value now');
});

run();
