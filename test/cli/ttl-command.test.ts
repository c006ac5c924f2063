import * as assert from 'uvu/assert';
import { EXIT } from '../../src/cli/exit-codes.js';
import { suite } from '../harness/suite.js';
import { callCommand as call, inStore } from './cli-rig.js';

const { test, run } = suite('stormkv ttl');

test(
  'ttl prints what is left, 0 for a value that never expires',
  inStore(async ({ values }, at) => {
    values.set('k', Buffer.from('v'));
    assert.equal((await call(['ttl', 'k', ...at])).out, '0\n');
    await call(['expire', 'k', '5000', ...at]);
    assert.equal((await call(['ttl', 'k', ...at])).out, '5000\n');
    const none = await call(['ttl', 'none', ...at]);
    assert.equal([none.exit, none.out], [EXIT.notFound, '']);
  }),
);

run();
