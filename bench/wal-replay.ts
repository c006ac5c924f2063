/**
 * How fast a shard comes back: a WAL is written and left unflushed, then opened several times.
 *
 *   node dist/bench/wal-replay.js [--entries 1000000] [--rounds 3]
 *
 * `openSeconds` is all of Engine.open: replay, syncing the replayed segments, a new manifest and a
 * new segment. Opening changes nothing that the next one does not find again.
 */
import { fileURLToPath } from 'node:url';
import { runJob } from '../src/compactor/run-job.js';
import type { EngineOptions } from '../src/rpc/control.js';
import type { Job, JobResult } from '../src/rpc/jobs.js';
import { nodeFileSystem } from '../src/storage/node-file-system.js';
import { openEngine, shippedOptions, TimedDisk, TouchedArenas } from './support/bench-engine.js';
import { startCosts } from './support/costs.js';
import { writeStorm } from './support/engine-storm.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { StormWatch } from './support/storm.js';

const OPENINGS = 4;
const ENTRIES_PER_ARENA = 550_000;
/** Of the log, which no flush may shorten here. */
const LIVE_BYTES_MAX = 2 ** 31;

/** Makes segments and nothing else: what was written stays in the log. */
class SegmentJobs {
  submit(job: Job, done: (result: JobResult) => void): void {
    if (job.kind === 'fill-segment') setImmediate(() => done(runJob(nodeFileSystem, job)));
  }
}

async function stormkv(
  { entries = 0, batch = 0, outstanding = 0 }: Record<string, number>,
  dir: string,
): Promise<Figures> {
  const { engine: shipped } = shippedOptions(`${dir}/shard`);
  const options: EngineOptions = { ...shipped, walLiveBytesMax: LIVE_BYTES_MAX };
  const arenaCount = Math.ceil(entries / ENTRIES_PER_ARENA) + 1;
  const arenas = (): TouchedArenas => new TouchedArenas(arenaCount, options.arenaBytes);
  const watch = new StormWatch();
  const written = openEngine(options, new SegmentJobs(), arenas());
  await writeStorm(written, { entries, batch, outstanding }, 1, watch);
  written.close();
  let figures: Figures = {};
  // The first openings warm the compiler; a shard that restarts has a thread that is new as well,
  // so the first one is told too.
  for (let i = 0; i < OPENINGS; i++) {
    const disk = new TimedDisk();
    const fresh = arenas();
    const costs = startCosts();
    const engine = openEngine(options, new SegmentJobs(), fresh, disk.fs);
    const { seconds, cpuSeconds } = costs();
    const { records } = engine.report;
    engine.close();
    if (records !== watch.acknowledged) throw new Error(`${records} records are back`);
    if (i === 0) figures = { firstRecordsPerSecond: rounded(records / seconds) };
    if (i < OPENINGS - 1) continue;
    figures = {
      ...figures,
      recordsPerSecond: rounded(records / seconds),
      cpuMicrosPerRecord: rounded((cpuSeconds * 1e6) / records),
      openSeconds: rounded(seconds),
      syncSeconds: rounded(disk.syncMs.reduce((sum, ms) => sum + ms, 0) / 1000),
    };
  }
  return figures;
}

await runBench(
  {
    name: 'wal-replay',
    settings: { entries: 1_000_000, batch: 512, outstanding: 4 },
    contenders: { stormkv },
  },
  fileURLToPath(import.meta.url),
);
