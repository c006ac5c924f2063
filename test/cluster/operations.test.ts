import * as assert from 'uvu/assert';
import type { Cluster } from '../../src/main.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { shardOf, smallConfig, until, withCluster } from './cluster-rig.js';

const { test, run } = suite('operations on a cluster');
const DEADLINE_MS = 60_000;

interface Reply {
  status: number;
  etag: string | null;
  text: string;
  lines: Record<string, unknown>[];
}

async function call(
  cluster: Cluster,
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(`http://${cluster.httpAddress}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const isLines = (response.headers.get('content-type') ?? '').includes('json');
  const lines = isLines ? text.trim().split('\n').filter(Boolean) : [];
  return {
    status: response.status,
    etag: response.headers.get('etag'),
    text,
    lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

const linesOf = (entries: readonly object[]) =>
  entries.map((entry) => JSON.stringify(entry)).join('\n');

async function load(cluster: Cluster, entries: readonly object[]): Promise<void> {
  const reply = await call(cluster, 'POST', '/kv?encoding=utf8', linesOf(entries));
  assert.equal(reply.lines, [{ written: entries.length, failed: 0 }]);
}

/** Keys of the lines, over all pages of `limit`. */
async function listed(cluster: Cluster, query: string, limit: number): Promise<unknown[]> {
  const keys: unknown[] = [];
  let cursor = '';
  do {
    const reply = await call(cluster, 'GET', `/kv?${query}&limit=${limit}${cursor}`);
    assert.is(reply.status, 200, reply.text);
    const last = reply.lines.at(-1)?.['cursor'];
    cursor = typeof last === 'string' ? `&cursor=${last}` : '';
    for (const line of reply.lines) if (line['key'] !== undefined) keys.push(line['key']);
  } while (cursor !== '');
  return keys;
}

test(
  'scans see all keys in order across shards, flushes and restarts',
  () =>
    withTempDir(async (dir) => {
      const keys = Array.from({ length: 6000 }, (_, i) => `k/${String(i).padStart(5, '0')}`);
      assert.is(new Set(keys.map((key) => shardOf(key, 3))).size, 3);
      const entries = keys.map((key) => ({ key, value: `${key} ${'x'.repeat(500)}` }));
      let cursor = '';
      await withCluster(smallConfig(dir, 3), async (cluster) => {
        await load(cluster, entries);
        assert.equal(await listed(cluster, 'prefix=k/', 700), keys);
        assert.equal(await listed(cluster, 'reverse&prefix=k/', 2500), [...keys].reverse());
        const first = await call(cluster, 'GET', '/kv?limit=100&keys_only');
        cursor = String(first.lines.at(-1)?.['cursor']);
        assert.equal(
          await listed(cluster, `from=k/01000&to=k/01010&keys_only`, 3),
          keys.slice(1000, 1010),
        );
      });
      await withCluster(smallConfig(dir, 0), async (cluster) => {
        const rest = await call(cluster, 'GET', `/kv?limit=0&encoding=utf8&cursor=${cursor}`);
        assert.equal(
          rest.lines.map(({ key }) => key),
          keys.slice(100),
        );
        assert.equal(
          rest.lines.map(({ value }) => value),
          entries.slice(100).map(({ value }) => value),
        );
        const removed = await call(cluster, 'DELETE', '/kv?prefix=k/01');
        assert.equal(removed.lines, [{ count: 1000 }]);
        const left = keys.filter((key) => !key.startsWith('k/01'));
        assert.equal(await listed(cluster, 'prefix=k/', 1000), left);
        assert.equal(await listed(cluster, 'reverse', 1000), [...left].reverse());
      });
    }),
  DEADLINE_MS,
);

test('conditions hold to versions, which survive a restart', () =>
  withTempDir(async (dir) => {
    let version = '';
    await withCluster(smallConfig(dir), async (cluster) => {
      const made = await call(cluster, 'PUT', '/kv/k', 'v1', { 'if-none-match': '*' });
      assert.is(made.status, 200);
      const again = await call(cluster, 'PUT', '/kv/k', 'v2', { 'if-none-match': '*' });
      assert.equal([again.status, again.etag], [412, made.etag]);
      const read = await call(cluster, 'GET', '/kv/k');
      assert.equal([read.text, read.etag], ['v1', made.etag]);
      version = read.etag ?? '';
    });
    await withCluster(smallConfig(dir, 0), async (cluster) => {
      const changed = await call(cluster, 'PUT', '/kv/k', 'v2', { 'if-match': version });
      assert.is(changed.status, 200);
      const stale = await call(cluster, 'DELETE', '/kv/k', undefined, { 'if-match': version });
      assert.equal([stale.status, stale.etag], [412, changed.etag]);
      const headers = { 'if-match': changed.etag ?? '' };
      assert.is((await call(cluster, 'DELETE', '/kv/k', undefined, headers)).status, 200);
      assert.is((await call(cluster, 'GET', '/kv/k')).status, 404);
    });
  }));

test('of writers with the same condition exactly one succeeds', () =>
  withTempDir(async (dir) => {
    await withCluster(smallConfig(dir), async (cluster) => {
      for (let round = 0; round < 10; round++) {
        const headers = { 'if-none-match': '*' };
        const replies = await Promise.all(
          Array.from({ length: 8 }, (_, i) =>
            call(cluster, 'PUT', `/kv/round-${round}`, `writer ${i}`, headers),
          ),
        );
        const winners = replies.flatMap(({ status }, i) => (status === 200 ? [i] : []));
        assert.is(winners.length, 1);
        const read = await call(cluster, 'GET', `/kv/round-${round}`);
        assert.is(read.text, `writer ${winners[0]}`);
        for (const { status, etag } of replies) if (status !== 200) assert.is(etag, read.etag);
      }
    });
  }));

test('values expire, for reads and for scans', () =>
  withTempDir(async (dir) => {
    await withCluster(smallConfig(dir), async (cluster) => {
      await load(cluster, [
        { key: 'long', value: 'x', ttl_ms: 600_000 },
        { key: 'never', value: 'x' },
        { key: 'short', value: 'x', ttl_ms: 300 },
      ]);
      const asked = await call(cluster, 'GET', '/ttl/long');
      const left = Number(asked.lines[0]?.['ttl_ms']);
      assert.ok(left > 500_000 && left <= 600_000, asked.text);
      assert.is((await call(cluster, 'GET', '/ttl/never')).lines[0]?.['ttl_ms'], 0);
      await until(async () => (await call(cluster, 'GET', '/kv/short')).status === 404);
      assert.equal(await listed(cluster, 'keys_only', 10), ['long', 'never']);
      assert.is((await call(cluster, 'GET', '/ttl/short')).status, 404);
      assert.is((await call(cluster, 'PUT', '/ttl/short', '5')).status, 404);
      assert.is((await call(cluster, 'PUT', '/ttl/never', '200')).status, 200);
      await until(async () => (await call(cluster, 'GET', '/kv/never')).status === 404);
      assert.is((await call(cluster, 'PUT', '/ttl/long', '0')).status, 200);
      assert.is((await call(cluster, 'GET', '/ttl/long')).lines[0]?.['ttl_ms'], 0);
      assert.is((await call(cluster, 'GET', '/kv/long')).text, 'x');
    });
  }));

test('many keys are read at once, in the order they are asked for', () =>
  withTempDir(async (dir) => {
    await withCluster(smallConfig(dir), async (cluster) => {
      // More than one frame of values.
      const entries = Array.from({ length: 60 }, (_, i) => ({
        key: `k${i}`,
        value: String(i).padEnd(2000, '.'),
      }));
      await load(cluster, entries);
      const asked = [...entries.keys(), 999].reverse();
      const query = asked.map((i) => `key=k${i}`).join('&');
      const { lines } = await call(cluster, 'GET', `/kv?encoding=utf8&${query}`);
      assert.equal(
        lines.map(({ key, value }) => [key, value]),
        asked.map((i) => [`k${i}`, entries[i]?.value]),
      );
    });
  }));

run();
