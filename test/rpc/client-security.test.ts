import * as assert from 'uvu/assert';
import { channelSecurity } from '../../src/rpc/client-security.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { makePki } from '../harness/test-pki.js';

const { test, run } = suite('channelSecurity');

test('is plain text unless there are authorities or a certificate', () =>
  withTempDir((dir) => {
    assert.not(channelSecurity({}).credentials._isSecure());
    assert.not(channelSecurity({ token: 'skv_x' }).credentials._isSecure());
    assert.ok(channelSecurity({ ca: true }).credentials._isSecure());
    const pki = makePki(dir);
    if (pki === undefined) return;
    const { cert, key } = pki.issue('ward');
    assert.ok(channelSecurity({ cert, key }).credentials._isSecure());
  }));

test('refuses half a pair, and what is no certificate', () => {
  assert.throws(() => channelSecurity({ cert: 'x' }), /belong together/);
  assert.throws(() => channelSecurity({ cert: 'x', key: 'y' }), /are not good/);
});

run();
