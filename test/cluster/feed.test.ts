/**
 * Change feeds of a real cluster: readers that are cut off and come back, shards that die, logs
 * that are recycled under them. What a reader knows in the end is what the store holds.
 */
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/base/system-clock.js';
import { KvClient, type WatchedPage, type WatchOptions } from '../../src/cli/kv-client.js';
import type { Cluster } from '../../src/main.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { smallConfig, until, withCluster } from './cluster-rig.js';

const { test, run } = suite('A change feed');
/** The long run: FEED_KILLS=50. */
const KILLS = Number(process.env['FEED_KILLS'] ?? 4);

/** What a reader knows of the store, and how it goes on. */
class Reader {
  readonly known = new Map<string, { shard: number; value: string; version: number }>();
  token = '';
  pages = 0;
  gaps = 0;
  readonly #client: KvClient;
  readonly #options: WatchOptions;

  constructor(client: KvClient, options: WatchOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Reads until `enough` says so after a page; the connection is then cut. */
  async read(enough: (reader: Reader) => boolean): Promise<void> {
    for await (const page of this.#client.watch({ ...this.#options, token: this.token })) {
      this.#take(page);
      if (enough(this)) return;
    }
  }

  #take({ kind, shard, changes, token }: WatchedPage): void {
    this.pages++;
    this.token = token;
    if (kind === 'GAP') {
      this.gaps++;
      for (const [key, known] of this.known) if (known.shard === shard) this.known.delete(key);
    }
    for (const { key, value, version, deleted } of changes) {
      if (deleted) this.known.delete(key);
      else this.known.set(key, { shard, value: value.toString(), version });
    }
  }

  get content(): Map<string, string> {
    return inOrder(
      [...this.known].map(([key, { value, version }]) => [key, `${version} ${value}`]),
    );
  }
}

function inOrder(entries: [string, string][]): Map<string, string> {
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function contentOf(client: KvClient, prefix = ''): Promise<Map<string, string>> {
  const found: [string, string][] = [];
  for await (const page of client.scan({ prefix: Buffer.from(prefix), limit: 0 }, 60_000)) {
    for (const { key, value, version } of page.entries) found.push([key, `${version} ${value}`]);
  }
  return inOrder(found);
}

function withClient(
  dir: string,
  body: (client: KvClient, cluster: Cluster) => Promise<void>,
): Promise<void> {
  return withCluster(smallConfig(dir), async (cluster) => {
    const client = new KvClient(cluster.grpcAddress, 60_000, systemClock.wallMs);
    try {
      await body(client, cluster);
    } finally {
      client.close();
    }
  });
}

/** Writes and deletes until told to stop; a shard that dies meanwhile costs tries. */
async function storm(client: KvClient, isOver: () => boolean): Promise<number> {
  const random = new SeededRandom(8);
  let writes = 0;
  while (!isOver()) {
    const key = `${random.pick(['a', 'b'])}/${random.nextInt(400)}`;
    const value = Buffer.from(`${writes} `.repeat(1 + random.nextInt(60)));
    const isDelete = random.chance(0.2);
    await (isDelete ? client.delete(key) : client.set(key, value)).then(
      () => writes++,
      () => new Promise((soon) => setTimeout(soon, 5)),
    );
  }
  return writes;
}

/** Reads on until the reader knows what the store holds; the deadline is the test's. */
async function catchUp(reader: Reader, client: KvClient, prefix = ''): Promise<void> {
  const wanted = await contentOf(client, prefix);
  const isThere = () => {
    const { content } = reader;
    return (
      content.size === wanted.size && [...wanted].every(([key, text]) => content.get(key) === text)
    );
  };
  while (!isThere()) await reader.read(isThere).catch(() => {});
  assert.equal(reader.content, wanted);
}

test(
  'a reader that is cut off again and again, while shards are killed, ends with the content',
  () =>
    withTempDir((dir) =>
      withClient(dir, async (client, cluster) => {
        let isOver = false;
        const writes = storm(client, () => isOver);
        const reader = new Reader(client, { name: 'tester' });
        const some = new Reader(client, { prefix: Buffer.from('a/') });
        for (let kill = 0; kill < KILLS; kill++) {
          const until1 = reader.pages + 20;
          await reader.read(({ pages }) => pages >= until1).catch(() => {});
          const until2 = some.pages + 10;
          await some.read(({ pages }) => pages >= until2).catch(() => {});
          const shard = kill % 2;
          await cluster.killShard(shard);
          await until(() => cluster.shardState(shard).phase === 'serving');
        }
        isOver = true;
        const written = await writes;
        const begunMs = performance.now();
        await catchUp(reader, client);
        await catchUp(some, client, 'a/');
        const { pages, gaps } = reader;
        const lagMs = Math.round(performance.now() - begunMs);
        console.log(`RIG feed ${JSON.stringify({ kills: KILLS, written, pages, gaps, lagMs })}`);
        assert.ok(written > 0 && pages > KILLS);
      }),
    ),
  3_600_000,
);

test('changes come in order, deletes and expiries too, also across a restart of the server', () =>
  withTempDir(async (dir) => {
    let token = '';
    await withClient(dir, async (client) => {
      const reader = new Reader(client, {});
      await reader.read(() => reader.gaps === 2 && reader.pages >= 4);
      ({ token } = reader);
      await client.set('k', Buffer.from('1'));
    });
    await withClient(dir, async (client) => {
      await client.set('k', Buffer.from('2'), { ttlMs: 3_600_000 });
      await client.delete('k');
      const seen: string[] = [];
      for await (const { changes, kind } of client.watch({ token })) {
        assert.is(kind, 'CHANGES');
        for (const { value, deleted, expiresAtMs } of changes) {
          seen.push(`${value} ${deleted} ${expiresAtMs > 0}`);
        }
        if (seen.length >= 3) break;
      }
      assert.equal(seen, ['1 false false', '2 false true', ' true false']);
    });
  }));

test('a reader whose log was recycled is told of the gap, and gets the content', () =>
  withTempDir((dir) =>
    withClient(dir, async (client, cluster) => {
      const reader = new Reader(client, {});
      await client.set('early', Buffer.from('x'));
      await reader.read(() => reader.known.has('early') && reader.pages > 5);
      const gapsBefore = reader.gaps;
      await client.delete('early');
      const value = Buffer.alloc(30_000, 'v');
      for (let i = 0; i < 300; i++) await client.set(`k${i % 50}`, value);
      await until(() => cluster.shardState(0).phase === 'serving');
      await catchUp(reader, client);
      assert.ok(reader.gaps > gapsBefore, `${reader.gaps} gaps`);
      assert.not(reader.known.has('early'));
    }),
  ));

test('only what is still to come, and what a watch cannot be asked', () =>
  withTempDir((dir) =>
    withClient(dir, async (client) => {
      await client.set('old', Buffer.from('1'));
      const seen: string[] = [];
      const writing = (async () => {
        for (let i = 0; seen.length === 0; i++) await client.set(`new${i}`, Buffer.from('2'));
      })();
      for await (const { changes } of client.watch({ fromNow: true })) {
        seen.push(...changes.map(({ key }) => key));
        if (seen.length > 0) break;
      }
      await writing;
      assert.ok(seen.every((key) => key.startsWith('new')));
      for (const request of [{ token: 'junk' }, { name: 'x'.repeat(200) }]) {
        try {
          for await (const _ of client.watch(request)) assert.unreachable();
          assert.unreachable();
        } catch (error) {
          assert.match(String(error), /token of the watch|name of a watch/);
        }
      }
    }),
  ));

run();
