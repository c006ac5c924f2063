import * as assert from 'uvu/assert';
import { EXIT } from '../../src/cli/exit-codes.js';
import { reloadLines } from '../../src/cli/reload-command.js';
import { suite } from '../harness/suite.js';
import { callCommand as call, inStore } from './cli-rig.js';

const { test, run } = suite('stormkv reload');
const NOTHING = { applied: [], needRestart: [], securityChanged: false, securityError: '' };

test('says what counts now, what counts later, and what cannot be used', () => {
  assert.equal(reloadLines(NOTHING), ['Nothing has changed']);
  const lines = reloadLines({
    applied: ['writeBucket.rate', 'log.level'],
    needRestart: ['router.threads'],
    securityChanged: true,
    securityError: 'who.json has 1 fault',
  });
  assert.match(lines.join('; '), /now: writeBucket\.rate, log\.level; With the next start: router/);
  assert.match(lines.join('; '), /now: certificates or principals; The former .* go on: who\.json/);
});

test(
  'asks the server, and prints its answer for people or as JSON',
  inStore(async ({ admin }, at) => {
    admin.reloadReport = { ...NOTHING, applied: ['bucket.rate'] };
    const plain = await call(['reload', ...at]);
    assert.equal([plain.exit, plain.out], [EXIT.ok, 'In effect now: bucket.rate\n']);
    const json = await call(['reload', '--json', ...at]);
    assert.equal(JSON.parse(json.out), admin.reloadReport);
    admin.reloadReport = { ...NOTHING, securityError: 'no key' };
    assert.is((await call(['reload', ...at])).exit, EXIT.failure);
  }),
);

run();
