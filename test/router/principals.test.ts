import { createHash } from 'node:crypto';
import * as assert from 'uvu/assert';
import { Principal, Principals } from '../../src/router/principals.js';
import type { Credentials } from '../../src/rpc/access.js';
import type { PrincipalSettings } from '../../src/rpc/door-security.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Principals');
const TOKEN = `skv_${'a'.repeat(43)}`;
const OTHER_TOKEN = `skv_${'b'.repeat(43)}`;
const hashOf = (token: string) => createHash('sha256').update(token).digest('hex');

function settings(name: string, rest: Partial<PrincipalSettings> = {}): PrincipalSettings {
  const none = { tokenHashes: [], commonNames: [], fingerprints: [], grants: [] };
  return { name, disabled: false, ...none, ...rest };
}

function credentials(rest: Partial<Credentials>): Credentials {
  return { door: 'grpc', peer: '1', authorization: undefined, certificate: undefined, ...rest };
}

const bearer = (token: string) => credentials({ authorization: `Bearer ${token}` });
const withCertificate = (commonName: string, fingerprint = 'f'.repeat(64)) =>
  credentials({ certificate: { commonName, fingerprint } });
const nameOf = (found: unknown) => (found instanceof Principal ? found.name : found);

test('are found by token, fingerprint or common name, and nobody else is', () => {
  const known = new Principals([
    settings('t', { tokenHashes: [hashOf(TOKEN)] }),
    settings('c', { commonNames: ['ward-7'] }),
    settings('f', { fingerprints: ['0'.repeat(64)] }),
  ]);
  assert.is(nameOf(known.find(bearer(TOKEN))), 't');
  assert.is(nameOf(known.find(credentials({ authorization: `bearer ${TOKEN}` }))), 't');
  assert.is(nameOf(known.find(withCertificate('ward-7'))), 'c');
  assert.is(nameOf(known.find(withCertificate('ward-7', '0'.repeat(64)))), 'f');
  assert.is(known.find(bearer(OTHER_TOKEN)), 'unknown-token');
  assert.is(known.find(withCertificate('ward-8')), 'unknown-certificate');
  assert.is(known.find(withCertificate('')), 'unknown-certificate');
  assert.is(known.find(credentials({})), 'no-credentials');
});

test('what is no token is refused before it is hashed, also beside a good certificate', () => {
  const known = new Principals([settings('c', { commonNames: ['ward-7'] })]);
  for (const text of ['', 'Basic eDp5', 'Bearer ', `Bearer ${TOKEN}x`, `Bearer  ${TOKEN}`, TOKEN]) {
    const wrong = { ...withCertificate('ward-7'), authorization: text };
    assert.is(known.find(wrong), 'malformed-token', text);
  }
  const unknown = { ...withCertificate('ward-7'), authorization: `Bearer ${TOKEN}` };
  assert.is(known.find(unknown), 'unknown-token');
});

test('a change counts for principals that are already held', () => {
  const of = (grants: PrincipalSettings['grants'], rest: Partial<PrincipalSettings> = {}) =>
    settings('t', { tokenHashes: [hashOf(TOKEN)], grants, ...rest });
  const known = new Principals([of([{ rights: ['read'], prefix: '' }])]);
  const held = known.find(bearer(TOKEN)) as Principal;
  const key = Buffer.from('a');
  assert.ok(held.may('read', key) && held.mayAll('read'));
  known.update([of([{ rights: ['read'], prefix: 'b' }])]);
  assert.not.ok(held.may('read', key) || held.mayAll('read'));
  assert.ok(held.may('read', Buffer.from('b')));
  known.update([of([{ rights: ['read'], prefix: '' }], { disabled: true })]);
  assert.ok(held.isRevoked && !held.may('read', key) && !held.mayAll('read'));
  assert.not.ok(held.maySpan('read', key, key));
  assert.is(known.find(bearer(TOKEN)), 'disabled');
  known.update([of([{ rights: ['read'], prefix: '' }])]);
  assert.ok(held.may('read', key), 'enabled again');
  known.update([]);
  assert.ok(held.isRevoked && !held.may('read', key));
  assert.is(known.find(bearer(TOKEN)), 'unknown-token');
});

test('a right reaches as far as its prefix, and one right is not another', () => {
  const grants: PrincipalSettings['grants'] = [
    { rights: ['read', 'write'], prefix: 'ward-7/' },
    { rights: ['read'], prefix: 'ключ/' },
    { rights: ['admin'], prefix: 'ward-7/' },
  ];
  const principal = new Principal(settings('t', { grants }));
  const may = (right: 'read' | 'write' | 'scan' | 'admin', key: string) =>
    principal.may(right, Buffer.from(key));
  assert.ok(may('read', 'ward-7/') && may('write', 'ward-7/x') && may('read', 'ключ/1'));
  for (const key of ['', 'ward-7', 'ward-70/x', 'ward-8/x', 'Ward-7/x']) {
    assert.not.ok(may('write', key), key);
  }
  assert.not.ok(may('write', 'ключ/1') || may('scan', 'ward-7/x') || principal.mayAll('read'));
  assert.ok(may('admin', ''), 'admin concerns no keys');
  const span = (a: string, b: string) => principal.maySpan('read', Buffer.from(a), Buffer.from(b));
  assert.ok(span('ward-7/a', 'ward-7/b'));
  assert.not.ok(span('ward-7/a', 'ключ/b') || span('a', 'z') || span('ward-7/a', 'ward-8/'));
});

run();
