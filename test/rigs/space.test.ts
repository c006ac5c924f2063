/**
 * Tables that merges have replaced give their disk space back while the server runs. A mapped table
 * keeps its space after the unlink until the map is released, which only the garbage collector of
 * the shard's thread does: `du` cannot see that space, statfs does.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Cluster, PartialConfig } from '../../src/main.js';
import { mappingAvailable } from '../../src/storage/mapped-file.js';
import { smallConfig, withCluster } from '../cluster/cluster-rig.js';
import { checkKeys, type Door, GrpcDoor, LoadWriter } from '../harness/load-client.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { enterMountNamespace, usedBytes, withSmallDisk } from '../harness/small-disk.js';
import { suite } from '../harness/suite.js';

enterMountNamespace(import.meta.url);

const { test, run } = suite('Disk space');
const MIB = 1024 * 1024;
const DISK_BYTES = 128 * MIB;
/** After each so many merges the space is measured: once, a chance collection might hide a leak. */
const MERGES = [8, 12, 16];
const WRITERS = 16;
const VALUE_BYTES_MAX = 24 * 1024;
/** Directories and blocks that are not full. */
const SLACK_BYTES = MIB;
const GIVEN_BACK_MS_MAX = 4000;

function config(dir: string): PartialConfig {
  const small = smallConfig(dir, 1);
  return { ...small, read: { mode: 'mmap' }, compaction: { fanIn: 2 } };
}

function makeWriters(): LoadWriter[] {
  return Array.from({ length: WRITERS }, (_, i) => {
    const keys = Array.from({ length: 20 }, (_, k) => `w${i}/${k}`);
    const random = new SeededRandom(i);
    const mix = { valueBytesMax: VALUE_BYTES_MAX, deletes: 0, reads: 0.3 };
    return new LoadWriter({ name: `w${i}`, random, keys, ...mix });
  });
}

/** Overwrites and reads the same keys until enough merges have run. */
async function churn(
  cluster: Cluster,
  doors: Door[],
  writers: LoadWriter[],
  merges: number,
): Promise<void> {
  const failures: string[] = [];
  const writing = writers.map((writer, i) =>
    writer.write(doors[i % doors.length] as Door, ({ error }) => {
      failures.push(error.message);
      return 'end';
    }),
  );
  await until(() => cluster.shardStats(0).mergesTotal >= merges || failures.length > 0);
  for (const writer of writers) writer.stop();
  await Promise.all(writing);
  assert.equal(failures, []);
}

/** Space taken by what the data dir shows. */
function namedBytes(dir: string): number {
  let sum = 0;
  for (const name of readdirSync(dir, { recursive: true })) {
    sum += statSync(join(dir, String(name)), { throwIfNoEntry: false })?.size ?? 0;
  }
  return sum;
}

async function spaceComesBack(cluster: Cluster, dir: string): Promise<void> {
  const startMs = performance.now();
  const hidden = (): number => usedBytes(dir) - namedBytes(dir);
  const most = hidden();
  await until(() => hidden() < SLACK_BYTES || performance.now() - startMs > GIVEN_BACK_MS_MAX);
  const backMs = Math.round(performance.now() - startMs);
  const { mergeReadBytesTotal, mappedTables, tableBytes, walLiveBytes } = cluster.shardStats(0);
  const figures = { mergeReadBytesTotal, mappedTables, tableBytes, walLiveBytes };
  console.log(JSON.stringify({ ...figures, used: usedBytes(dir), hidden: hidden(), most, backMs }));
  assert.ok(mappedTables > 0, 'tables are mapped');
  assert.ok(mergeReadBytesTotal > 8 * MIB, 'merges have replaced much');
  assert.ok(hidden() < SLACK_BYTES, `${hidden()} bytes stay taken by tables without a name`);
}

async function measure(dir: string): Promise<void> {
  await withCluster(config(join(dir, 'data')), async (cluster) => {
    const writers = makeWriters();
    const doors = [0, 1].map(() => new GrpcDoor(cluster.grpcAddress));
    for (const merges of MERGES) {
      await churn(cluster, doors, writers, merges);
      const wanted = writers.map((writer) => ({ writer, keys: writer.oracle.keys }));
      assert.equal(await checkKeys(doors, wanted), [], 'reads go on');
      await spaceComesBack(cluster, dir);
      assert.equal(await checkKeys(doors, wanted), [], 'what is left is what was written');
    }
    for (const door of doors) door.close();
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('of replaced tables comes back while the server runs and reads go on', async () => {
  if (!mappingAvailable()) {
    console.log('skipped: tables are not mapped here, the addon mmap-io is missing');
    return;
  }
  const reason = await withSmallDisk(DISK_BYTES, measure);
  if (reason !== undefined) console.log(`skipped: ${reason}`);
}, 90_000);

run();
