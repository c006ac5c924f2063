/**
 * Backups of a running server. `BACKUP_ROUNDS` and `BACKUP_KILLS` are how many backups are taken
 * under the storm, and how many servers are killed in the middle of one.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Cluster } from '../../src/main.js';
import { listBackups } from '../../src/storage/backup-inventory.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { ServerProcess } from '../harness/server-process.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import {
  damageIn,
  KnownStorm,
  restored,
  SHARDS,
  servedContent,
  storedContent,
  takeBackup,
} from './backup-rig.js';
import { get, put, smallConfig, until, withCluster } from './cluster-rig.js';

const { test, run } = suite('Backup');
const ROUNDS = Number(process.env['BACKUP_ROUNDS'] ?? 2);
const KILLS = Number(process.env['BACKUP_KILLS'] ?? 1);
const DEADLINE_MS = 60_000 + 30_000 * (ROUNDS + KILLS);

const percentile = (values: number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)] ?? 0;
};

test(
  'under a storm, each backup restores to exactly what its shards had at its sequence numbers',
  () =>
    withTempDir(async (base) => {
      const dir = `${base}/backups`;
      const storm = new KnownStorm('k');
      const ids: number[] = [];
      await withCluster(smallConfig(`${base}/data`, SHARDS), async (cluster) => {
        storm.start(cluster.grpcAddress);
        for (let round = 1; round <= ROUNDS; round++) {
          const before = storm.count;
          const isLast = round === ROUNDS;
          await until(() => {
            const isEnough = storm.count > before + 1500;
            return isEnough && (!isLast || cluster.shardStats(0).tables > 0);
          });
          const status = await takeBackup(cluster.grpcAddress, dir, round % 3 === 0);
          assert.is(status.state, 'done', status.message);
          ids.push((JSON.parse(status.report) as { id: number }).id);
        }
        await storm.stop();
      });
      assert.equal(listBackups(nodeFileSystem, dir), ids);
      let tables = 0;
      let keys = 0;
      for (const id of ids) {
        assert.equal(damageIn(dir, id), []);
        const dataDir = `${base}/restored-${id}`;
        const { shards } = restored(dir, id, dataDir);
        tables += shards.reduce((sum, { state }) => sum + state.runs.length, 0);
        const sequences = shards.map(({ sequence }) => sequence);
        assert.equal(storm.differences(storedContent(dataDir), sequences), []);
        keys += await withCluster(smallConfig(dataDir, SHARDS), async (cluster) => {
          assert.equal(cluster.refusedShards, []);
          const content = await servedContent(cluster.grpcAddress);
          assert.equal(storm.differences(content, sequences), []);
          assert.is(await put(cluster, 'fresh', 'x'), 200);
          assert.is(await get(cluster, 'fresh'), 'x');
          return content.size;
        });
        rmSync(dataDir, { recursive: true });
      }
      assert.ok(tables > 0, 'tables are in a backup');
      console.log(`RIG backup ${JSON.stringify({ backups: ids.length, keys, tables })}`);
    }),
  DEADLINE_MS,
);

function tableInodes(dir: string): Map<string, number> {
  const names = readdirSync(dir).filter((name) => name.endsWith('.sst'));
  return new Map(names.map((name) => [name, statSync(join(dir, name)).ino]));
}

/** Nothing where this machine has no folder in memory, or one file system for all. */
async function onOtherFileSystem(
  base: string,
  body: (other: string) => Promise<void>,
): Promise<void> {
  const dir = '/dev/shm';
  if (!existsSync(dir) || statSync(dir).dev === statSync(base).dev) return;
  const other = mkdtempSync(join(dir, 'stormkv-test-'));
  try {
    await body(other);
  } finally {
    rmSync(other, { recursive: true });
  }
}

/** Links are asked for and refused by the system, so tables are copied: once. */
async function copiedBackup(
  { grpcAddress }: Cluster,
  storm: KnownStorm,
  base: string,
  other: string,
): Promise<void> {
  const first = await takeBackup(grpcAddress, other);
  assert.is(first.state, 'done', first.message);
  const { id, bytes, newBytes } = JSON.parse(first.report) as Record<string, number>;
  assert.is(newBytes, bytes, 'all of it is written');
  const before = tableInodes(join(other, 'shard-000'));
  assert.ok(before.size > 0);
  const second = await takeBackup(grpcAddress, other);
  assert.is(second.state, 'done', second.message);
  const after = tableInodes(join(other, 'shard-000'));
  for (const [name, inode] of before) assert.is(after.get(name), inode, `${name} again`);
  assert.equal(damageIn(other, id ?? 0), []);
  const { shards } = restored(other, id ?? 0, `${base}/restored`);
  const sequences = shards.map(({ sequence }) => sequence);
  assert.equal(storm.differences(storedContent(`${base}/restored`), sequences), []);
}

test('a second backup writes only what is new, and tables of both are links to one file', () =>
  withTempDir(async (base) => {
    const dir = `${base}/backups`;
    const storm = new KnownStorm('k');
    await withCluster(smallConfig(`${base}/data`, SHARDS), async (cluster) => {
      storm.start(cluster.grpcAddress);
      await until(() => cluster.shardStats(0).tables > 0);
      await storm.stop();
      const first = await takeBackup(cluster.grpcAddress, dir);
      assert.is(first.state, 'done', first.message);
      const { bytes, newBytes } = JSON.parse(first.report) as Record<string, number>;
      assert.ok(Number(newBytes) < Number(bytes), 'tables are links');
      const before = tableInodes(join(dir, 'shard-000'));
      assert.ok(before.size > 0);
      const second = await takeBackup(cluster.grpcAddress, dir);
      assert.is(second.state, 'done', second.message);
      const after = tableInodes(join(dir, 'shard-000'));
      for (const [name, inode] of before)
        assert.is(after.get(name), inode, `${name} is not copied`);
      await onOtherFileSystem(base, (other) => copiedBackup(cluster, storm, base, other));
    });
    rmSync(`${base}/data`, { recursive: true });
    assert.equal(damageIn(dir, 1), [], 'the backup does not need the data dir');
  }));

test('what cannot be backed up is refused, and says why', () =>
  withTempDir(async (base) => {
    await withCluster(smallConfig(`${base}/data`, SHARDS), async (cluster) => {
      const inside = await takeBackup(cluster.grpcAddress, `${base}/data/backup`);
      assert.is(inside.code, 'INVALID_ARGUMENT');
      writeFileSync(`${base}/file`, '');
      const onFile = await takeBackup(cluster.grpcAddress, `${base}/file`);
      assert.is(onFile.state, 'failed');
      await takeBackup(cluster.grpcAddress, `${base}/backups`);
    });
    await withCluster(smallConfig(`${base}/other`, SHARDS), async (cluster) => {
      const foreign = await takeBackup(cluster.grpcAddress, `${base}/backups`);
      assert.is(foreign.code, 'FAILED_PRECONDITION');
      assert.match(foreign.message, 'choose another folder');
      assert.equal(listBackups(nodeFileSystem, `${base}/backups`), [1]);
    });
  }));

test(
  'a shard that dies in the middle of a backup is taken anew, and nothing is missing',
  () =>
    withTempDir(async (base) => {
      const dir = `${base}/backups`;
      await withCluster(smallConfig(`${base}/data`, SHARDS), async (cluster) => {
        for (let i = 0; i < 60; i++) assert.is(await put(cluster, `k${i}`, 'v'.repeat(500)), 200);
        const taking = takeBackup(cluster.grpcAddress, dir, true);
        await cluster.killShard(1);
        const status = await taking;
        assert.is(status.state, 'done', status.message);
      });
      assert.equal(damageIn(dir, 1), []);
    }),
  DEADLINE_MS,
);

test(
  'a server killed in the middle of a backup leaves the last good one, and the next one sweeps',
  () =>
    withTempDir(async (base) => {
      const dir = `${base}/backups`;
      const config = smallConfig(`${base}/data`, SHARDS);
      const storm = new KnownStorm('k');
      const random = new SeededRandom(KILLS);
      let good = 0;
      for (let kill = 0; kill <= KILLS; kill++) {
        const server = ServerProcess.spawn(config, `${base}/config.json`);
        const { grpcAddress } = await server.ready;
        storm.start(grpcAddress);
        const before = storm.count;
        await until(() => storm.count > before + 300);
        const whole = await takeBackup(grpcAddress, dir, true);
        assert.is(whole.state, 'done', whole.message);
        good = (JSON.parse(whole.report) as { id: number }).id;
        if (kill === KILLS) await storm.stop().then(() => server.stop());
        else {
          const taking = takeBackup(grpcAddress, dir, true).catch(() => undefined);
          await new Promise((soon) => setTimeout(soon, random.nextInt(60)));
          await server.kill();
          await Promise.all([taking, storm.stop()]);
        }
        const last = listBackups(nodeFileSystem, dir).at(-1) ?? 0;
        assert.ok(last >= good, 'the good one is there');
        for (const id of new Set([good, last])) assert.equal(damageIn(dir, id), []);
      }
      const leftovers = readdirSync(join(dir, 'shard-000')).filter((n) => n.endsWith('.tmp'));
      assert.equal(leftovers, [], 'the last backup swept what the killed ones left');
      assert.ok(existsSync(join(dir, `backup-${String(good).padStart(6, '0')}.json`)));
    }),
  DEADLINE_MS,
);

if (process.env['BACKUP_LATENCY_MS'] !== undefined) {
  const spanMs = Number(process.env['BACKUP_LATENCY_MS']);
  test(
    'the p99 of writes during backups is at most twice of that without',
    () =>
      withTempDir(async (base) => {
        await withCluster(smallConfig(`${base}/data`, SHARDS), async (cluster) => {
          const p99s: Record<'with' | 'without', number[]> = { with: [], without: [] };
          const storm = new KnownStorm('k');
          storm.start(cluster.grpcAddress);
          await until(() => storm.count > 10_000);
          for (let i = 0; i < 6; i++) {
            const kind = i % 2 === 0 ? 'without' : 'with';
            storm.latenciesMs.length = 0;
            const end = performance.now() + spanMs;
            while (performance.now() < end) {
              if (kind === 'with') await takeBackup(cluster.grpcAddress, `${base}/b${i}`, true);
              else await new Promise((soon) => setTimeout(soon, 100));
            }
            p99s[kind].push(percentile(storm.latenciesMs, 0.99));
          }
          await storm.stop();
          console.log('p99 ms', JSON.stringify(p99s));
        });
      }),
    DEADLINE_MS + 10 * spanMs,
  );
}

run();
