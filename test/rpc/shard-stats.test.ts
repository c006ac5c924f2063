import * as assert from 'uvu/assert';
import { ShardStats, STAT_NAMES } from '../../src/rpc/shard-stats.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('ShardStats');

test('begins at zero and counts each name on its own', () => {
  const stats = new ShardStats(ShardStats.allocate());
  for (const name of STAT_NAMES) assert.is(stats.get(name), 0);
  for (const [i, name] of STAT_NAMES.entries()) {
    stats.set(name, i * 10);
    stats.add(name, 1);
  }
  const expected = Object.fromEntries(STAT_NAMES.map((name, i) => [name, i * 10 + 1]));
  assert.equal(stats.all(), expected);
});

test('is seen by every other reader of its memory', () => {
  const memory = ShardStats.allocate();
  const [writer, reader] = [new ShardStats(memory), new ShardStats(memory)];
  writer.add('walBytesTotal', 2 ** 40);
  writer.add('walBytesTotal', 1);
  assert.is(reader.get('walBytesTotal'), 2 ** 40 + 1);
});

test('goes on where an earlier life of the shard left off', () => {
  const memory = ShardStats.allocate();
  new ShardStats(memory).add('writesTotal', 5);
  const next = new ShardStats(memory);
  next.add('writesTotal', 1);
  assert.is(next.get('writesTotal'), 6);
});

run();
