/**
 * What the first moments after the start cost: the same short storm into a server that was just
 * started and into one that had a storm before. The client is warm in both.
 *
 *   node dist/bench/cold-start.js [--millis 1000]
 */
import { setTimeout as rest } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { percentile } from './support/bench-engine.js';
import { type Settings, verified, writePacked } from './support/packed-storm.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { Service } from './support/service.js';

const WARM_MS = 4000;
/** What the storm before has left to do is done by then. */
const REST_MS = 2500;

function storming(isWarm: boolean) {
  return async (settings: Settings, dir: string): Promise<Figures> => {
    const { millis = 0 } = settings;
    const other = await Service.start(`${dir}/other`);
    await writePacked(other.grpcAddress, settings, performance.now() + WARM_MS);
    await other.stop();
    const started = performance.now();
    const service = await Service.start(`${dir}/data`);
    const startMs = performance.now() - started;
    if (isWarm) {
      await writePacked(service.grpcAddress, settings, performance.now() + WARM_MS);
      await rest(REST_MS);
    }
    const cpu = service.cpuSeconds();
    const begin = performance.now();
    const { grpcAddress } = service;
    const { acknowledged, latencyMs } = await writePacked(grpcAddress, settings, begin + millis);
    const seconds = (performance.now() - begin) / 1000;
    const spent = service.cpuSeconds() - cpu;
    await service.stop();
    return {
      entriesPerSecond: rounded(acknowledged / seconds),
      latencyMsP50: rounded(percentile(latencyMs, 0.5)),
      latencyMsP99: rounded(percentile(latencyMs, 0.99)),
      serverCpuMicrosPerEntry: rounded((spent * 1e6) / acknowledged),
      startMs: rounded(startMs),
      ...(await verified(`${dir}/data`, acknowledged)),
    };
  };
}

await runBench(
  {
    name: 'cold-start',
    settings: { millis: 1000, batch: 1000, outstanding: 16 },
    contenders: { cold: storming(false), warm: storming(true) },
  },
  fileURLToPath(import.meta.url),
);
