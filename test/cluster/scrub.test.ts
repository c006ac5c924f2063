/** The scrub finds a flipped byte of a live table; its range is refused, the rest serves. */
import { closeSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { KvClient } from '../../src/cli/kv-client.js';
import type { Cluster } from '../../src/main.js';
import type { TaskStatus } from '../../src/rpc/admin-tasks.js';
import { readManifest } from '../../src/storage/manifest-log.js';
import { tablesOf } from '../../src/storage/manifest-state.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { readRoot } from '../../src/storage/root-manifest.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { takeBackup } from './backup-rig.js';
import { smallConfig, until, withCluster } from './cluster-rig.js';

const { test, run } = suite('Scrub');
const KEYS = 3000;
const keyOf = (i: number) => `key-${String(i).padStart(6, '0')}`;
const answerOf = (i: number) => `${i} ${'answer '.repeat(30 + (i % 7))}`;
const configOf = (dir: string) => ({
  ...smallConfig(dir, 1),
  scrub: { bytesPerSecond: 0 },
  // The table that is damaged must not be merged away meanwhile.
  compaction: { fanIn: 16, garbagePercentBusy: 1000, garbagePercentQuiet: 1000 },
  pressure: { runsSoft: 100, runsHard: 200 },
  table: { bytesMax: 128 * 1024, compression: 'none' as const },
});

async function fill(cluster: Cluster): Promise<void> {
  const client = new KvClient(cluster.grpcAddress, 10_000, Date.now);
  for (let i = 0; i < KEYS; i += 200) {
    const entries = Array.from({ length: 200 }, (_, j) => ({
      key: keyOf(i + j),
      value: Buffer.from(answerOf(i + j)),
    }));
    assert.equal((await client.batchSet(entries)).errors, []);
  }
  // Overwritten by itself, so that the log forces it into tables.
  while (cluster.shardStats(0).tables < 4) {
    await client.set(keyOf(0), Buffer.from(answerOf(0).padEnd(30_000)));
  }
  await client.set(keyOf(0), Buffer.from(answerOf(0)));
  client.close();
  await until(() => cluster.shardStats(0).frozenMemTables === 0);
}

async function scrub(cluster: Cluster): Promise<TaskStatus> {
  const client = new KvClient(cluster.grpcAddress, 10_000, Date.now);
  let status = await client.startScrub();
  await until(async () => {
    status = await client.task(status.id);
    return status.state !== 'running';
  });
  client.close();
  return status;
}

const damageOf = ({ report }: TaskStatus) => (JSON.parse(report) as { damage: string[] }).damage;

/** Flips a byte in the middle of a table; returns its range of keys. */
function flipTable(dataDir: string): { min: string; max: string } {
  const shardDir = `${dataDir}/shard-000`;
  const storeUuid = readRoot(nodeFileSystem, dataDir)?.storeUuid ?? '';
  const found = readManifest(nodeFileSystem, shardDir, { shard: 0, storeUuid });
  const tables = found === undefined ? [] : tablesOf(found.state);
  const table = tables[Math.floor(tables.length / 2)];
  assert.ok(table !== undefined && tables.length > 2, 'there are tables');
  const name = `table-${String(table?.number).padStart(6, '0')}.sst`;
  assert.ok(readdirSync(shardDir).includes(name));
  const fd = openSync(`${shardDir}/${name}`, 'r+');
  const byte = Buffer.alloc(1);
  const at = Math.floor((table?.sizeBytes ?? 0) / 2);
  readSync(fd, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
  return {
    min: String(Buffer.from(table?.minKey ?? [])),
    max: String(Buffer.from(table?.maxKey ?? [])),
  };
}

/** Every key is right outside of the range and an error within; nothing else. */
async function checkReads(cluster: Cluster, range: { min: string; max: string }): Promise<number> {
  const client = new KvClient(cluster.grpcAddress, 10_000, Date.now);
  let refused = 0;
  for (let i = 0; i < KEYS; i += 37) {
    const key = keyOf(i);
    const isWithin = key >= range.min && key <= range.max;
    try {
      assert.is(String(await client.get(key)), answerOf(i));
    } catch (error) {
      assert.ok(error instanceof StormError && error.code === 'DATA_CORRUPTION', String(error));
      assert.ok(isWithin, `${key} is not damaged`);
      refused++;
    }
  }
  const below = client.scan({ to: Buffer.from(range.min) });
  let seen = 0;
  for await (const { entries } of below) seen += entries.length;
  assert.is(seen, Number(range.min.slice(4)), 'a scan that ends before the range is whole');
  const above = client.scan({ from: Buffer.from(`${range.max}!`) });
  seen = 0;
  for await (const { entries } of above) seen += entries.length;
  assert.is(seen, KEYS - 1 - Number(range.max.slice(4)));
  for (const reverse of [false, true]) {
    try {
      for await (const _ of client.scan({ reverse })) {
        // Counts for nothing.
      }
      assert.unreachable('a scan over the range must fail');
    } catch (error) {
      assert.ok(error instanceof StormError && error.code === 'DATA_CORRUPTION', String(error));
    }
  }
  client.close();
  return refused;
}

test('a flipped byte is found in one pass; its range is refused, also after a restart', () =>
  withTempDir(async (base) => {
    const config = configOf(`${base}/data`);
    let range = { min: '', max: '' };
    await withCluster(config, async (cluster) => {
      await fill(cluster);
      const clean = await scrub(cluster);
      assert.equal([clean.state, damageOf(clean)], ['done', []], clean.message);
      const { tableBytes } = cluster.shardStats(0);
      await until(() => cluster.shardStats(0).scrubBytesTotal >= tableBytes);
      range = flipTable(`${base}/data`);
      const damaged = await scrub(cluster);
      assert.is(damaged.state, 'done', damaged.message);
      assert.is(damageOf(damaged).length, 1);
      assert.ok((await checkReads(cluster, range)) > 0);
      const backup = await takeBackup(cluster.grpcAddress, `${base}/backup`);
      assert.is(backup.code, 'DATA_CORRUPTION', 'half a store is not backed up');
      await cluster.killShard(0);
      await until(() => cluster.shardState(0).phase === 'serving');
      assert.ok((await checkReads(cluster, range)) > 0);
    });
    await withCluster(config, async (cluster) => {
      assert.equal(cluster.refusedShards, []);
      assert.ok((await checkReads(cluster, range)) > 0);
      await until(() => cluster.shardStats(0).damagedTables === 1);
      assert.equal(damageOf(await scrub(cluster)), [], 'what is out of service is known already');
    });
  }));

run();
