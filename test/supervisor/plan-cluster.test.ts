import * as assert from 'uvu/assert';
import { configWith } from '../../src/config/load-config.js';
import { planCluster } from '../../src/supervisor/plan-cluster.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('planCluster');

test('has an arena for every shard and never fewer than two threads for flushes and WAL files', () => {
  for (const threads of [1, 2, 5]) {
    for (const shardCount of [1, 2, 8]) {
      const plan = planCluster(configWith({ compaction: { threads } }), '/data', shardCount);
      assert.is(plan.shardCount, shardCount);
      assert.ok(plan.arenaCount >= 2 * shardCount);
      assert.is(plan.compaction.mergeThreads, threads);
      assert.is(plan.compaction.quickThreads, 2);
    }
  }
});

test('hands the options on to shards and router', () => {
  const config = configWith({
    limits: {
      keyBytesMax: 99,
      valueBytesMax: 1234,
      deadlineMsDefault: 77,
      drainMsMax: 88,
      batchEntriesMax: 55,
    },
    wal: { sync: 'interval', syncIntervalMs: 9 },
    table: { bytesMax: 1_000_000 },
    read: { mode: 'pread' },
  });
  const { router, engine, supervision } = planCluster(config, '/data', 2);
  assert.is(router.keyBytesMax, 99);
  assert.is(router.valueBytesMax, 1234);
  assert.is(router.deadlineMsDefault, 77);
  assert.is(router.batchEntriesMax, 55);
  assert.is(engine.keyBytesMax, 99);
  assert.is(engine.walSync, 'interval');
  assert.is(engine.walSyncIntervalMs, 9);
  assert.is(engine.table.tableBytesMax, 1_000_000);
  assert.is(engine.readMode, 'pread');
  assert.is(supervision.drainMsMax, 88);
});

test('plans doors for each router thread', () => {
  const config = configWith({ router: { threads: 2 } });
  assert.is(planCluster(config, '/data', 2, false).doors.length, 2);
});

run();
