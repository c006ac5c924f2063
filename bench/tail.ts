/**
 * An open loop at half of the sustained rate, reads mixed in, with flushes and merges: how long an
 * acknowledgement and a Get take, counted from when they were due.
 *
 *   node dist/bench/tail.js [--seconds 180] [--rate 0] [--reads 1000]
 *
 * `rate` 0 is half of what bench/results/sustained.json says.
 */
import { fileURLToPath } from 'node:url';
import { runBench } from './support/rounds.js';
import { tailFigures } from './support/tail-storm.js';

await runBench(
  {
    name: 'tail',
    settings: { seconds: 180, rate: 0, batch: 100, reads: 1000 },
    contenders: { stormkv: (settings, dir) => tailFigures(dir, settings) },
  },
  fileURLToPath(import.meta.url),
);
