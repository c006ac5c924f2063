import * as assert from 'uvu/assert';
import { EXIT } from '../../src/cli/exit-codes.js';
import { suite } from '../harness/suite.js';
import { callCommand as call, inStore } from './cli-rig.js';

const { test, run } = suite('stormkv put');

test(
  'put stores an argument, stdin and a file, byte for byte',
  inStore(async ({ values }, at) => {
    const bytes = Buffer.from([0, 255, 10, 13]);
    assert.is((await call(['put', 'a', 'ü', ...at])).exit, EXIT.ok);
    await call(['put', 'b', '-', ...at], { readInput: () => Promise.resolve(bytes) });
    await call(['put', 'c', '--file', 'x.bin', ...at], { readFile: () => bytes });
    await call(['put', 'd', '', ...at]);
    await call(['put', 'e', '-5', ...at]);
    assert.equal(values.get('a'), Buffer.from('ü'));
    assert.equal(values.get('b'), bytes);
    assert.equal(values.get('c'), bytes);
    assert.is(values.get('d')?.length, 0);
    assert.equal(values.get('e'), Buffer.from('-5'));
  }),
);

test(
  'put can be conditional and expire',
  inStore(async ({ cluster }, at) => {
    const first = ['put', 'k', 'v', '--if-absent', '--ttl-ms', '60000', ...at];
    assert.is((await call(first)).exit, EXIT.ok);
    const again = await call(first);
    assert.is(again.exit, EXIT.failure);
    assert.match(again.said[0] ?? '', /the key has version 1 now/);
    assert.is((await call(['put', 'k', 'w', '--if-version', '1', ...at])).exit, EXIT.ok);
    assert.is((await call(['put', 'k', 'x', '--if-version', '1', ...at])).exit, EXIT.failure);
    assert.is(cluster.shard(0).data.get('k')?.value.toString(), 'w');
    const wrong = [
      ['--ttl-ms', '0'],
      ['--ttl-ms', 'x'],
      ['--if-version', '0'],
    ];
    for (const options of wrong) {
      assert.is((await call(['put', 'k', 'v', ...options, ...at])).exit, EXIT.usage);
    }
    const both = await call(['put', 'k', 'v', '--if-absent', '--if-version', '2', ...at]);
    assert.is(both.exit, EXIT.usage);
  }),
);

test('put wants exactly one source of the value', async () => {
  for (const args of [['k'], ['k', 'v', '--file', 'f']]) {
    const { exit, said } = await call(['put', ...args]);
    assert.is(exit, EXIT.usage);
    assert.match(said[0] ?? '', /^stormkv: Give the value either as an argument .* --file$/);
  }
});

run();
