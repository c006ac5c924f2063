/**
 * Reads, in process: point reads from overlapping tables and a scan of everything, against LevelDB.
 * Each contender fills a store with random keys, reopens it and measures, in this order: random
 * reads of a store that is not in the page cache; of one that is; of keys that are not there; a
 * scan in order. Values are copied out everywhere.
 *
 *   node dist/bench/engine-read.js [--entries 1000000] [--reads 200000] [--rounds 3]
 *
 * Merges are switched off for our engine, so that every table overlaps every other: with the
 * default settings seven of them, each of which may hold the key.
 */
import { fileURLToPath } from 'node:url';
import type { EngineOptions } from '../src/rpc/control.js';
import type { Engine } from '../src/shard/engine.js';
import { LookupResult } from '../src/storage/lookup.js';
import {
  newPool,
  openEngine,
  PoolJobs,
  settle,
  shippedOptions,
  TouchedArenas,
} from './support/bench-engine.js';
import { startCosts } from './support/costs.js';
import { writeStorm } from './support/engine-storm.js';
import { dropFileCache } from './support/file-cache.js';
import { LevelBatches, type LevelStore, openLevel } from './support/peer-classic-level.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { drive, StormWatch } from './support/storm.js';
import { KEY_BYTES, KeyStream } from './support/storm-keys.js';

const SEED = 1;
const OTHER_SEED = 1_000_003;
const BATCH = 512;
const OUTSTANDING = 4;
const ARENA_BYTES = 16 * 1024 * 1024;
/** A cold store is read no longer than this. */
const COLD_READS_MAX = 5000;
const PAGE_ENTRIES = 1000;
const LEVEL_CACHE_BYTES = 256 * 1024 * 1024;

/** Reads a key and copies its value; answers how long it is, 0 for a key that is not there. */
type Read = (key: Buffer) => number;

/** Keys of the store or of another, in random order, as views that are ready to be used. */
function sampleKeys(seed: number, entries: number, count: number): Buffer[] {
  const all = Buffer.alloc(entries * KEY_BYTES);
  const stream = new KeyStream(seed);
  for (let i = 0; i < entries; i++) stream.writeKey(all, i * KEY_BYTES);
  const picks = new KeyStream(seed + 99);
  const word = Buffer.alloc(KEY_BYTES);
  return Array.from({ length: count }, () => {
    picks.writeKey(word, 0);
    const index = word.readUInt32LE(0) % entries;
    return Buffer.from(all.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES));
  });
}

function timeReads(name: string, keys: Buffer[], read: Read, found: boolean): Figures {
  const costs = startCosts();
  let hits = 0;
  for (const key of keys) if (read(key) > 0) hits++;
  const { seconds, cpuSeconds } = costs();
  if (hits !== (found ? keys.length : 0))
    throw new Error(`${name}: ${hits} of ${keys.length} found`);
  return {
    [`${name}PerSecond`]: rounded(keys.length / seconds),
    [`${name}CpuMicros`]: rounded((cpuSeconds * 1e6) / keys.length),
  };
}

function pointReads(entries: number, reads: number, isCold: boolean, read: Read): Figures {
  const present = sampleKeys(SEED, entries, reads);
  const absent = sampleKeys(OTHER_SEED, entries, reads);
  const cold = present.slice(0, COLD_READS_MAX);
  const figures = isCold ? timeReads('coldGets', cold, read, true) : {};
  // Once for the caches, and for the compiler.
  timeReads('first', present, read, true);
  timeReads('first', absent, read, false);
  return {
    ...figures,
    ...timeReads('gets', present, read, true),
    ...timeReads('absentGets', absent, read, false),
  };
}

async function timeScan(entries: number, scan: () => Promise<number>): Promise<Figures> {
  await scan();
  const costs = startCosts();
  const count = await scan();
  const { seconds, cpuSeconds } = costs();
  if (count !== entries) throw new Error(`The scan has ${count} of ${entries} entries`);
  return {
    scannedPerSecond: rounded(count / seconds),
    scanCpuMicros: rounded((cpuSeconds * 1e6) / count),
  };
}

async function stormkv(
  { entries = 0, reads = 0 }: Record<string, number>,
  dir: string,
  change: Partial<EngineOptions>,
  compression?: 'none',
): Promise<Figures> {
  const pool = newPool();
  const jobs = new PoolJobs(pool);
  const shipped = shippedOptions(`${dir}/shard`).engine;
  const table = compression === undefined ? shipped.table : { ...shipped.table, compression };
  const noMerges = { mergeFanIn: 1000, arenaBytes: ARENA_BYTES };
  const options: EngineOptions = { ...shipped, ...noMerges, table, ...change };
  const arenas = new TouchedArenas(4, ARENA_BYTES);
  const filled = openEngine(options, jobs, arenas);
  const count = entries - (entries % BATCH);
  await writeStorm(
    filled,
    { entries: count, batch: BATCH, outstanding: OUTSTANDING },
    SEED,
    new StormWatch(),
  );
  await settle(filled, jobs);
  filled.close();
  // Distrusting the log makes the engine flush what it replays: everything is in tables then.
  const flushed = openEngine(options, jobs, arenas, undefined, true);
  await settle(flushed, jobs);
  flushed.close();
  const isCold = dropFileCache(options.dir);
  const engine = openEngine(options, jobs, arenas);
  const found = new LookupResult();
  const figures = pointReads(count, reads, isCold, (key) => {
    if (!engine.get(key, 0, KEY_BYTES, found)) return 0;
    return found.valueBytes.slice(found.valueStart, found.valueStart + found.valueLength).length;
  });
  const scan = await timeScan(count, async () => scanAll(engine));
  const { tables, tableBytes, mappedTables } = engine.figures();
  engine.close();
  await pool.close();
  return { ...figures, ...scan, tables, mappedTables, tableMiB: rounded(tableBytes / 2 ** 20) };
}

/** Pages of so many entries, copied into a buffer as an answer to a client would be. */
function scanAll(engine: Engine): number {
  while (!engine.prepareScan());
  const snapshot = engine.openSnapshot();
  const page = new Uint8Array(256 * PAGE_ENTRIES);
  let count = 0;
  let from: Uint8Array | undefined;
  for (;;) {
    let inPage = 0;
    let at = 0;
    const end = engine.scan({ from, to: undefined }, snapshot, {
      add(entry) {
        if (inPage === PAGE_ENTRIES) return false;
        const { keyBytes, keyStart, keyLength, valueBytes, valueStart, valueLength } = entry;
        for (let i = 0; i < keyLength; i++) page[at++] = keyBytes[keyStart + i] ?? 0;
        for (let i = 0; i < valueLength; i++) page[at++] = valueBytes[valueStart + i] ?? 0;
        inPage++;
        return true;
      },
    });
    count += inPage;
    if (end.kind === 'done') break;
    from = end.key;
  }
  engine.closeSnapshot(snapshot.id);
  return count;
}

async function level(
  { entries = 0, reads = 0 }: Record<string, number>,
  dir: string,
  options: { cacheSize?: number },
): Promise<Figures> {
  const filled = await openLevel(dir, options);
  const batches = new LevelBatches(OUTSTANDING, BATCH, SEED);
  const count = entries - (entries % BATCH);
  await drive(
    count / BATCH,
    OUTSTANDING,
    (lane) => batches.write(filled, lane, false),
    () => {},
  );
  await filled.close();
  const isCold = dropFileCache(dir);
  const db = await openLevel(dir, options);
  const figures = pointReads(count, reads, isCold, (key) => db.getSync(key)?.length ?? 0);
  const scan = await timeScan(count, () => scanLevel(db));
  await db.close();
  return { ...figures, ...scan };
}

async function scanLevel(db: LevelStore): Promise<number> {
  const iterator = db.iterator();
  let count = 0;
  for (;;) {
    const entries = await iterator.nextv(PAGE_ENTRIES);
    if (entries.length === 0) break;
    count += entries.length;
  }
  await iterator.close();
  return count;
}

await runBench(
  {
    name: 'engine-read',
    settings: { entries: 1_000_000, reads: 200_000 },
    contenders: {
      stormkv: (settings, dir) => stormkv(settings, dir, {}),
      'stormkv-pread': (settings, dir) => stormkv(settings, dir, { readMode: 'pread' }),
      'stormkv-raw': (settings, dir) => stormkv(settings, dir, {}, 'none'),
      'stormkv-raw-pread': (settings, dir) => stormkv(settings, dir, { readMode: 'pread' }, 'none'),
      'classic-level': (settings, dir) => level(settings, dir, {}),
      'classic-level-256MiB-cache': (settings, dir) =>
        level(settings, dir, { cacheSize: LEVEL_CACHE_BYTES }),
    },
  },
  fileURLToPath(import.meta.url),
);
