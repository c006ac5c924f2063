import * as assert from 'uvu/assert';
import { BlockBuilder } from '../../src/storage/block-builder.js';
import { checkSection, readU32, TRAILER_BYTES } from '../../src/storage/table-format.js';
import { bytesOf, textOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('BlockBuilder');

function add(builder: BlockBuilder, key: string, sequence: number, value = ''): boolean {
  const [k, v] = [bytesOf(key), bytesOf(value)];
  return builder.add(k, 0, k.length, sequence, 0, 0, v, 0, v.length);
}

function isNew(builder: BlockBuilder, key: string): boolean {
  return builder.isNewKey(bytesOf(key), 0, key.length);
}

test('tells new keys from further versions, also across blocks', () => {
  const builder = new BlockBuilder(64, 4);
  assert.ok(isNew(builder, ''));
  assert.ok(add(builder, 'a', 9));
  assert.not(isNew(builder, 'a'));
  assert.ok(isNew(builder, 'ab'));
  builder.finishBlock(0);
  assert.not(add(builder, 'a', 8));
  assert.ok(add(builder, 'ab', 99));
  assert.is(textOf(builder.lastKey, 0, builder.lastKeyLength), 'ab');
  assert.is(builder.lastSequence, 99);
});

test('checks the order across blocks too', () => {
  const builder = new BlockBuilder(64, 4);
  add(builder, 'b', 9);
  builder.finishBlock(0);
  assert.throws(() => add(builder, 'a', 8), /ascend/);
  assert.throws(() => add(builder, 'b', 9), /descend/);
});

test('seals each block with the offset it will have in the file', () => {
  const builder = new BlockBuilder(16, 2);
  add(builder, 'a', 1, 'x'.repeat(100));
  builder.finishBlock(5000);
  const first = builder.length;
  for (const key of ['b', 'c', 'd', 'e', 'f']) add(builder, key, 1);
  builder.finishBlock(5000);
  checkSection(builder.bytes, 0, first, 'f', 5000);
  checkSection(builder.bytes, first, builder.length - first, 'f', 5000 + first);
  assert.is(readU32(builder.bytes, builder.length - TRAILER_BYTES - 4), 3);
  builder.drain();
  assert.is(builder.length, 0);
  assert.is(builder.blockBytes, 0);
});

test('refuses an empty block, draining half of one, and an impossible interval', () => {
  const builder = new BlockBuilder(16, 2);
  assert.throws(() => builder.finishBlock(0), /at least one entry/);
  add(builder, 'a', 1);
  assert.throws(() => builder.drain(), /finished/);
  assert.throws(() => new BlockBuilder(16, 0), /restartInterval/);
});

run();
