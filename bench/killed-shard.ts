/**
 * A shard's thread is killed under full load: how long until it serves again, and how much of that
 * is replay. Every write that was acknowledged before is there after a restart.
 *
 *   node dist/bench/killed-shard.js [--seconds 20] [--kills 5]
 */
import { setTimeout as rest } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { KvClient } from '../src/cli/kv-client.js';
import { connect } from '../src/client/client.js';
import { percentile } from './support/bench-engine.js';
import {
  drawnKeys,
  type RunMaker,
  type Settings,
  stormFigures,
  type Written,
  writeRuns,
} from './support/packed-storm.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import type { Service } from './support/service.js';

const LOOK_EVERY_MS = 2;
/** Writes that were on their way are repeated: nobody else writes these keys. */
const CLIENT = { deadlineMs: 60_000, retryUnknown: true };

interface Outage {
  ms: number;
  recoveryMs: number;
  records: number;
}

async function stormkv(settings: Settings, dir: string): Promise<Figures> {
  const outages: Outage[] = [];
  const figures = await stormFigures(
    dir,
    settings,
    (service, endMs) => stormWithKills(service, endMs, settings, outages),
    { config: { admin: { chaos: true } } },
  );
  const median = (value: (outage: Outage) => number): number =>
    rounded(percentile(outages.map(value), 0.5));
  return {
    kills: outages.length,
    outageMs: median(({ ms }) => ms),
    outageMsMax: rounded(Math.max(...outages.map(({ ms }) => ms))),
    recoveryMs: median(({ recoveryMs }) => recoveryMs),
    outageMsWithoutRecovery: median(({ ms, recoveryMs }) => ms - recoveryMs),
    recoveredRecords: median(({ records }) => records),
    recordsPerSecond: median(({ records, recoveryMs }) => (records * 1000) / recoveryMs),
    acknowledged: figures['acknowledged'] ?? 0,
    keysFoundAfterRestart: figures['keysFoundAfterRestart'] ?? 0,
  };
}

async function stormWithKills(
  service: Service,
  endMs: number,
  { batch = 0, outstanding = 0, kills = 0 }: Settings,
  outages: Outage[],
): Promise<Written> {
  const kv = connect({ endpoints: [service.grpcAddress], ...CLIENT });
  const keys = drawnKeys();
  const makeRun = (maker: RunMaker): Uint8Array => maker.make(() => keys.nextNumber());
  const writing = writeRuns(kv, outstanding, endMs, batch, makeRun);
  const pauseMs = (endMs - performance.now()) / (kills + 1);
  const admin = new KvClient(service.grpcAddress, 60_000, () => Date.now());
  for (let i = 0; i < kills; i++) {
    await rest(pauseMs);
    outages.push(await killed(service, admin, i % 2));
  }
  admin.close();
  const written = await writing;
  await kv.close();
  return written;
}

/** From the kill to the moment when the server says that the shard serves. */
async function killed(service: Service, admin: KvClient, shard: number): Promise<Outage> {
  const started = performance.now();
  const recoveries = (await service.stats()).shards[shard]?.recoveries ?? 0;
  await admin.killWorker({ kind: 'SHARD', shard });
  for (;;) {
    const now = (await service.stats()).shards[shard];
    if (now !== undefined && now.recoveries > recoveries && now.state === 'serving') {
      const { recoveryMs, recoveredRecords: records } = now;
      return { ms: performance.now() - started, recoveryMs, records };
    }
    await rest(LOOK_EVERY_MS);
  }
}

await runBench(
  {
    name: 'killed-shard',
    settings: { seconds: 20, batch: 1000, outstanding: 16, kills: 5 },
    contenders: { stormkv },
  },
  fileURLToPath(import.meta.url),
);
