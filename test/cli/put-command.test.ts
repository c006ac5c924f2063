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

test('put wants exactly one source of the value', async () => {
  for (const args of [['k'], ['k', 'v', '--file', 'f']]) {
    const { exit, said } = await call(['put', ...args]);
    assert.is(exit, EXIT.usage);
    assert.match(said[0] ?? '', /^stormkv: Give the value either as an argument .* --file$/);
  }
});

run();
