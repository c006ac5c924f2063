import * as assert from 'uvu/assert';
import type { ClusterStats } from '../../src/rpc/admin-operations.js';
import { imbalanceOf, ShardBalance } from '../../src/storm/shard-balance.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Balance of shards');

interface Figures {
  entries: number;
  refused?: number;
  delayedMs?: number;
  pressure?: number;
  epoch?: number;
}

/** What a server says of its shards, as far as the balance looks at it. */
function server(pid: number, ...shards: Figures[]): ClusterStats {
  const stats = {
    process: { pid },
    bounds: { diskTotalBytes: 1 },
    shards: shards.map(
      ({ entries, refused = 0, delayedMs = 0, pressure = 0, epoch = 1 }, shard) => ({
        shard,
        epoch,
        counters: {
          writeEntriesTotal: entries,
          writesRefusedTotal: refused,
          delayedMsTotal: delayedMs,
          pressureState: pressure,
        },
      }),
    ),
  };
  return stats as unknown as ClusterStats;
}

test('counts from the first look, and rates from the look before', () => {
  const balance = new ShardBalance();
  balance.look(0, [server(1, { entries: 1000 }, { entries: 0 })]);
  assert.equal(balance.rates, []);
  balance.look(1000, [server(1, { entries: 1300 }, { entries: 100 })]);
  balance.look(1500, [server(1, { entries: 1300 }, { entries: 100 })]);
  assert.equal(balance.rates, [0, 0]);
  balance.look(2000, [server(1, { entries: 1350 }, { entries: 110 })]);
  assert.equal(balance.rates, [100, 20]);
  const shares = balance.shares.map(({ name, entries }) => [name, entries]);
  assert.equal(shares, [
    ['0', 350],
    ['1', 110],
  ]);
  const sum = balance.shares.reduce((total, { share }) => total + share, 0);
  assert.ok(Math.abs(sum - 1) < 1e-9);
});

test('keeps the worst pressure, refusals, delays and restarts', () => {
  const balance = new ShardBalance();
  balance.look(0, [server(1, { entries: 0, refused: 5, delayedMs: 7 })]);
  balance.look(1000, [server(1, { entries: 5, refused: 6, delayedMs: 9, pressure: 3 })]);
  balance.look(2000, [server(1, { entries: 9, refused: 8, delayedMs: 17, epoch: 3 })]);
  const expected = { refused: 3, delayedMs: 10, pressure: 'refusing', restarts: 2 };
  assert.equal(balance.shares, [{ name: '0', entries: 9, share: 1, ...expected }]);
});

test('a server that began again counts from nothing, one that is away is passed over', () => {
  const balance = new ShardBalance();
  balance.look(0, [server(1, { entries: 500 })]);
  balance.look(1000, [undefined]);
  balance.look(2000, [server(2, { entries: 40 })]);
  assert.equal(balance.rates, [0]);
  assert.is(balance.shares[0]?.entries, 40);
});

test('two servers have names of their own, two addresses of one server have not', () => {
  const two = new ShardBalance();
  two.look(0, [server(1, { entries: 0 }), server(2, { entries: 0 }, { entries: 0 })]);
  assert.equal(
    two.shares.map(({ name }) => name),
    ['0/0', '1/0', '1/1'],
  );
  const one = new ShardBalance();
  one.look(0, [server(1, { entries: 0 }), server(1, { entries: 0 })]);
  assert.equal(
    one.shares.map(({ name, share }) => [name, share]),
    [['0', 0]],
  );
});

test('says how much more than the mean the busiest has', () => {
  assert.is(imbalanceOf([10, 10, 10]), 1);
  assert.is(imbalanceOf([30, 0, 0]), 3);
  assert.is(imbalanceOf([]), 1);
});

run();
