import * as assert from 'uvu/assert';
import { valueBy, writerOf } from '../../src/chaos/value.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Values of a chaos run');

test('name their writer under the key they were written to, and nowhere else', () => {
  for (const id of [1, 2, 12_345, 2 ** 40]) {
    const value = valueBy('run', '{t1}/ü', id);
    assert.is(writerOf('run', '{t1}/ü', value), id);
    assert.is(writerOf('run', '{t1}/u', value), undefined);
    assert.is(writerOf('other', '{t1}/ü', value), undefined);
  }
});

test('name nobody when a single byte is wrong, missing or too many', () => {
  const value = valueBy('run', 'k', 77);
  for (let at = 0; at < value.length; at++) {
    const damaged = Buffer.from(value);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    assert.is(writerOf('run', 'k', damaged), undefined, `byte ${at}`);
  }
  assert.is(writerOf('run', 'k', value.subarray(0, -1)), undefined);
  assert.is(writerOf('run', 'k', Buffer.concat([value, value])), undefined);
  assert.is(writerOf('run', 'k', Buffer.alloc(0)), undefined);
});

run();
