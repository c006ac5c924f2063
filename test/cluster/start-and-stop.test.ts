import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { type PartialConfig, startCluster } from '../../src/main.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import {
  get,
  put,
  readiness,
  SILENT,
  shardOf,
  smallConfig,
  until,
  withCluster,
} from './cluster-rig.js';

const { test, run } = suite('startCluster');

async function refusalOf(config: PartialConfig): Promise<StormError> {
  const outcome = await startCluster(config, SILENT).then(
    (cluster) => cluster.close(),
    (error: unknown) => error,
  );
  assert.instance(outcome, StormError);
  return outcome as StormError;
}

/** Name and content of every file below a folder. */
function fingerprint(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => {
      const path = join(dir, name);
      if (!statSync(path).isFile()) return name;
      return `${name} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
    });
}

test('refuses to start with protection that it cannot give', () =>
  withTempDir(async (dir) => {
    const { data } = smallConfig(dir);
    for (const [asked, named] of [
      [{ tls: { certFile: `${dir}/a.pem`, keyFile: `${dir}/a.key` } }, /Cannot read .*a\.pem/],
      [{ security: { principalsFile: `${dir}/who.json` } }, /Cannot read .*who\.json/],
      [{ audit: { file: `${dir}/none/audit` } }, /audit/],
    ] as const) {
      const refusal = await refusalOf({ data: data ?? {}, ...asked });
      assert.is(refusal.code, 'INVALID_ARGUMENT');
      assert.match(refusal.message, named);
    }
    assert.equal(readdirSync(dir), []);
  }));

test('serves what it stored, also after it was stopped and started again', () =>
  withTempDir(async (dir) => {
    const keys = Array.from({ length: 40 }, (_, i) => `patient-${i}/q`);
    assert.equal(new Set(keys.map((key) => shardOf(key, 2))).size, 2);
    await withCluster(smallConfig(dir), async (cluster) => {
      assert.is(cluster.shardCount, 2);
      assert.is(cluster.recoveredRecords, 0);
      assert.is((await readiness(cluster)).status, 200);
      for (const key of keys) assert.is(await put(cluster, key, `answer to ${key}`), 200);
      assert.is(await get(cluster, 'nobody'), 404);
      // Counters are published every now and then.
      await until(() => [0, 1].every((shard) => cluster.shardStats(shard).durableSequence > 0));
    });
    await withCluster(smallConfig(dir, 0), async (cluster) => {
      assert.is(cluster.shardCount, 2, 'as the data dir has it');
      assert.is(cluster.recoveredRecords, keys.length);
      assert.equal(cluster.refusedShards, []);
      for (const key of keys) assert.is(await get(cluster, key), `answer to ${key}`);
    });
  }));

test('makes a data dir that only its owner may enter', () =>
  withTempDir(async (dir) => {
    const data = join(dir, 'a', 'b');
    await withCluster(smallConfig(data), async () => {});
    assert.is(statSync(data).mode & 0o777, 0o700);
  }));

test('refuses another shard count and touches nothing', () =>
  withTempDir(async (dir) => {
    await withCluster(smallConfig(dir), async (cluster) => {
      assert.is(await put(cluster, 'k', 'v'), 200);
    });
    const before = fingerprint(dir);
    const error = await refusalOf(smallConfig(dir, 3));
    assert.is(error.code, 'FAILED_PRECONDITION');
    assert.match(error.message, /has 2 shards, 3 were asked for/);
    assert.equal(fingerprint(dir), before);
  }));

test('refuses a data dir that lacks a shard and touches nothing', () =>
  withTempDir(async (dir) => {
    const data = join(dir, 'data');
    await withCluster(smallConfig(data), async () => {});
    renameSync(join(data, 'shard-001'), join(dir, 'elsewhere'));
    const before = fingerprint(data);
    const error = await refusalOf(smallConfig(data));
    assert.match(error.message, /shard-001 is missing/);
    assert.equal(fingerprint(data), before);
  }));

test('refuses a data dir in use; the owner is not disturbed', () =>
  withTempDir((dir) =>
    withCluster(smallConfig(dir), async (cluster) => {
      assert.is(await put(cluster, 'k', 'v'), 200);
      const error = await refusalOf(smallConfig(dir));
      assert.match(error.message, new RegExp(`belongs to process ${process.pid}`));
      assert.is(await get(cluster, 'k'), 'v');
    }),
  ));

test('leaves nothing behind when a port is taken', () =>
  withTempDir(async (dir) => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const bound = server.address();
    assert.ok(bound !== null && typeof bound === 'object');
    const address = `127.0.0.1:${bound.port}`;
    for (const door of ['grpc', 'http'] as const) {
      const error = await refusalOf({ ...smallConfig(dir), [door]: { address } });
      assert.is(error.code, 'UNAVAILABLE');
      assert.match(error.message, new RegExp(`Cannot listen.*${address}`));
    }
    await new Promise((closed) => server.close(closed));
    await withCluster(smallConfig(dir), async (cluster) => {
      assert.is(await put(cluster, 'k', 'v'), 200);
    });
  }));

test('refuses wrong options and too little memory before it writes anything', () =>
  withTempDir(async (dir) => {
    const data = join(dir, 'data');
    const wrong = await refusalOf({ ...smallConfig(data), limits: { keyBytesMax: 0 } });
    assert.is(wrong.code, 'INVALID_ARGUMENT');
    const memory = { bytesMax: 4 * 1024 * 1024 };
    const small = await refusalOf({ ...smallConfig(data), memory });
    assert.match(small.message, /memory\.bytesMax/);
    const ports = { grpc: { address: '127.0.0.1:65535' }, router: { threads: 2 } };
    const doors = await refusalOf({ ...smallConfig(data), ...ports });
    assert.match(doors.message, /router\.threads 2 needs the gRPC ports 65535 to 65536/);
    assert.equal(readdirSync(data), []);
    rmSync(data, { recursive: true });
  }));

test('close answers what is in flight, twice is once, and the data dir is free', () =>
  withTempDir(async (dir) => {
    const cluster = await startCluster(smallConfig(dir), SILENT);
    const value = 'x'.repeat(60_000);
    const calls = Array.from({ length: 20 }, (_, i) => put(cluster, `k${i}`, value));
    await Promise.race(calls);
    const [first, second] = [cluster.close(), cluster.close()];
    assert.is(first, second);
    await Promise.all([first, cluster.closed]);
    const statuses = await Promise.allSettled(calls);
    const acknowledged = statuses.flatMap((outcome, i) =>
      outcome.status === 'fulfilled' && outcome.value === 200 ? [`k${i}`] : [],
    );
    assert.ok(acknowledged.length > 0);
    assert.not(readdirSync(dir).includes('LOCK'));
    await withCluster(smallConfig(dir), async (again) => {
      for (const key of acknowledged) assert.is(await get(again, key), value);
    });
  }));

run();
