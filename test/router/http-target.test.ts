import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { keyOfTarget, routeOf } from '../../src/router/http-target.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('http-target');

test('names the route of a target as it came', () => {
  assert.is(routeOf('/kv/a'), '/kv/');
  assert.is(routeOf('/kv/'), '/kv/');
  assert.is(routeOf('/kv/../livez'), '/kv/');
  assert.is(routeOf('/kv'), '/kv');
  assert.is(routeOf('/kv?prefix=/kv/'), '/kv');
  assert.is(routeOf('/ttl/a'), '/ttl/');
  assert.is(routeOf('/readyz'), '/readyz');
  assert.is(routeOf('/readyz?verbose'), '/readyz');
  assert.is(routeOf('/livez'), '/livez');
  assert.is(routeOf('/stats?x'), '/stats');
  assert.is(routeOf('/metrics'), '/metrics');
  for (const other of ['', '/', '/KV/a', '//kv/a', '/livez/', '/%6bv/a', '*', 'http://h/kv/a']) {
    assert.is(routeOf(other), '/unknown', other);
  }
});

test('decodes a key once and normalises nothing', () => {
  const cases: [string, string][] = [
    ['/kv/a', 'a'],
    ['/kv/', ''],
    ['/kv/a/b//c/', 'a/b//c/'],
    ['/kv/a%2Fb', 'a/b'],
    ['/kv/a%2fb', 'a/b'],
    ['/kv/..', '..'],
    ['/kv/a/../b/./c', 'a/../b/./c'],
    ['/kv/%2e%2e/x', '../x'],
    ['/kv/%252F', '%2F'],
    ['/kv/a+b', 'a+b'],
    ['/kv/a%3Fb%23c', 'a?b#c'],
    ['/kv/a;b=c&d', 'a;b=c&d'],
    ['/kv/%7Bp%7D/q', '{p}/q'],
    ['/kv/%00', '\0'],
    ['/kv/%D0%BA', 'к'],
  ];
  for (const [target, key] of cases) assert.is(keyOfTarget(target).toString(), key, target);
});

test('refuses a query, a fragment and malformed percent-encoding', () => {
  for (const target of ['/kv/a?b', '/kv/a?', '/kv/?', '/kv/a#b']) {
    assert.throws(() => keyOfTarget(target), /%3F|%23/);
  }
  for (const target of ['/kv/%', '/kv/%2', '/kv/a%zz', '/kv/%2g', '/kv/%%41', '/kv/%u0041']) {
    assert.throws(() => keyOfTarget(target), /malformed percent-encoding/);
  }
});

test('reads back any key, however it was percent-encoded', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, isLower) => {
      const encoded = Array.from(bytes, (byte) => {
        const hex = byte.toString(16).padStart(2, '0');
        return `%${isLower ? hex : hex.toUpperCase()}`;
      });
      assert.equal(new Uint8Array(keyOfTarget(`/kv/${encoded.join('')}`)), bytes);
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (key) => {
      assert.is(keyOfTarget(`/kv/${encodeURIComponent(key)}`).toString(), key);
    }),
  );
});

run();
