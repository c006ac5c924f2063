import * as assert from 'uvu/assert';
import { connect } from '../../src/client/client.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { get, smallConfig, until, withCluster } from './cluster-rig.js';

const { test, run } = suite('Several routers');

test('each has a port of its own, all reach all shards, and a shard comes back to all', () =>
  withTempDir(async (dir) => {
    const config = { ...smallConfig(dir), router: { threads: 3 }, memory: { bytesMax: 2 ** 28 } };
    await withCluster(config, async (cluster) => {
      assert.is(new Set(cluster.grpcAddresses).size, 3);
      const clients = cluster.grpcAddresses.map((address) =>
        connect({ endpoints: [address], connections: 1, deadlineMs: 25_000 }),
      );
      const writeAll = async (round: string): Promise<void> => {
        await Promise.all(
          clients.flatMap((kv, router) =>
            Array.from({ length: 50 }, (_, i) => kv.set(`${round}/${router}/${i}`, `${i}`)),
          ),
        );
      };
      await writeAll('before');
      await cluster.killShard(0);
      await until(() => cluster.shardState(0).phase === 'serving');
      await writeAll('after');
      for (const [reader, kv] of clients.entries()) {
        for (const round of ['before', 'after']) {
          const writer = (reader + 1) % clients.length;
          assert.is(String(await kv.get(`${round}/${writer}/7`)), '7');
        }
      }
      assert.is(await get(cluster, 'after/2/49'), '49', 'the HTTP door is the first router’s');
      await Promise.all(clients.map((kv) => kv.close()));
    });
  }));

run();
