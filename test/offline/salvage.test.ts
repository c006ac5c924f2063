/**
 * Damaged data dirs, salvaged and held against every write that was made. `SALVAGE_DIRS` is how
 * many dirs are damaged at random.
 */
import * as assert from 'uvu/assert';
import { type LostRange, type SalvageReport, salvage } from '../../src/offline/salvage.js';
import { storedEntries } from '../../src/offline/stored-entries.js';
import { createRoot } from '../../src/storage/root-manifest.js';
import { EngineRig, RIG_DIR, smallOptions } from '../harness/engine-rig.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Salvage');
const DIRS = Number(process.env['SALVAGE_DIRS'] ?? 12);
const SEED = Number(process.env['SALVAGE_SEED'] ?? 1);

interface Write {
  sequence: number;
  value: string | undefined;
}

interface Store {
  disk: SimulatedDisk;
  /** By key, every write, ascending. */
  writes: Map<string, Write[]>;
}

/** One shard with tables in several runs, versions over versions, deletes, and a log. */
function makeStore(seed: number): Store {
  const disk = new SimulatedDisk();
  const root = createRoot(disk, '/data', { shardCount: 1, random: new SeededRandom(seed) });
  disk.syncDir('/');
  const { table } = smallOptions();
  const options = smallOptions({
    storeUuid: root.storeUuid,
    table: { ...table, compression: seed % 2 === 0 ? 'deflate' : 'none' },
    mergeFanIn: 64,
    mergeGarbagePercentQuiet: 100,
  });
  const writes = new Map<string, Write[]>();
  let sequence = 0;
  for (let life = 1; life <= 2; life++) {
    const rig = new EngineRig(disk, life, options);
    const random = new SeededRandom(seed * 100 + life);
    const write = (key: string, value: string | undefined): void => {
      while (rig.write([[{ key, value }]]) === undefined) rig.settle();
      const list = writes.get(key) ?? [];
      list.push({ sequence: ++sequence, value });
      writes.set(key, list);
    };
    for (let i = 0; i < 250; i++) {
      const isDelete = random.chance(0.1);
      const value = isDelete ? undefined : `answer ${life} ${i} `.repeat(1 + random.nextInt(4));
      write(`k${String(random.nextInt(150)).padStart(3, '0')}`, value);
      rig.engine.maintain();
      if (random.chance(0.5) && rig.jobs.count > 0) rig.jobs.runOne();
    }
    rig.settle();
    for (let i = 0; i < 12; i++) write(`late${life}-${i}`, 'x'.repeat(50 + i));
    rig.engine.close();
  }
  return { disk, writes };
}

function salvageOf({ disk }: Store, dst = '/out'): SalvageReport {
  const { table } = smallOptions();
  return salvage(disk, '/data', dst === '' ? undefined : dst, {
    random: new SeededRandom(99),
    table,
    walSegmentBytes: 64 * 1024,
    progress: () => {},
  });
}

function salvaged(disk: SimulatedDisk): Map<string, Write> {
  const found = new Map<string, Write>();
  for (const e of storedEntries(disk, '/out', { prefix: new Uint8Array(0), nowMs: 0 })) {
    const key = Buffer.from(e.keyBytes.subarray(e.keyStart, e.keyStart + e.keyLength));
    const value = Buffer.from(e.valueBytes.subarray(e.valueStart, e.valueStart + e.valueLength));
    found.set(String(key), { sequence: e.sequence, value: String(value) });
  }
  return found;
}

/** Whether the report says that this write may be lost. */
function isListed(lost: readonly LostRange[], key: string, sequence: number): boolean {
  const bytes = Buffer.from(key);
  return lost.some(({ keys, sequences }) => {
    if (keys === undefined && sequences === undefined) return false;
    if (sequences !== undefined && (sequence < sequences.from || sequence > sequences.to)) {
      return false;
    }
    if (keys?.from !== undefined && Buffer.compare(bytes, keys.from) < 0) return false;
    return keys?.to === undefined || Buffer.compare(bytes, keys.to) <= 0;
  });
}

/** What is wrong with the copy or the report; empty when all is as it should be. */
function faultsOf(
  { writes }: Store,
  found: Map<string, Write>,
  lost: readonly LostRange[],
): string[] {
  const faults: string[] = [];
  for (const [key, { sequence, value }] of found) {
    const isTrue = writes.get(key)?.some((w) => w.sequence === sequence && w.value === value);
    if (isTrue !== true) faults.push(`${key} = ${value} at ${sequence} was never written`);
  }
  for (const [key, list] of writes) {
    const newest = list.at(-1) as Write;
    const out = found.get(key);
    const isRight = newest.value === undefined ? out === undefined : out?.value === newest.value;
    if (isRight || isListed(lost, key, newest.sequence)) continue;
    faults.push(`${key} at ${newest.sequence} is not there, and no range lists it`);
  }
  return faults;
}

const contentOf = (disk: SimulatedDisk): string =>
  disk
    .list(RIG_DIR)
    .map(
      (name) => `${name} ${Buffer.from(disk.contentOf(`${RIG_DIR}/${name}`)).toString('base64')}`,
    )
    .join('\n');

function overwrite(disk: SimulatedDisk, path: string, at: number, bytes: Uint8Array): void {
  const handle = disk.open(path, 'update');
  handle.writeAt(bytes, 0, bytes.length, at);
  handle.syncData();
  handle.close();
}

function cut(disk: SimulatedDisk, path: string, at: number): void {
  const handle = disk.open(path, 'update');
  handle.truncate(at);
  handle.syncData();
  handle.close();
}

/** Damages one to three places; returns what was done. */
function damageAtRandom(disk: SimulatedDisk, random: SeededRandom): string[] {
  const done: string[] = [];
  for (let i = 0; i < 1 + random.nextInt(3); i++) {
    const paths = disk.list(RIG_DIR).map((name) => `${RIG_DIR}/${name}`);
    if (random.chance(0.1)) paths.push('/data/ROOT');
    const path = paths[random.nextInt(paths.length)] as string;
    const size = disk.stat(path)?.sizeBytes ?? 0;
    const at = random.nextInt(Math.max(1, size));
    const kind = random.nextInt(10);
    if (kind < 6 && size > 0) {
      const byte = disk.contentOf(path)[at] ?? 0;
      overwrite(disk, path, at, Uint8Array.of(byte ^ (1 << random.nextInt(8))));
      done.push(`a bit of ${path} at ${at}`);
    } else if (kind < 8 && size > 0) {
      overwrite(
        disk,
        path,
        at - (at % 512),
        random.fill(new Uint8Array(Math.min(512, size - (at - (at % 512))))),
      );
      done.push(`a sector of ${path} at ${at}`);
    } else if (kind === 8) {
      cut(disk, path, at);
      done.push(`${path} cut to ${at}`);
    } else {
      disk.remove(path);
      done.push(`${path} removed`);
    }
  }
  return done;
}

test('an intact data dir comes out whole, and nothing is said to be lost', () => {
  const store = makeStore(1);
  const report = salvageOf(store);
  assert.equal(report.lost, []);
  assert.equal(faultsOf(store, salvaged(store.disk), []), []);
  assert.is(report.doubtful, 0);
});

test('without DST there is only the report', () => {
  const store = makeStore(2);
  assert.ok(salvageOf(store, '').entries > 0);
  assert.is(store.disk.stat('/out'), undefined);
});

test('one bad block costs its own keys only', () => {
  const store = makeStore(3);
  const { disk } = store;
  const name = disk.list(RIG_DIR).find((one) => one.endsWith('.sst')) as string;
  const byte = disk.contentOf(`${RIG_DIR}/${name}`)[10] ?? 0;
  overwrite(disk, `${RIG_DIR}/${name}`, 10, Uint8Array.of(byte ^ 1));
  const report = salvageOf(store);
  assert.is(report.lost.length, 1);
  assert.ok(report.lost[0]?.keys?.to !== undefined && report.lost[0].file.endsWith(name));
  const found = salvaged(disk);
  assert.equal(faultsOf(store, found, report.lost), []);
  const listed = [...store.writes.keys()].filter((key) =>
    isListed(report.lost, key, store.writes.get(key)?.at(-1)?.sequence ?? 0),
  );
  assert.ok(listed.length < store.writes.size / 2, `${listed.length} of ${store.writes.size}`);
});

test('blocks are found without their index, by their checksums', () => {
  const store = makeStore(4);
  const { disk } = store;
  const before = salvageOf(store).entries;
  for (const name of disk.list('/out/shard-000')) disk.remove(`/out/shard-000/${name}`);
  const fresh = makeStore(4);
  for (const name of fresh.disk.list(RIG_DIR).filter((one) => one.endsWith('.sst'))) {
    const path = `${RIG_DIR}/${name}`;
    // The footer says where the index lies.
    const size = fresh.disk.stat(path)?.sizeBytes ?? 0;
    overwrite(fresh.disk, path, size - 20, Uint8Array.of(0xff, 0xff, 0xff));
  }
  const report = salvageOf(fresh);
  assert.is(report.entries, before);
  assert.equal(faultsOf(fresh, salvaged(fresh.disk), report.lost), []);
});

test('the judge of these tests sees what is missing, stale or made up', () => {
  const store = makeStore(1);
  salvageOf(store);
  const found = salvaged(store.disk);
  const [first, second] = [...found.keys()] as [string, string];
  found.delete(first);
  found.set(second, { sequence: 1, value: 'made up' });
  assert.is(faultsOf(store, found, []).length, 3);
});

test(`${DIRS} dirs damaged at random: what is intact comes out, what is lost is listed`, () => {
  let lostDirs = 0;
  let keys = 0;
  for (let i = 0; i < DIRS; i++) {
    const seed = SEED * 1000 + i;
    const store = makeStore(1 + (i % 4));
    const done = damageAtRandom(store.disk, new SeededRandom(seed));
    const before = contentOf(store.disk);
    const report = salvageOf(store);
    assert.is(contentOf(store.disk), before, 'the source is only read');
    const found = salvaged(store.disk);
    keys += found.size;
    if (report.lost.length > 0) lostDirs++;
    const faults = faultsOf(store, found, report.lost);
    // Tables and log are whole: then all of it comes out, whatever is listed.
    const isDataWhole = !done.some((text) => /\.sst|\.seg/.test(text));
    if (isDataWhole) assert.equal(faultsOf(store, found, []), [], `seed ${seed}: ${done}`);
    assert.equal(faults, [], `seed ${seed}: ${done.join('; ')}: ${JSON.stringify(report.lost)}`);
  }
  assert.ok(lostDirs > 0 && keys > 0);
  if (process.env['SALVAGE_DIRS'] !== undefined) console.log({ DIRS, lostDirs, keys });
});

run();
