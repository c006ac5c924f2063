import * as assert from 'uvu/assert';
import { systemClock } from '../../src/base/system-clock.js';
import { KvClient } from '../../src/cli/kv-client.js';
import type { ClusterStats } from '../../src/rpc/admin-operations.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { put, smallConfig, until, withCluster } from './cluster-rig.js';

const { test, run } = suite('Statistics of a cluster');

test('tell through both doors what every shard and router does, and what became of a dead one', () =>
  withTempDir(async (dir) => {
    await withCluster(smallConfig(dir), async (cluster) => {
      const client = new KvClient(cluster.grpcAddress, 25_000, systemClock.wallMs);
      const overHttp = async (): Promise<ClusterStats> =>
        (await (await fetch(`http://${cluster.httpAddress}/stats`)).json()) as ClusterStats;
      for (let i = 0; i < 20; i++) assert.is(await put(cluster, `k${i}`, 'v'), 200);
      await cluster.killShard(1);
      await until(() => cluster.shardState(1).phase === 'serving');
      const [stats, same] = [await client.stats(), await overHttp()];
      client.close();
      assert.is(stats.process.pid, process.pid);
      assert.ok(stats.process.rssBytes > 1e6 && stats.process.uptimeMs > 0);
      assert.ok(stats.bounds.diskFreeBytes > 0 && stats.bounds.memTableBytesMax > 0);
      assert.equal(
        stats.routers.map(({ router, draining }) => [router, draining]),
        [[0, false]],
      );
      const [alive, revived] = stats.shards;
      assert.equal([alive?.state, alive?.epoch, alive?.recoveries], ['serving', 1, 1]);
      assert.equal([revived?.state, revived?.epoch, revived?.recoveries], ['serving', 2, 2]);
      assert.ok((revived?.recoveredRecords ?? 0) > 0);
      const written = stats.shards.reduce((sum, one) => sum + one.counters.writeEntriesTotal, 0);
      assert.is(written, 20, 'a restart of a shard does not lose what was counted');
      assert.equal(
        same.shards.map(({ shard, state, epoch }) => [shard, state, epoch]),
        stats.shards.map(({ shard, state, epoch }) => [shard, state, epoch]),
      );
      assert.equal(
        Object.keys(same.shards[0]?.counters ?? {}).toSorted(),
        Object.keys(alive?.counters ?? {}).toSorted(),
      );
    });
  }));

run();
