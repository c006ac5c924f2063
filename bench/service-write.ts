/**
 * Durable writes over gRPC: client and server on the same machine, the server as shipped, from an
 * empty store. Each way in gets the same time; what was written is counted on the server and looked
 * up again, in part, after a restart.
 *
 *   node dist/bench/service-write.js [--seconds 60] [--rounds 3] [--only packed,redis]
 *
 *   packed    entry runs of 1,000 through the client's batchPacked
 *   entries   the same entries as a client of any language sends them
 *   set       1,000 concurrent callers of set()
 *   pipe      packed, to a server that only answers: what the transport alone allows
 *   redis     redis-benchmark SET, pipeline 256, append-only file synced always
 */

import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { putLength, RUN_FORMAT, RUN_HEADER_BYTES, writePut } from '../src/base/entry-run.js';
import { connect, type StormClient } from '../src/client/client.js';
import { percentile } from './support/bench-engine.js';
import { EntriesIngest } from './support/entries-ingest.js';
import { redisBenchmark } from './support/redis.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { Service } from './support/service.js';
import { KEY_BYTES, sampleValue, VALUE_BYTES } from './support/storm-keys.js';
import { TextKeys, writeTextKey } from './support/text-keys.js';

const KEY_SPACE = 100_000_000;
const SEED = 1;
const CALLERS = 1000;
const PUT_BYTES = putLength(KEY_BYTES, VALUE_BYTES);
const CHECKED_MAX = 20_000;
const REDIS_REQUESTS = 3_000_000;

type Settings = Record<string, number>;

/** What a way of writing reports: how many were acknowledged, and how long single calls took. */
interface Written {
  acknowledged: number;
  latencyMs: number[];
}

async function withServer(
  dir: string,
  settings: Settings,
  write: (address: string, endMs: number) => Promise<Written>,
): Promise<Figures> {
  const service = await Service.start(`${dir}/data`);
  const cpu = process.cpuUsage();
  const started = performance.now();
  const serverBefore = service.cpuSeconds();
  const { seconds = 0 } = settings;
  const written = await write(service.grpcAddress, started + seconds * 1000);
  const took = (performance.now() - started) / 1000;
  const serverCpu = service.cpuSeconds() - serverBefore;
  const { user, system } = process.cpuUsage(cpu);
  const { acknowledged, latencyMs } = written;
  const figures = await service.figures();
  await service.stop();
  return {
    entriesPerSecond: rounded(acknowledged / took),
    latencyMsP50: rounded(percentile(latencyMs, 0.5)),
    latencyMsP99: rounded(percentile(latencyMs, 0.99)),
    serverCpuMicrosPerEntry: rounded((serverCpu * 1e6) / acknowledged),
    clientCpuMicrosPerEntry: rounded((user + system) / acknowledged),
    acknowledged,
    ...figures,
    ...(await verified(`${dir}/data`, acknowledged)),
  };
}

/** Opens the store anew and looks for the first keys that were drawn; all were acknowledged. */
async function verified(dataDir: string, acknowledged: number): Promise<Figures> {
  const service = await Service.start(dataDir);
  const kv = connect({ endpoints: [service.grpcAddress], deadlineMs: 60_000 });
  const keys = new TextKeys(KEY_SPACE, SEED);
  const count = Math.min(CHECKED_MAX, acknowledged);
  let missing = 0;
  for (let from = 0; from < count; from += CALLERS) {
    const found = await Promise.all(
      Array.from({ length: Math.min(CALLERS, count - from) }, () => kv.get(keyText(keys))),
    );
    missing += found.filter((value) => value === undefined).length;
  }
  const { recoveredRecords, startedMs } = service.info;
  await kv.close();
  await service.stop();
  if (missing > 0) throw new Error(`${missing} of ${count} acknowledged keys are missing`);
  return { keysFoundAfterRestart: count, recoveredRecords, restartMs: rounded(startedMs) };
}

function keyText(keys: TextKeys): string {
  const bytes = Buffer.alloc(KEY_BYTES);
  writeTextKey(bytes, 0, keys.nextNumber());
  return bytes.toString('latin1');
}

/** Runs whose keys are drawn anew each time. */
class RunMaker {
  readonly #keys = new TextKeys(KEY_SPACE, SEED);
  readonly #template: Uint8Array;
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
    this.#template = new Uint8Array(RUN_HEADER_BYTES + count * PUT_BYTES);
    this.#template[0] = RUN_FORMAT;
    let at = RUN_HEADER_BYTES;
    for (let i = 0; i < count; i++) {
      at = writePut(this.#template, at, new Uint8Array(KEY_BYTES), sampleValue(i));
    }
  }

  make(): Uint8Array {
    const run = this.#template.slice();
    let at = RUN_HEADER_BYTES + 2;
    for (let i = 0; i < this.#count; i++, at += PUT_BYTES) this.#keys.writeKey(run, at);
    return run;
  }
}

async function writePacked(kv: StormClient, settings: Settings, endMs: number): Promise<Written> {
  const { batch = 0, outstanding = 0 } = settings;
  const maker = new RunMaker(batch);
  const written: Written = { acknowledged: 0, latencyMs: [] };
  const lane = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const run = maker.make();
      const started = performance.now();
      const { written: count, errors } = await kv.batchPacked(run);
      if (errors[0] !== undefined) throw errors[0].error;
      written.acknowledged += count;
      written.latencyMs.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: outstanding }, lane));
  return written;
}

async function packed(settings: Settings, dir: string): Promise<Figures> {
  return await withServer(dir, settings, async (address, endMs) => {
    const kv = connect({ endpoints: [address], deadlineMs: 60_000 });
    const written = await writePacked(kv, settings, endMs);
    await kv.close();
    return written;
  });
}

async function set(settings: Settings, dir: string): Promise<Figures> {
  const values = Array.from({ length: 64 }, (_, i) => sampleValue(i));
  return await withServer(dir, settings, async (address, endMs) => {
    const kv = connect({ endpoints: [address], deadlineMs: 60_000 });
    const keys = new TextKeys(KEY_SPACE, SEED);
    const written: Written = { acknowledged: 0, latencyMs: [] };
    const caller = async (): Promise<void> => {
      while (performance.now() < endMs) {
        const started = performance.now();
        await kv.set(keyText(keys), values[written.acknowledged & 63] ?? '');
        written.acknowledged++;
        if ((written.acknowledged & 15) === 0) written.latencyMs.push(performance.now() - started);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    await kv.close();
    return written;
  });
}

async function entries(settings: Settings, dir: string): Promise<Figures> {
  const { batch = 0, outstanding = 0 } = settings;
  return await withServer(dir, settings, async (address, endMs) => {
    const keys = new TextKeys(KEY_SPACE, SEED);
    const client = new EntriesIngest(address, batch, () => keys.nextNumber());
    return await client.write(outstanding, endMs);
  });
}

/** The same client against a server that answers every batch at once and does nothing. */
async function pipe(settings: Settings): Promise<Figures> {
  const worker = new Worker(new URL('./support/empty-pipe.js', import.meta.url));
  const address = await new Promise<string>((resolve) => worker.once('message', resolve));
  const kv = connect({ endpoints: [address], deadlineMs: 60_000 });
  const started = performance.now();
  const written = await writePacked(kv, settings, started + (settings['seconds'] ?? 0) * 1000);
  const seconds = (performance.now() - started) / 1000;
  await kv.close();
  await worker.terminate();
  const { acknowledged, latencyMs } = written;
  return {
    entriesPerSecond: rounded(acknowledged / seconds),
    latencyMsP50: rounded(percentile(latencyMs, 0.5)),
    latencyMsP99: rounded(percentile(latencyMs, 0.99)),
  };
}

async function redis(_settings: Settings, dir: string): Promise<Figures> {
  return (await redisBenchmark(dir, 'set', REDIS_REQUESTS)) ?? { absent: 'redis is not installed' };
}

await runBench(
  {
    name: 'service-write',
    settings: { seconds: 60, batch: 1000, outstanding: 16 },
    contenders: { packed, entries, set, pipe, redis },
  },
  fileURLToPath(import.meta.url),
);
