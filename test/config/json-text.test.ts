import * as fc from 'fast-check';
import * as assert from 'uvu/assert';
import { JsonSyntaxError, parseJsonText } from '../../src/config/json-text.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('parseJsonText');

test('reads every JSON value as JSON.parse does', () => {
  const property = fc.property(fc.jsonValue(), fc.integer({ min: 0, max: 4 }), (value, indent) => {
    const text = JSON.stringify(value, undefined, indent);
    // Its objects have no prototype; the detour through text makes them comparable.
    assert.equal(JSON.parse(JSON.stringify(parseJsonText(text).value)), JSON.parse(text));
  });
  return fc.assert(property);
});

test('refuses what JSON.parse refuses, and nothing more but double keys', () => {
  const mutation = fc.record({ at: fc.nat(60), to: fc.constantFrom('{', ',', '"', '\\', '1', '') });
  const property = fc.property(fc.jsonValue(), mutation, (value, { at, to }) => {
    const text = JSON.stringify(value);
    const broken = text.slice(0, at) + to + text.slice(at + 1);
    let isRefused = false;
    try {
      parseJsonText(broken);
    } catch (error) {
      if (!(error instanceof JsonSyntaxError)) throw error;
      if (error.message.includes('stands twice')) return;
      isRefused = true;
    }
    let isWrong = false;
    try {
      JSON.parse(broken);
    } catch {
      isWrong = true;
    }
    assert.is(isRefused, isWrong, broken);
  });
  return fc.assert(property, { numRuns: 1000 });
});

test('tells line and column of a mistake and what was expected', () => {
  const cases: [string, string][] = [
    ['', 'line 1, column 1: a value is expected: found the end of the text'],
    ['{\n  "a": 1,\n}', 'line 3, column 1: a key in double quotes is expected: found "}"'],
    ['{"a" 1}', 'line 1, column 6: ":" is expected: found "1"'],
    ['[1 2]', 'line 1, column 4: "," or "]" is expected: found "2"'],
    ['{"a":1 "b"}', 'line 1, column 8: "," or "}" is expected: found "\\""'],
    ['{"a":1}\n\n x', 'line 3, column 2: the end of the text is expected: found "x"'],
    ['{"a": "b', 'line 1, column 7: this string is not well formed or has no end'],
    ['{"a": "\\x"}', 'line 1, column 7: this string is not well formed or has no end'],
    ["{'a': 1}", 'line 1, column 2: a key in double quotes is expected: found "\'"'],
    ['{"a":1,\n "a":2}', 'line 2, column 2: the key "a" stands twice'],
    ['[01]', 'line 1, column 3: "," or "]" is expected: found "1"'],
    ['['.repeat(80), 'line 1, column 66: the nesting is too deep'],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseJsonText(text),
      (error: Error) => {
        assert.is(error.message, message);
        return error instanceof JsonSyntaxError;
      },
    );
  }
});

test('knows where values stand, also behind a byte order mark', () => {
  const { positionOf } = parseJsonText('\uFEFF{\n "a": { "b": [1,\n2] } }');
  assert.equal(positionOf('a'), { line: 2, column: 7 });
  assert.equal(positionOf('a.b'), { line: 2, column: 14 });
  assert.equal(positionOf('a.b.1'), { line: 3, column: 1 });
  assert.is(positionOf('b'), undefined);
});

run();
