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
import { connect } from '../src/client/client.js';
import { percentile } from './support/bench-engine.js';
import { EntriesIngest } from './support/entries-ingest.js';
import {
  drawnKeys,
  keyText,
  type Settings,
  stormFigures,
  type Written,
  writePacked,
} from './support/packed-storm.js';
import { redisBenchmark } from './support/redis.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { sampleValue } from './support/storm-keys.js';

const CALLERS = 1000;
const REDIS_REQUESTS_PER_SECOND = 100_000;

async function packed(settings: Settings, dir: string): Promise<Figures> {
  return await stormFigures(dir, settings, ({ grpcAddress }, endMs) =>
    writePacked(grpcAddress, settings, endMs),
  );
}

async function set(settings: Settings, dir: string): Promise<Figures> {
  const values = Array.from({ length: 64 }, (_, i) => sampleValue(i));
  return await stormFigures(dir, settings, async ({ grpcAddress }, endMs) => {
    const kv = connect({ endpoints: [grpcAddress], deadlineMs: 60_000 });
    const keys = drawnKeys();
    const written: Written = { acknowledged: 0, latencyMs: [] };
    const caller = async (): Promise<void> => {
      while (performance.now() < endMs) {
        const started = performance.now();
        await kv.set(keyText(keys.nextNumber()), values[written.acknowledged & 63] ?? '');
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
  return await stormFigures(dir, settings, async ({ grpcAddress }, endMs) => {
    const keys = drawnKeys();
    const client = new EntriesIngest(grpcAddress, batch, () => keys.nextNumber());
    return await client.write(outstanding, endMs);
  });
}

/** The same client against a server that answers every batch at once and does nothing. */
async function pipe(settings: Settings): Promise<Figures> {
  const worker = new Worker(new URL('./support/empty-pipe.js', import.meta.url));
  const address = await new Promise<string>((resolve) => worker.once('message', resolve));
  const started = performance.now();
  const endMs = started + (settings['seconds'] ?? 0) * 1000;
  const { acknowledged, latencyMs } = await writePacked(address, settings, endMs);
  const seconds = (performance.now() - started) / 1000;
  await worker.terminate();
  return {
    entriesPerSecond: rounded(acknowledged / seconds),
    latencyMsP50: rounded(percentile(latencyMs, 0.5)),
    latencyMsP99: rounded(percentile(latencyMs, 0.99)),
  };
}

async function redis({ seconds = 0 }: Settings, dir: string): Promise<Figures> {
  const requests = Math.max(100_000, seconds * REDIS_REQUESTS_PER_SECOND);
  return (await redisBenchmark(dir, 'set', requests)) ?? { absent: 'redis is not installed' };
}

await runBench(
  {
    name: 'service-write',
    settings: { seconds: 60, batch: 1000, outstanding: 16 },
    contenders: { packed, entries, set, pipe, redis },
  },
  fileURLToPath(import.meta.url),
);
