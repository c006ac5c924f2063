import * as assert from 'uvu/assert';
import { type ErrorCode, StormError } from '../../src/base/errors.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { suite } from '../harness/suite.js';
import { callCommand as call, inStore } from './cli-rig.js';

const { test, run } = suite('callServer');

test(
  'an error of the server becomes its exit code and its message',
  inStore(async (rig, at) => {
    const codes: [ErrorCode, number][] = [
      ['INVALID_ARGUMENT', EXIT.usage],
      ['RESOURCE_EXHAUSTED', EXIT.unavailable],
      ['DEADLINE_EXCEEDED', EXIT.unavailable],
      ['UNAVAILABLE', EXIT.unavailable],
      ['DATA_CORRUPTION', EXIT.corruption],
      ['INTERNAL', EXIT.failure],
    ];
    for (const [code, expected] of codes) {
      rig.failure = new StormError(code, `because of ${code}`);
      for (const args of [
        ['put', 'k', 'v'],
        ['get', 'k'],
        ['del', 'k'],
      ]) {
        const { exit, said, out } = await call([...args, ...at]);
        assert.is(exit, expected, `${args[0]} ${code}`);
        assert.match(said[0] ?? '', `because of ${code}`);
        assert.is(out, '');
      }
    }
  }),
);

test('an unreachable server is named, with the next step, and exits with 4', async () => {
  // Port 1 of loopback: nothing listens there.
  const env = { STORMKV_TARGET: '127.0.0.1:1' };
  const { exit, said } = await call(['get', 'k'], { env });
  assert.is(exit, EXIT.unavailable);
  assert.match(said[0] ?? '', /^stormkv: 127\.0\.0\.1:1: .* Start it: stormkv serve$/);
});

test('a target or timeout that makes no sense is a wrong usage', async () => {
  const wrong = [
    ['--target', 'nonsense'],
    ['--target', 'localhost:99999'],
    ['--timeout-ms', '0'],
    ['--timeout-ms', '1e3'],
  ];
  for (const options of wrong) {
    assert.is((await call(['get', 'k', ...options])).exit, EXIT.usage, options.join(' '));
  }
});

run();
