/**
 * Reads, in process: point reads from overlapping tables and a scan of everything, against LevelDB.
 * Each contender fills a store with random keys, reopens it and measures, in this order: random
 * reads of a store that is not in the page cache; of one that is; of keys that are not there; a
 * scan in order; that scan once more, of a store that is not in the page cache. Values are copied
 * out everywhere.
 *
 *   node dist/bench/engine-read.js [--entries 1000000] [--reads 200000] [--rounds 3]
 *
 * Merges are switched off for our engine, so that every table overlaps every other: with the
 * default settings seven of them, each of which may hold the key. `stormkv` is the shipped
 * configuration: mapped tables with lz4, as `table.compression: auto` chooses where it loads.
 * LevelDB is measured with its own cache of 8 MiB and with one that holds the store.
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
import { dropFileCache, releaseMaps } from './support/file-cache.js';
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

type Scan = () => Promise<number>;

async function timeScan(name: string, entries: number, scan: Scan): Promise<Figures> {
  const costs = startCosts();
  const count = await scan();
  const { seconds, cpuSeconds } = costs();
  if (count !== entries) throw new Error(`The scan has ${count} of ${entries} entries`);
  return {
    [`${name}PerSecond`]: rounded(count / seconds),
    [`${name}CpuMicros`]: rounded((cpuSeconds * 1e6) / count),
  };
}

async function warmScan(entries: number, scan: Scan): Promise<Figures> {
  await timeScan('first', entries, scan);
  return timeScan('scanned', entries, scan);
}

/** A store's options and what it needs to be opened with. */
interface Store {
  options: EngineOptions;
  jobs: PoolJobs;
  arenas: TouchedArenas;
  entries: number;
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
  const store = { options, jobs, arenas, entries: entries - (entries % BATCH) };
  // Each part in a function of its own: maps go when nothing refers to their engine any more.
  await fill(store);
  const warm = await measure(store, reads, await makeCold(options.dir));
  const cold = await coldScan(store);
  await pool.close();
  return { ...warm, ...cold };
}

async function fill({ options, jobs, arenas, entries }: Store): Promise<void> {
  const filled = openEngine(options, jobs, arenas);
  const storm = { entries, batch: BATCH, outstanding: OUTSTANDING };
  await writeStorm(filled, storm, SEED, new StormWatch());
  await settle(filled, jobs);
  filled.close();
  // Distrusting the log makes the engine flush what it replays: everything is in tables then.
  const flushed = openEngine(options, jobs, arenas, undefined, true);
  await settle(flushed, jobs);
  flushed.close();
}

async function measure(store: Store, reads: number, isCold: boolean): Promise<Figures> {
  const { options, jobs, arenas, entries } = store;
  const engine = openEngine(options, jobs, arenas);
  const found = new LookupResult();
  const points = pointReads(entries, reads, isCold, (key) => {
    if (!engine.get(key, 0, KEY_BYTES, found)) return 0;
    return found.valueBytes.slice(found.valueStart, found.valueStart + found.valueLength).length;
  });
  const scan = await warmScan(entries, async () => scanAll(engine));
  const { tables, tableBytes, mappedTables } = engine.figures();
  engine.close();
  return { ...points, ...scan, tables, mappedTables, tableMiB: rounded(tableBytes / 2 ** 20) };
}

async function makeCold(dir: string): Promise<boolean> {
  await releaseMaps();
  return dropFileCache(dir);
}

async function coldScan({ options, jobs, arenas, entries }: Store): Promise<Figures> {
  if (!(await makeCold(options.dir))) return {};
  const engine = openEngine(options, jobs, arenas);
  const figures = await timeScan('coldScanned', entries, async () => scanAll(engine));
  engine.close();
  return figures;
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
  const warm = await warmScan(count, () => scanLevel(db));
  await db.close();
  if (!dropFileCache(dir)) return { ...figures, ...warm };
  const again = await openLevel(dir, options);
  const cold = await timeScan('coldScanned', count, () => scanLevel(again));
  await again.close();
  return { ...figures, ...warm, ...cold };
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
