/**
 * A server under load gets SIGTERM: every call is answered, or told that it was never begun; what
 * was acknowledged is there after a restart, and the process ends with 0 in time. DRAIN_ROUNDS=20
 * for more of it.
 */
import { writeFileSync } from 'node:fs';
import { Client, credentials, status } from '@grpc/grpc-js';
import * as assert from 'uvu/assert';
import { KvClient } from '../../src/cli/kv-client.js';
import { ServerProcess } from '../../src/demo/server-process.js';
import { DrainLoad } from '../harness/drain-load.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('A drain');
const ROUNDS = Number(process.env['DRAIN_ROUNDS'] ?? 2);
const SEEDS = 400;
const CALLS_BEFORE = 300;
const PATIENCE_MS = 120_000;

function start(dir: string, env: Record<string, string>): Promise<ServerProcess> {
  const common = { STORMKV_LIMITS_DRAIN_MS_MAX: '30000', STORMKV_LOG_LEVEL: 'error' };
  // Of its own, whatever the working directory has.
  const config = `${dir}/kv.config.json`;
  writeFileSync(config, '{}');
  return ServerProcess.start({
    config,
    dataDir: `${dir}/data`,
    shardCount: 2,
    env: { PATH: process.env['PATH'], ...common, ...env },
    readyTimeoutMs: PATIENCE_MS,
  });
}

async function withClient<T>(server: ServerProcess, body: (client: KvClient) => Promise<T>) {
  const client = new KvClient(server.info.grpcAddress, PATIENCE_MS, Date.now);
  try {
    return await body(client);
  } finally {
    client.close();
  }
}

async function seed(server: ServerProcess, count: number, bytes: number): Promise<void> {
  await withClient(server, async (client) => {
    for (let i = 0; i < count; i += 50) {
      const entries = Array.from({ length: 50 }, (_, j) => ({
        key: `seed/${i + j}`,
        value: Buffer.alloc(bytes, 'v'),
      }));
      assert.is((await client.batchSet(entries)).written, 50);
    }
  });
}

/** The status that a stream ends with. */
function codeOf(stream: NodeJS.EventEmitter): Promise<number> {
  return new Promise((resolve) => {
    stream.once('error', (error: Error & { code?: number }) => resolve(error.code ?? -1));
  });
}

async function drainUnderLoad(dir: string, delayMs: number): Promise<DrainLoad> {
  const server = await start(dir, { STORMKV_SHUTDOWN_DELAY_MS: String(delayMs) });
  await seed(server, SEEDS, 100);
  // HTTP/1.1 has no word for "not begun": only a wait lets its clients leave between two requests.
  const httpAddress = delayMs > 0 ? server.info.httpAddress : undefined;
  const load = new DrainLoad(server.info.grpcAddress, httpAddress);
  load.start();
  while (load.count < CALLS_BEFORE) await new Promise((soon) => setTimeout(soon, 5));
  const { code, lastWords } = await server.end('SIGTERM');
  await load.finish();
  assert.is(code, 0, lastWords);
  assert.equal(load.unanswered, []);
  const again = await start(dir, {});
  await withClient(again, async (client) => {
    for (const key of load.written) assert.is((await client.get(key))?.toString(), key, key);
  });
  await again.end('SIGTERM');
  return load;
}

test(
  'leaves no call without an answer, and loses nothing that it acknowledged',
  async () => {
    let calls = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const load = await withTempDir((dir) => drainUnderLoad(dir, round % 2 === 0 ? 300 : 0));
      calls += load.count;
      if (ROUNDS > 2) console.info(round, load.refused, [...load.answers].join(' '));
    }
    assert.ok(calls >= ROUNDS * CALLS_BEFORE);
  },
  ROUNDS * PATIENCE_MS,
);

test(
  'ends in time and with 0 although a Scan is not read, an Ingest idle and a feed open',
  () =>
    withTempDir(async (dir) => {
      const server = await start(dir, { STORMKV_LIMITS_DRAIN_MS_MAX: '1000' });
      await seed(server, 150, 60_000);
      const client = new Client(server.info.grpcAddress, credentials.createInsecure());
      const asIs = (bytes: Buffer) => bytes;
      // A request without fields: all keys. Its pages are more than the window of a stream.
      const scan = client.makeServerStreamRequest('/kv.Kv/Scan', asIs, asIs, Buffer.alloc(0));
      scan.on('error', () => {});
      await new Promise<void>((resolve) => {
        scan.once('data', () => {
          scan.pause();
          resolve();
        });
      });
      const ingest = client.makeBidiStreamRequest('/kv.Kv/Ingest', asIs, asIs);
      const ingestEnd = codeOf(ingest);
      ingest.on('data', () => {});
      // An empty batch: its answer says that the stream is open.
      const opened = new Promise((resolve) => ingest.once('data', resolve));
      ingest.write(Buffer.alloc(0));
      await opened;
      const feed = client.makeServerStreamRequest('/kv.Feed/Watch', asIs, asIs, Buffer.alloc(0));
      const feedEnd = codeOf(feed);
      await new Promise((resolve) => feed.once('data', resolve));
      // Another one stops reading; its pages, too, are more than the window of a stream.
      const slow = client.makeServerStreamRequest('/kv.Feed/Watch', asIs, asIs, Buffer.alloc(0));
      slow.on('error', () => {});
      await new Promise<void>((resolve) => {
        slow.once('data', () => {
          slow.pause();
          resolve();
        });
      });
      const { code, lastWords } = await server.end('SIGTERM');
      assert.is(code, 0, lastWords);
      assert.is(await ingestEnd, status.UNAVAILABLE);
      assert.is(await feedEnd, status.UNAVAILABLE);
      client.close();
    }),
  PATIENCE_MS,
);

run();
