import { writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { readSecurity, type SecurityPaths } from '../../src/supervisor/security-files.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { makePki } from '../harness/test-pki.js';

const { test, run } = suite('readSecurity');
const NONE: SecurityPaths = {
  certFile: '',
  keyFile: '',
  clientCaFile: '',
  clientAuth: 'none',
  principalsFile: '',
};
const read = (change: Partial<SecurityPaths>) =>
  readSecurity({ ...NONE, ...change }, nodeFileSystem);

test('finds open doors where nothing is named', () => {
  assert.equal(read({}), { tls: undefined, principals: undefined });
});

test('reads a certificate with its key, and refuses one with another key', () =>
  withTempDir((dir) => {
    const pki = makePki(dir);
    if (pki === undefined) return;
    const [one, two] = [pki.issue('a', 'server'), pki.issue('b', 'server')];
    const { certFile, keyFile } = one;
    const { tls } = read({ certFile, keyFile, clientCaFile: pki.caFile, clientAuth: 'request' });
    assert.is(tls?.cert, one.cert);
    assert.is(tls?.clientCa, pki.ca);
    assert.throws(() => read({ certFile, keyFile: two.keyFile }), /does not fit the certificate/);
    const swapped = { certFile: keyFile, keyFile: certFile };
    assert.throws(() => read(swapped), /holds no certificate in PEM form/);
    const clientCaFile = keyFile;
    assert.throws(() => read({ certFile, keyFile, clientCaFile }), /holds no certificate/);
  }));

test('names a file that is not there, and passes on the faults of principals', () =>
  withTempDir((dir) => {
    assert.throws(() => read({ principalsFile: `${dir}/none` }), /Cannot read .*none: ENOENT/);
    writeFileSync(`${dir}/who.json`, '{}');
    assert.throws(() => read({ principalsFile: `${dir}/who.json` }), /a list "principals"/);
  }));

run();
