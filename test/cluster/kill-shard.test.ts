import * as assert from 'uvu/assert';
import type { Cluster } from '../../src/main.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { get, put, readiness, shardOf, smallConfig, until, withCluster } from './cluster-rig.js';

const { test, run } = suite('Cluster under load');
const KILLS = 5;
const VICTIM = 0;

/** Writes fresh keys of one shard, one after the other, until told to stop. */
class Writer {
  readonly acknowledged = new Map<string, string>();
  readonly failures: number[] = [];
  readonly #cluster: Cluster;
  readonly #shard: number;
  readonly #name: string;
  #isStopped = false;

  constructor(cluster: Cluster, shard: number, name: string) {
    this.#cluster = cluster;
    this.#shard = shard;
    this.#name = name;
  }

  async write(): Promise<void> {
    for (let i = 0; !this.#isStopped; i++) {
      const key = `${this.#name}-${i}`;
      if (shardOf(key, 2) !== this.#shard) continue;
      const value = `${key} `.repeat(50);
      const status = await put(this.#cluster, key, value);
      if (status === 200) this.acknowledged.set(key, value);
      else this.failures.push(status);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }
}

/** Runs `body` while two writers per shard write; returns the writers. */
async function underLoad(cluster: Cluster, body: () => Promise<void>): Promise<Writer[]> {
  const writers = [0, 1, 0, 1].map((shard, i) => new Writer(cluster, shard, `w${i}`));
  const writing = writers.map((writer) => writer.write());
  await body();
  for (const writer of writers) writer.stop();
  await Promise.all(writing);
  return writers;
}

async function countLost(cluster: Cluster, writers: Writer[]): Promise<number> {
  let lost = 0;
  for (const { acknowledged } of writers) {
    for (const [key, value] of acknowledged) if ((await get(cluster, key)) !== value) lost++;
  }
  return lost;
}

test('a killed shard comes back with all it acknowledged; the others never fail', () =>
  withTempDir((dir) =>
    withCluster(smallConfig(dir), async (cluster) => {
      const writers = await underLoad(cluster, async () => {
        for (let kill = 1; kill <= KILLS; kill++) {
          const written = cluster.shardStats(VICTIM).writesTotal;
          await until(() => cluster.shardStats(VICTIM).writesTotal > written + 5);
          await cluster.killShard(VICTIM);
          const { phase, epoch } = cluster.shardState(VICTIM);
          assert.is.not(phase, 'refused');
          assert.ok(epoch >= kill);
          await until(() => cluster.shardState(VICTIM).phase === 'serving');
          assert.is(cluster.shardState(VICTIM).epoch, kill + 1);
        }
      });
      const others = writers.filter((_, i) => i % 2 !== VICTIM);
      assert.ok(others.every(({ acknowledged }) => acknowledged.size > 0));
      assert.equal(
        others.flatMap(({ failures }) => failures),
        [],
      );
      const failures = writers.flatMap((writer) => writer.failures);
      assert.ok(
        failures.every((status) => status === 503),
        `only 503: ${failures}`,
      );
      assert.is(await countLost(cluster, writers), 0);
      assert.is((await readiness(cluster)).status, 200);
      assert.is(cluster.shardState(1).epoch, 1);
    }),
  ));

test('killed compactors cost nothing but time', () =>
  withTempDir((dir) =>
    withCluster(smallConfig(dir), async (cluster) => {
      const writers = await underLoad(cluster, async () => {
        for (const lane of ['quick', 'merge', 'quick'] as const) {
          const flushed = cluster.shardStats(0).flushesTotal;
          await cluster.killCompactor(lane);
          await until(() => cluster.shardStats(0).flushesTotal > flushed);
        }
      });
      assert.equal(
        writers.flatMap(({ failures }) => failures),
        [],
      );
      assert.is(await countLost(cluster, writers), 0);
    }),
  ));

run();
