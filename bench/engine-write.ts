/**
 * Durable writes, in process: one engine against LevelDB and LMDB. All get the same batches of
 * random keys, the same number of batches outstanding, and acknowledge only what is synced.
 *
 *   node dist/bench/engine-write.js [--entries 20000000] [--rounds 3] [--only stormkv,lmdb]
 *                                   [--peerSeconds 60]
 *
 * The engine lives on the main thread of its process, flushes and merges on pool threads. CPU is
 * that of the whole process. Making the keys (about 0.03 µs each) is inside every figure.
 */
import { fileURLToPath } from 'node:url';
import {
  newPool,
  openEngine,
  PoolJobs,
  percentile,
  settle,
  shippedOptions,
  TimedDisk,
  TouchedArenas,
} from './support/bench-engine.js';
import { type StormSettings, writeStorm } from './support/engine-storm.js';
import { LevelBatches, openLevel } from './support/peer-classic-level.js';
import { LmdbStore } from './support/peer-lmdb.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { drive, StormWatch } from './support/storm.js';
import { ENTRY_BYTES } from './support/storm-keys.js';

const SEED = 1;
const WARM_UP_ENTRIES = 400_000;
const LEVEL_BUFFER_BYTES = 64 * 1024 * 1024;

async function stormkv(raw: Record<string, number>, dir: string): Promise<Figures> {
  const settings = raw as unknown as StormSettings;
  const pool = newPool();
  const { engine: options, arenaCount } = shippedOptions(`${dir}/shard`);
  const arenas = new TouchedArenas(arenaCount, options.arenaBytes);
  await warmUp(settings, dir, new PoolJobs(pool), arenas);
  const disk = new TimedDisk();
  let watch = new StormWatch();
  const firstAt: Record<string, { entries: number; rate: number }> = {};
  const jobs = new PoolJobs(pool, ({ kind }) => {
    firstAt[kind] ??= {
      entries: watch.acknowledged,
      rate: rounded(watch.acknowledged / watch.costs.seconds),
    };
  });
  const engine = openEngine(options, jobs, arenas, disk.fs);
  await settle(engine, jobs);
  disk.syncMs.length = 0;
  disk.writtenBytes = 0;
  watch = new StormWatch();
  const groups = await writeStorm(engine, settings, SEED, watch);
  const figures = watch.figures();
  const before = engine.figures();
  await settle(engine, jobs);
  const after = engine.figures();
  const settled = watch.costs;
  const userBytes = watch.acknowledged * ENTRY_BYTES;
  const tableBytes = after.flushBytesTotal + after.mergeWrittenBytesTotal;
  engine.close();
  await pool.close();
  return {
    ...figures,
    entriesPerSecondBeforeFirstFlush: firstAt['flush']?.rate ?? figures['entriesPerSecond'] ?? 0,
    entriesPerSecondBeforeFirstMerge: firstAt['merge']?.rate ?? figures['entriesPerSecond'] ?? 0,
    entriesAtFirstFlush: firstAt['flush']?.entries ?? watch.acknowledged,
    entriesAtFirstMerge: firstAt['merge']?.entries ?? watch.acknowledged,
    cpuMicrosPerEntrySettled: rounded((settled.cpuSeconds * 1e6) / watch.acknowledged),
    diskWriteAmplificationSettled: rounded((settled.diskBytes ?? 0) / userBytes),
    writeAmplificationSettled: rounded((disk.writtenBytes + tableBytes) / userBytes),
    writtenMiB: rounded((disk.writtenBytes + tableBytes) / 2 ** 20),
    secondsUntilSettled: rounded(settled.seconds),
    entriesPerGroup: rounded(watch.acknowledged / groups),
    syncMsP50: rounded(percentile(disk.syncMs, 0.5)),
    syncMsP99: rounded(percentile(disk.syncMs, 0.99)),
    flushes: after.flushesTotal,
    mergesInside: before.mergesTotal,
    merges: after.mergesTotal,
    flushMsMedian: rounded(percentile(jobs.durationsMs.flush, 0.5)),
    mergeMsTotal: rounded(jobs.durationsMs.merge.reduce((sum, ms) => sum + ms, 0)),
    mergedMiB: rounded(after.mergeReadBytesTotal / 2 ** 20),
    tables: after.tables,
    tableBytesPerEntry: rounded(after.tableBytes / watch.acknowledged),
  };
}

/** A server warms itself before it serves; and nobody asks what the first half second costs. */
async function warmUp(
  settings: StormSettings,
  dir: string,
  jobs: PoolJobs,
  arenas: TouchedArenas,
): Promise<void> {
  const { engine: options } = shippedOptions(`${dir}/warm-up`);
  const engine = openEngine(options, jobs, arenas);
  await writeStorm(engine, { ...settings, entries: WARM_UP_ENTRIES }, SEED, new StormWatch());
  await settle(engine, jobs);
  engine.close();
}

async function level(
  { entries = 0, batch = 0, outstanding = 0, peerSeconds = 0 }: Record<string, number>,
  dir: string,
  writeBufferSize?: number,
): Promise<Figures> {
  const db = await openLevel(dir, writeBufferSize === undefined ? {} : { writeBufferSize });
  const batches = new LevelBatches(outstanding, batch, SEED);
  const watch = new StormWatch();
  await drive(
    Math.ceil(entries / batch),
    outstanding,
    (lane) => batches.write(db, lane, true),
    () => watch.acknowledge(batch),
    peerSeconds,
  );
  const figures = { ...watch.figures(), entries: watch.acknowledged };
  await db.close();
  return figures;
}

async function lmdb(
  { entries = 0, batch = 0, outstanding = 0, peerSeconds = 0 }: Record<string, number>,
  dir: string,
): Promise<Figures> {
  const store = new LmdbStore(dir, batch, SEED);
  const watch = new StormWatch();
  await drive(
    Math.ceil(entries / batch),
    outstanding,
    () => store.write(),
    () => watch.acknowledge(batch),
    peerSeconds,
  );
  const figures = { ...watch.figures(), entries: watch.acknowledged };
  await store.close();
  return figures;
}

await runBench(
  {
    name: 'engine-write',
    settings: { entries: 2_000_000, batch: 512, outstanding: 4, peerSeconds: 60 },
    contenders: {
      stormkv,
      'classic-level': (settings, dir) => level(settings, dir),
      'classic-level-64MiB-buffer': (settings, dir) => level(settings, dir, LEVEL_BUFFER_BYTES),
      lmdb,
    },
  },
  fileURLToPath(import.meta.url),
);
