import * as assert from 'uvu/assert';
import { expectationOf, isValid } from '../../src/config/option-schema.js';
import type { Option } from '../../src/config/option-types.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Schemas of options');
const help = 'Helps.';

interface Case {
  option: Option;
  expectation: string;
  good: unknown[];
  bad: unknown[];
}

const CASES: Case[] = [
  {
    option: { type: 'integer', default: 1, min: 1, max: 9, unit: 'bytes', help },
    expectation: 'a whole number of bytes from 1 to 9',
    good: [1, 9],
    bad: [0, 10, 1.5, '1', true, null, undefined, [1]],
  },
  {
    option: { type: 'integer', default: 1, min: 1, max: 9, help },
    expectation: 'a whole number from 1 to 9',
    good: [5],
    bad: [Number.NaN, Number.POSITIVE_INFINITY],
  },
  {
    option: { type: 'choice', default: 'a', choices: ['a', 'b'], help },
    expectation: 'one of "a", "b"',
    good: ['a', 'b'],
    bad: ['c', '', 'A', 0, null],
  },
  {
    option: { type: 'boolean', default: false, help },
    expectation: 'true or false',
    good: [true, false],
    bad: ['true', 0, null],
  },
  {
    option: { type: 'text', default: 'x', help },
    expectation: 'a text that is not empty',
    good: ['x', ' '],
    bad: ['', 'x'.repeat(5000), 1, null],
  },
  {
    option: { type: 'address', default: 'h:1', help },
    expectation: 'an address HOST:PORT, like "127.0.0.1:8080" or "[::1]:0"',
    good: ['127.0.0.1:0', 'localhost:65535', '[::1]:1'],
    bad: ['', ':1', 'h', 'h:', 'h:65536', '::1:1', 'h:1/x', 'a b:1', 1],
  },
  {
    option: { type: 'hosts', default: [], help },
    expectation: 'a list of host names, like ["store.example", "10.0.0.7:8080"]',
    good: [[], ['a.example', '10.0.0.7:80', '[::1]:1']],
    bad: ['a', [''], ['a/b'], ['http://a'], [1], {}],
  },
  {
    option: { type: 'origins', default: [], help },
    expectation: 'a list of origins without a path, like ["https://dash.example"]',
    good: [[], ['https://a.example', 'http://[::1]:80']],
    bad: [['a.example'], ['https://a/'], ['*'], ['null'], 'https://a'],
  },
];

test('take what is right, refuse what is wrong and say what is expected', () => {
  for (const { option, expectation, good, bad } of CASES) {
    assert.is(expectationOf(option), expectation);
    for (const value of good) assert.ok(isValid(option, value), `${expectation}: ${value}`);
    for (const value of bad) assert.not.ok(isValid(option, value), `${expectation}: ${value}`);
  }
});

run();
