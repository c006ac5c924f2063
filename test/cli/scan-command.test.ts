import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { suite } from '../harness/suite.js';
import { callCommand as call, inStore } from './cli-rig.js';

const { test, run } = suite('stormkv scan');

test(
  'scan prints lines in order, by prefix, bounds and direction',
  inStore(async ({ values }, at) => {
    for (const key of ['b', 'a/2', 'a/1', 'c']) values.set(key, Buffer.from(`of ${key}`));
    values.set('d', Buffer.from([255]));
    const all = await call(['scan', ...at]);
    assert.is(all.exit, EXIT.ok);
    assert.equal(
      all.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
      [
        { key: 'a/1', value: 'of a/1', version: 3 },
        { key: 'a/2', value: 'of a/2', version: 2 },
        { key: 'b', value: 'of b', version: 1 },
        { key: 'c', value: 'of c', version: 4 },
        { key: 'd', valueBase64: '/w==', version: 5 },
      ],
    );
    const keys = async (...args: string[]) =>
      (await call(['scan', '--keys-only', ...args, ...at])).out;
    assert.is(await keys('a/'), 'a/1\na/2\n');
    assert.is(await keys('--from', 'a/2', '--to', 'c'), 'a/2\nb\n');
    assert.is(await keys('--reverse', '--limit', '2'), 'd\nc\n');
    assert.is(await keys('nothing'), '');
  }),
);

test(
  'scan says where to go on, and goes on there',
  inStore(async ({ values }, at) => {
    for (const key of ['a', 'b', 'c']) values.set(key, Buffer.from('v'));
    const first = await call(['scan', '--keys-only', '--limit', '2', ...at]);
    assert.is(first.out, 'a\nb\n');
    const cursor = /^There is more: --cursor ([\w-]+)$/.exec(first.said[0] ?? '')?.[1] ?? '';
    const rest = await call(['scan', '--keys-only', '--cursor', cursor, ...at]);
    assert.equal([rest.out, rest.said], ['c\n', []]);
    const wrong = await call(['scan', '--cursor', 'x', ...at]);
    assert.equal([wrong.exit, wrong.out], [EXIT.usage, '']);
    assert.is((await call(['scan', '--limit', '-1', ...at])).exit, EXIT.usage);
  }),
);

test(
  'scan tells failures by its exit code',
  inStore(async (rig, at) => {
    rig.failure = new StormError('DATA_CORRUPTION', 'a block is damaged');
    const { exit, said } = await call(['scan', ...at]);
    assert.is(exit, EXIT.corruption);
    assert.match(said[0] ?? '', /a block is damaged/);
  }),
);

run();
