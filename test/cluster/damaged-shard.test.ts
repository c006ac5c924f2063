import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { ShardReport } from '../../src/main.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { get, put, readiness, SILENT, shardOf, smallConfig, withCluster } from './cluster-rig.js';

const { test, run } = suite('Cluster with a damaged shard');

const keysOf = (shard: number) =>
  Array.from({ length: 200 }, (_, i) => `k${i}`).filter((key) => shardOf(key, 2) === shard);

async function fill(dir: string): Promise<void> {
  await withCluster(smallConfig(dir), async (cluster) => {
    for (const key of [...keysOf(0), ...keysOf(1)]) {
      assert.is(await put(cluster, key, `value of ${key}`), 200);
    }
  });
}

/** Flips one byte in the middle of what a WAL segment holds. */
function damageWal(shardDir: string): void {
  const marker = Buffer.from('value of');
  for (const name of readdirSync(shardDir)) {
    if (!name.endsWith('.seg')) continue;
    const path = join(shardDir, name);
    const bytes = readFileSync(path);
    const at = bytes.indexOf(marker);
    if (at < 0) continue;
    bytes[at] = (bytes[at] ?? 0) ^ 0x40;
    writeFileSync(path, bytes);
    return;
  }
  throw new Error(`No segment in ${shardDir} holds a value`);
}

function damageCurrent(shardDir: string): void {
  writeFileSync(join(shardDir, 'CURRENT'), 'garbage');
}

for (const damage of [damageWal, damageCurrent]) {
  test(`serves the other shards and says why one does not (${damage.name})`, () =>
    withTempDir(async (dir) => {
      await fill(dir);
      damage(join(dir, 'shard-001'));
      const reports: ShardReport[] = [];
      const onShardChange = (report: ShardReport) => reports.push(report);
      await withCluster(
        smallConfig(dir),
        async (cluster) => {
          for (const key of keysOf(0)) assert.is(await get(cluster, key), `value of ${key}`);
          const [key] = keysOf(1);
          assert.ok(key !== undefined);
          assert.is.not(await get(cluster, key), 404, 'never "not found"');
          assert.is.not(await put(cluster, key, 'new'), 200);
          const { status, text } = await readiness(cluster);
          assert.is(status, 503);
          assert.match(text, /"shard":1,"state":"refused","reason":"DATA_CORRUPTION: /);
          assert.match(text, /shard-001/);
          assert.is(cluster.refusedShards.length, 1);
          assert.is(cluster.refusedShards[0]?.shard, 1);
          const lives = reports.filter(({ shard, phase }) => shard === 1 && phase === 'recovering');
          assert.is(lives.length, 1, 'damage does not heal: no restart');
        },
        { ...SILENT, onShardChange },
      );
    }));
}

run();
