import * as assert from 'uvu/assert';
import { EXIT } from '../../src/cli/exit-codes.js';
import { suite } from '../harness/suite.js';
import { callCommand as call, inStore } from './cli-rig.js';

const { test, run } = suite('stormkv del');

test(
  'del removes a value and does not mind a key without one',
  inStore(async ({ values }, at) => {
    values.set('k', Buffer.from('v'));
    assert.is((await call(['del', 'k', ...at])).exit, EXIT.ok);
    assert.is((await call(['del', 'k', ...at])).exit, EXIT.ok);
    assert.is(values.size, 0);
  }),
);

run();
