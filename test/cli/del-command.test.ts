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

test(
  'del --prefix counts, and removes only when it is told so',
  inStore(async ({ values }, at) => {
    for (const key of ['a/1', 'a/2', 'b']) values.set(key, Buffer.from('v'));
    const dry = await call(['del', '--prefix', 'a/', '--dry-run', ...at]);
    assert.equal([dry.exit, dry.out], [EXIT.ok, '2\n']);
    const unsure = await call(['del', '--prefix', 'a/', ...at]);
    assert.equal([unsure.exit, unsure.out, values.size], [EXIT.usage, '2\n', 3]);
    assert.match(unsure.said[0] ?? '', /2 keys begin with "a\/"; to remove them, add --yes/);
    const sure = await call(['del', '--prefix', 'a/', '--yes', ...at]);
    assert.equal([sure.exit, sure.out, values.size], [EXIT.ok, '2\n', 1]);
  }),
);

test(
  'del --if-version removes only that version',
  inStore(async ({ values }, at) => {
    values.set('k', Buffer.from('v'));
    const stale = await call(['del', 'k', '--if-version', '7', ...at]);
    assert.is(stale.exit, EXIT.failure);
    assert.match(stale.said[0] ?? '', /version 1 now/);
    assert.is((await call(['del', 'k', '--if-version', '1', ...at])).exit, EXIT.ok);
    assert.is(values.size, 0);
  }),
);

test('del wants either a key or a prefix, and options that go with it', async () => {
  for (const args of [
    [],
    ['k', '--prefix', 'p'],
    ['k', '--yes'],
    ['k', '--dry-run'],
    ['k', '--if-version', '0'],
    ['--prefix', 'p', '--if-version', '1'],
  ]) {
    assert.is((await call(['del', ...args])).exit, EXIT.usage, args.join(' '));
  }
});

run();
