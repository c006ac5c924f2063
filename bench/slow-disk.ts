/**
 * What a slow disk does to throughput and to waiting times: every fdatasync of the server takes so
 * many milliseconds longer.
 *
 *   node dist/bench/slow-disk.js [--seconds 60] [--rate 0] [--only packed-0ms,packed-2ms]
 */
import { fileURLToPath } from 'node:url';
import { type Settings, stormFigures, writePacked } from './support/packed-storm.js';
import { type Figures, runBench } from './support/rounds.js';
import type { ServiceOptions } from './support/service.js';
import { tailFigures } from './support/tail-storm.js';

const PRELOAD = new URL('./support/slow-sync.js', import.meta.url);

function slowed(delayMs: number): ServiceOptions {
  return { preload: PRELOAD, env: { SLOW_SYNC_MS: String(delayMs) } };
}

function packed(delayMs: number) {
  return (settings: Settings, dir: string): Promise<Figures> =>
    stormFigures(
      dir,
      settings,
      ({ grpcAddress }, endMs) => writePacked(grpcAddress, settings, endMs),
      slowed(delayMs),
    );
}

function tail(delayMs: number) {
  return (settings: Settings, dir: string): Promise<Figures> =>
    tailFigures(dir, { ...settings, batch: settings['tailBatch'] ?? 1 }, slowed(delayMs));
}

await runBench(
  {
    name: 'slow-disk',
    settings: { seconds: 60, batch: 1000, outstanding: 16, rate: 0, tailBatch: 100, reads: 1000 },
    contenders: {
      'packed-0ms': packed(0),
      'packed-2ms': packed(2),
      'packed-10ms': packed(10),
      'tail-0ms': tail(0),
      'tail-2ms': tail(2),
      'tail-10ms': tail(10),
    },
  },
  fileURLToPath(import.meta.url),
);
