import * as assert from 'uvu/assert';
import { EXIT } from '../../src/cli/exit-codes.js';
import { tokenHash } from '../../src/cli/token-command.js';
import { suite } from '../harness/suite.js';
import { callCommand as call } from './cli-rig.js';

const { test, run } = suite('stormkv token');

test('new makes another token each time, with its hash beside it', async () => {
  const [one, two] = [await call(['token', 'new']), await call(['token', 'new'])];
  for (const { exit, out, said } of [one, two]) {
    assert.is(exit, EXIT.ok);
    assert.match(out, /^skv_[A-Za-z0-9_-]{43}\n$/);
    assert.ok(said.join().includes(tokenHash(out.trim())));
  }
  assert.is.not(one.out, two.out);
});

test('hash takes a token from stdin, and nothing else', async () => {
  const token = `skv_${'x'.repeat(43)}`;
  const readInput = async () => Buffer.from(`${token}\n`);
  assert.is((await call(['token', 'hash'], { readInput })).out, `${tokenHash(token)}\n`);
  const wrong = await call(['token', 'hash'], { readInput: async () => Buffer.from('hunter2') });
  assert.is(wrong.exit, EXIT.usage);
  assert.match(wrong.said.join(), /stormkv token new makes one/);
  assert.is((await call(['token', 'old'])).exit, EXIT.usage);
});

run();
