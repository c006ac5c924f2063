/**
 * Reads of many keys through the client library: the store is flushed and in the page cache, its
 * keys are asked for at random. Beside it redis-benchmark GET.
 *
 *   node dist/bench/batch-get.js [--seconds 30] [--keys 10000000]
 *
 *   getMany      so many callers, each asking for `batch` keys at a time
 *   get          1,000 callers of get()
 *   redis        redis-benchmark GET, pipeline 256
 */
import { fileURLToPath } from 'node:url';
import { connect, type StormClient } from '../src/client/client.js';
import { percentile } from './support/bench-engine.js';
import { keyText, type Settings, writeRuns } from './support/packed-storm.js';
import { redisBenchmark } from './support/redis.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { Service } from './support/service.js';
import { TextKeys } from './support/text-keys.js';

const SEED = 1;
const FILL_BATCH = 1000;
const FILL_OUTSTANDING = 16;
const SINGLE_READERS = 1000;
const REDIS_REQUESTS_PER_SECOND = 500_000;
/** So small a log is flushed as soon as it was replayed. */
const FLUSHING = { wal: { segmentBytes: 6 * 2 ** 20, liveBytesMax: 2 ** 24 } };
const QUIET_MS = 500;

/** Numbers 0 to `keys`, each once; then every shard flushes what it has. */
async function fill(dataDir: string, keys: number): Promise<void> {
  const filled = await Service.start(dataDir);
  const kv = connect({ endpoints: [filled.grpcAddress], deadlineMs: 60_000 });
  let next = 0;
  await writeRuns(kv, FILL_OUTSTANDING, Infinity, FILL_BATCH, (maker) =>
    next < keys ? maker.make(() => next++) : undefined,
  );
  await kv.close();
  await filled.stop();
  const service = await Service.start(dataDir, { config: FLUSHING });
  for (let before = -1, now = 0; now !== before; ) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    before = now;
    now = (await service.total('flushesTotal')) + (await service.total('mergesTotal'));
  }
  await service.stop();
}

async function reading(
  { seconds = 0, keys = 0, batch = 0 }: Settings,
  dir: string,
  readers: number,
  read: (kv: StormClient, keyTexts: string[]) => Promise<number>,
  keysPerCall = batch,
): Promise<Figures> {
  await fill(`${dir}/data`, keys);
  const service = await Service.start(`${dir}/data`);
  const kv = connect({ endpoints: [service.grpcAddress], deadlineMs: 60_000 });
  const drawn = new TextKeys(keys, SEED);
  const draw = (): string => keyText(drawn.nextNumber());
  const latencyMs: number[] = [];
  let found = 0;
  let asked = 0;
  const reader = async (untilMs: number): Promise<void> => {
    while (performance.now() < untilMs) {
      const texts = Array.from({ length: keysPerCall }, draw);
      const started = performance.now();
      const count = await read(kv, texts);
      found += count;
      asked += texts.length;
      latencyMs.push(performance.now() - started);
    }
  };
  const run = (untilMs: number) =>
    Promise.all(Array.from({ length: readers }, () => reader(untilMs)));
  // Brings the tables into the page cache and the code to speed.
  await run(performance.now() + seconds * 200);
  const missing = asked - found;
  [found, asked] = [0, 0];
  latencyMs.length = 0;
  const serverBefore = service.cpuSeconds();
  const clientBefore = process.cpuUsage();
  const started = performance.now();
  await run(started + seconds * 1000);
  const took = (performance.now() - started) / 1000;
  const serverCpu = service.cpuSeconds() - serverBefore;
  const { user, system } = process.cpuUsage(clientBefore);
  const unflushed = await service.total('memTableBytes');
  const figures = await service.figures();
  const entriesInTables = await service.total('tableEntries');
  await kv.close();
  await service.stop();
  if (found !== asked || missing > 0) throw new Error(`${asked - found + missing} keys missing`);
  return {
    getsPerSecond: rounded(asked / took),
    latencyMsP50: rounded(percentile(latencyMs, 0.5)),
    latencyMsP99: rounded(percentile(latencyMs, 0.99)),
    serverCpuMicrosPerGet: rounded((serverCpu * 1e6) / asked),
    clientCpuMicrosPerGet: rounded((user + system) / asked),
    flushedPercent: rounded((entriesInTables * 100) / keys),
    unflushedMiB: rounded(unflushed / 2 ** 20),
    ...figures,
  };
}

async function getMany(settings: Settings, dir: string): Promise<Figures> {
  return await reading(settings, dir, settings['readers'] ?? 1, async (kv, texts) => {
    const values = await kv.getMany(texts);
    return values.filter((value) => value !== undefined).length;
  });
}

async function get(settings: Settings, dir: string): Promise<Figures> {
  const one = async (kv: StormClient, [key = '']: string[]): Promise<number> =>
    (await kv.get(key)) === undefined ? 0 : 1;
  return await reading(settings, dir, SINGLE_READERS, one, 1);
}

async function redis({ seconds = 0, keys = 0 }: Settings, dir: string): Promise<Figures> {
  const requests = Math.max(100_000, seconds * REDIS_REQUESTS_PER_SECOND);
  const figures = await redisBenchmark(dir, 'get', requests, keys);
  if (figures === undefined) return { absent: 'redis is not installed' };
  const { entriesPerSecond = 0, pipeline = 0 } = figures;
  return { getsPerSecond: entriesPerSecond, pipeline };
}

await runBench(
  {
    name: 'batch-get',
    settings: { seconds: 30, keys: 10_000_000, batch: 1000, readers: 16 },
    contenders: { getMany, get, redis },
  },
  fileURLToPath(import.meta.url),
);
