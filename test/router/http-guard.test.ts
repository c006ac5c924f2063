import * as assert from 'uvu/assert';
import { refusalOf } from '../../src/router/http-guard.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('http-guard');

function check(
  host: string | undefined,
  extra: { origin?: string; fetchSite?: string; localAddress?: string } = {},
  rules: { hostsAllowed?: string[]; originsAllowed?: string[] } = {},
): string | undefined {
  return refusalOf(
    {
      host,
      origin: extra.origin,
      fetchSite: extra.fetchSite,
      localAddress: extra.localAddress ?? '127.0.0.1',
      localPort: 8080,
    },
    { hostsAllowed: [], originsAllowed: [], ...rules },
  );
}

test('takes the names of loopback and the address of the connection, with the own port', () => {
  for (const host of ['localhost:8080', '127.0.0.1:8080', '[::1]:8080', 'LOCALHOST:8080']) {
    assert.is(check(host), undefined, host);
  }
  assert.is(check('10.0.0.5:8080', { localAddress: '10.0.0.5' }), undefined);
  assert.is(check('10.0.0.5:8080', { localAddress: '::ffff:10.0.0.5' }), undefined);
  assert.is(check('[fd00::5]:8080', { localAddress: 'fd00::5' }), undefined);
});

test('refuses every other host: names pointed at loopback, other ports, nonsense', () => {
  const hosts = [
    'evil.example:8080',
    'evil.example',
    'localhost',
    'localhost:80',
    '127.0.0.1:9090',
  ];
  hosts.push('localhost.evil.example:8080', '127.0.0.1.nip.io:8080', '10.0.0.5:8080', '', ':8080');
  hosts.push('localhost:8080:8080', 'localhost:8080@evil', 'localhost:', '[::1', 'localhost:99999');
  for (const host of hosts) assert.match(check(host) ?? '', /is not this server/, host);
  assert.match(check(undefined) ?? '', /Host/);
});

test('takes hosts that the configuration allows, with any port or a named one', () => {
  const rules = { hostsAllowed: ['kv.example', 'other.example:9000'] };
  assert.is(check('kv.example', {}, rules), undefined);
  assert.is(check('KV.example:1234', {}, rules), undefined);
  assert.is(check('other.example:9000', {}, rules), undefined);
  assert.match(check('other.example:9001', {}, rules) ?? '', /hostsAllowed/);
});

test('refuses other origins and takes its own and those allowed', () => {
  const host = 'localhost:8080';
  assert.is(check(host, { origin: 'http://localhost:8080' }), undefined);
  for (const origin of ['http://localhost:3000', 'http://evil.example', 'null', '']) {
    assert.match(check(host, { origin }) ?? '', /may not call/, origin);
  }
  // A page on another loopback name is another origin.
  assert.match(check(host, { origin: 'http://127.0.0.1:8080' }) ?? '', /may not call/);
  const rules = { originsAllowed: ['https://dash.example'] };
  const allowed = { origin: 'https://dash.example', fetchSite: 'cross-site' };
  assert.is(check(host, allowed, rules), undefined);
  assert.match(check(host, { origin: 'https://dash.example.evil' }, rules) ?? '', /may not call/);
});

test('refuses what a browser marks as cross-site, and nothing else it marks', () => {
  assert.match(check('localhost:8080', { fetchSite: 'cross-site' }) ?? '', /cross-site/);
  for (const fetchSite of ['none', 'same-origin', 'same-site']) {
    assert.is(check('localhost:8080', { fetchSite }), undefined);
  }
});

run();
