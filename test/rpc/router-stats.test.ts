import * as assert from 'uvu/assert';
import { ROUTER_STAT_NAMES, RouterStats } from '../../src/rpc/router-stats.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('RouterStats');

test('begins at zero, keeps each name apart, and is seen by every reader of its memory', () => {
  const memory = RouterStats.allocate();
  const [writer, reader] = [new RouterStats(memory), new RouterStats(memory)];
  for (const name of ROUTER_STAT_NAMES) assert.is(reader.get(name), 0);
  for (const [i, name] of ROUTER_STAT_NAMES.entries()) writer.set(name, i + 1);
  assert.equal(
    ROUTER_STAT_NAMES.map((name) => reader.get(name)),
    ROUTER_STAT_NAMES.map((_, i) => i + 1),
  );
});

run();
