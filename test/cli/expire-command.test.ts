import * as assert from 'uvu/assert';
import { EXIT } from '../../src/cli/exit-codes.js';
import { suite } from '../harness/suite.js';
import { callCommand as call, inStore } from './cli-rig.js';

const { test, run } = suite('stormkv expire');

test(
  'expire sets and takes away when a value expires',
  inStore(async ({ values, cluster }, at) => {
    values.set('k', Buffer.from('v'));
    const shard = cluster.shard(0);
    assert.is((await call(['expire', 'k', '5000', ...at])).exit, EXIT.ok);
    assert.is(shard.data.get('k')?.expiresAtMs, shard.nowMs + 5000);
    assert.is((await call(['expire', 'k', '0', ...at])).exit, EXIT.ok);
    assert.is(shard.data.get('k')?.expiresAtMs, 0);
    const none = await call(['expire', 'none', '5', ...at]);
    assert.equal([none.exit, none.said], [EXIT.notFound, ['No value under "none"']]);
    for (const ms of ['soon', '1.5', '9'.repeat(16)]) {
      assert.is((await call(['expire', 'k', ms, ...at])).exit, EXIT.usage, ms);
    }
  }),
);

run();
