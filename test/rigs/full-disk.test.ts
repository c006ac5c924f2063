/**
 * A disk that is full for real: another program takes all space that is left, and gives it back
 * after a while. Writes are refused with the reason, reads go on, and the shards resume by
 * themselves; nothing acknowledged is lost on the way.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Cluster, startCluster } from '../../src/main.js';
import { put, SILENT, smallConfig, until, withCluster } from '../cluster/cluster-rig.js';
import {
  checkKeys,
  type Door,
  type Failure,
  GrpcDoor,
  HttpDoor,
  LoadWriter,
} from '../harness/load-client.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { enterMountNamespace, fillDisk, usedBytes, withSmallDisk } from '../harness/small-disk.js';
import { suite } from '../harness/suite.js';

enterMountNamespace(import.meta.url);

const { test, run } = suite('Full disk');
const DISK_BYTES = 48 * 1024 * 1024;
const BALLAST = 'ballast';
const WRITERS = 12;
const REFUSALS = 100;
/** Retries of background work are at most 8 s apart. */
const RESUME_MS_MAX = 30_000;

class FullDiskLoad {
  readonly failures: Failure[] = [];
  readonly #writers: LoadWriter[];
  #doors: Door[] = [];
  #writing: Promise<void>[] = [];

  constructor() {
    this.#writers = Array.from({ length: WRITERS }, (_, i) => {
      const keys = Array.from({ length: 100 }, (_, k) => `w${i}/${k}`);
      const random = new SeededRandom(i);
      const mix = { valueBytesMax: 4000, deletes: 0.05, reads: 0.1 };
      return new LoadWriter({ name: `w${i}`, random, keys, ...mix });
    });
  }

  get acknowledged(): number {
    return this.#writers.reduce((sum, { oracle }) => sum + oracle.acknowledged, 0);
  }

  start(cluster: Cluster): void {
    this.connect(cluster);
    this.#writing = this.#writers.map((writer, i) =>
      writer.write(this.#doors[i % this.#doors.length] as Door, (failure) => {
        this.failures.push(failure);
        return 'pause';
      }),
    );
  }

  connect({ grpcAddress, httpAddress }: Cluster): void {
    this.#doors = [new GrpcDoor(grpcAddress), new HttpDoor(httpAddress)];
  }

  async stop(): Promise<void> {
    for (const writer of this.#writers) writer.stop();
    await Promise.all(this.#writing);
  }

  /** Reads every key and compares; also judges what the writers read in between. */
  async check(): Promise<void> {
    const wanted = this.#writers.map((writer) => ({ writer, keys: writer.oracle.keys }));
    const findings = await checkKeys(this.#doors, wanted);
    for (const writer of this.#writers) findings.push(...writer.findings.splice(0));
    assert.equal(findings.slice(0, 10), []);
  }

  disconnect(): void {
    for (const door of this.#doors) door.close();
  }
}

/** Fills the disk after so many more writes, and frees it again. */
async function fillAndFree(
  dir: string,
  cluster: Cluster,
  load: FullDiskLoad,
  writes: number,
): Promise<void> {
  const before = load.acknowledged;
  load.failures.length = 0;
  load.start(cluster);
  await until(() => load.acknowledged > before + writes);
  fillDisk(dir, BALLAST);
  await until(() => load.failures.length > REFUSALS);
  // What a job could not write to its end is removed again, and tried again later.
  assert.ok(usedBytes(dir) > DISK_BYTES * 0.75, 'the disk is full, or was a moment ago');
  await load.stop();
  for (const { isWrite, error } of load.failures) {
    const text = `${error.code} ${error.outcome}: ${error.message}`;
    assert.ok(isWrite, `a read failed: ${text}`);
    assert.is(error.outcome, 'not-applied', text);
    assert.is(error.code, 'RESOURCE_EXHAUSTED', text);
    assert.match(error.message, /ENOSPC|no space left/, text);
  }
  await load.check();
  for (let shard = 0; shard < cluster.shardCount; shard++) {
    assert.is(cluster.shardState(shard).epoch, 1, 'no shard has died of it');
  }
  const acknowledged = load.acknowledged;
  const refused = load.failures.length;
  load.disconnect();
  rmSync(join(dir, BALLAST));
  const startMs = performance.now();
  load.start(cluster);
  await until(() => load.acknowledged > acknowledged + 500 || late(startMs));
  assert.ok(load.acknowledged > acknowledged + 500, 'it resumes by itself');
  const resumedMs = Math.round(performance.now() - startMs);
  await load.stop();
  await load.check();
  load.disconnect();
  console.log(JSON.stringify({ acknowledged: load.acknowledged, refused, resumedMs, lost: 0 }));
}

function late(startMs: number): boolean {
  return performance.now() - startMs > RESUME_MS_MAX;
}

async function startOnFullDisk(dir: string, dataDir: string, load: FullDiskLoad): Promise<void> {
  fillDisk(dir, BALLAST);
  const cluster = await startCluster(smallConfig(dataDir), SILENT);
  try {
    assert.ok(cluster.refusedShards.length > 0);
    for (const { reason } of cluster.refusedShards) assert.match(reason, /ENOSPC|no space left/);
    rmSync(join(dir, BALLAST));
    const startMs = performance.now();
    const isServing = (_: unknown, shard: number) => cluster.shardState(shard).phase === 'serving';
    await until(() => Array.from({ length: 2 }).every(isServing) || late(startMs));
    assert.equal(cluster.refusedShards, [], 'it serves by itself');
    assert.is(await put(cluster, 'after', 'all'), 200);
    load.connect(cluster);
    await load.check();
    load.disconnect();
    console.log(JSON.stringify({ servedMs: Math.round(performance.now() - startMs) }));
  } finally {
    await cluster.close();
  }
}

async function onFullDisk(dir: string): Promise<void> {
  const dataDir = join(dir, 'data');
  const load = new FullDiskLoad();
  await withCluster(smallConfig(dataDir), async (cluster) => {
    // At once: in the first segment of the log, before there are tables. And again later.
    await fillAndFree(dir, cluster, load, 10);
    await fillAndFree(dir, cluster, load, 1000);
  });
  await startOnFullDisk(dir, dataDir, load);
}

test('refuses writes with the reason, serves reads, and resumes by itself with everything there', async () => {
  const reason = await withSmallDisk(DISK_BYTES, onFullDisk);
  if (reason !== undefined) console.log(`skipped: ${reason}`);
}, 180_000);

run();
