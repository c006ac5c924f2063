import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { entryLine, parseLine } from '../../src/rpc/json-lines.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('http-lines');

test('what was written as a line is read as it was', () => {
  const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(key, fc.uint8Array({ maxLength: 50 }), fc.boolean(), (text, value, asUtf8) => {
      const entry = { key: Buffer.from(text), value: Buffer.from(value), version: 7 };
      const line = entryLine(entry, asUtf8);
      assert.is(line.indexOf('\n'), line.length - 1);
      const found = parseLine(Buffer.from(line), asUtf8);
      assert.ok(found?.key.equals(entry.key));
      assert.ok(found?.value?.equals(entry.value));
    }),
  );
});

test('says when an entry expires, where it does', () => {
  const entry = { key: Buffer.from('k'), value: Buffer.from('v'), version: 7 };
  assert.is(
    entryLine({ ...entry, expiresAtMs: 5 }, true),
    '{"key":"k","value":"v","version":7,"expires_at_ms":5}\n',
  );
  assert.not.match(entryLine({ ...entry, expiresAtMs: 0 }, true), 'expires');
});

test('lines that say nothing are passed over', () => {
  for (const line of ['', '  ', '\r', '{"cursor":"abc"}']) {
    assert.is(parseLine(Buffer.from(line), false), undefined, line);
  }
});

test('refuses lines that are wrong, and says why', () => {
  const wrong: [string | Uint8Array, RegExp][] = [
    [Uint8Array.of(0xff), /UTF-8/],
    ['{', /JSON/],
    ['[]', /object/],
    ['null', /object/],
    ['"k"', /object/],
    ['{}', /"key"/],
    ['{"key":1,"value":""}', /"key"/],
    ['{"key":"k"}', /"value"/],
    ['{"key":"k","value":5}', /"value"/],
    ['{"key":"k","value":"*"}', /base64/],
    ['{"key":"k","value":"YQ"}', /base64/],
    ['{"key":"k","value":"","valueBase64":""}', /both/],
    ['{"key":"\\ud800","value":""}', /half a character/],
    ['{"key":"k","value":"","ttl_ms":"1"}', /ttl_ms/],
    ['{"key":"k","value":"","ttl_ms":-1}', /time to live/],
    ['{"key":"k","value":"","ttl_ms":1.5}', /time to live/],
  ];
  for (const [line, pattern] of wrong) {
    assert.throws(() => parseLine(Buffer.from(line), false), pattern, String(line));
  }
});

run();
