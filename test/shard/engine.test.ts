/** The engine against a map, under many options, through flushes, merges and openings anew. */
import * as assert from 'uvu/assert';
import type { EngineOptions } from '../../src/rpc/control.js';
import { type Change, EngineRig, smallOptions } from '../harness/engine-rig.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Engine');
const KEYS = 150;
const { table: TABLE } = smallOptions();

type Model = Map<string, string>;

const OPTION_SETS: Readonly<Record<string, Partial<EngineOptions>>> = {
  'the usual ones': {},
  'blocks of 64 bytes': { table: { ...TABLE, blockBytes: 64 } },
  'tables of 2 KiB': { table: { ...TABLE, tableBytesMax: 2048, blockBytes: 256 } },
  'tiny arenas': { arenaBytes: 16 * 1024, valueBytesMax: 1024, batchBytesMax: 4096 },
  'large arenas': { arenaBytes: 1 << 20 },
  'no bloom filter': { table: { ...TABLE, bloomBitsPerKey: 0 } },
  'one bit per key and a restart at each': {
    table: { ...TABLE, bloomBitsPerKey: 1, restartInterval: 1 },
  },
  'long restart intervals': { table: { ...TABLE, restartInterval: 64 } },
  'compressed blocks': { table: { ...TABLE, compression: 'auto' } },
  'merges of 2': { mergeFanIn: 2 },
  'merges of 4': { mergeFanIn: 4 },
  'blocks verified at first touch': { readVerify: 'first-touch' },
  'mapped tables': { readMode: 'mmap', readVerify: 'first-touch' },
  'one spare segment': { walSparesMax: 1, walSegmentBytes: 32 * 1024 },
  'large segments': { walSegmentBytes: 256 * 1024, walLiveBytesMax: 1 << 20 },
  'a log that freezes MemTables': { walLiveBytesMax: 64 * 1024, arenaBytes: 256 * 1024 },
  'syncs at intervals': { walSync: 'interval' },
  'syncs of the operating system': { walSync: 'os' },
};

function randomChange(random: SeededRandom): Change {
  const key = `key-${random.nextInt(KEYS)}`;
  if (random.chance(0.2)) return { key, value: undefined };
  const length = random.pick([0, 1, 20, 20, 20, 100, 255, 256, 900]);
  return { key, value: `${random.nextInt(1e6)}`.padEnd(length, 'x').slice(0, length) };
}

function randomBatches(random: SeededRandom): Change[][] {
  const batches = random.chance(0.8) ? 1 : 1 + random.nextInt(4);
  return Array.from({ length: batches }, () =>
    Array.from({ length: 1 + random.nextInt(4) }, () => randomChange(random)),
  );
}

/**
 * Writes the batches as one group, or each alone where the MemTable ends between them. Where the
 * engine holds one, lets background work go on until it does not.
 */
function write(rig: EngineRig, model: Model, batches: Change[][]): void {
  if (rig.write(batches) === undefined) {
    for (const batch of batches) {
      for (let tries = 0; rig.write([batch]) === undefined; tries++) {
        if (tries > 20) throw new Error('The write is held for ever');
        rig.clock.advance(100);
        rig.settle();
      }
    }
  }
  for (const { key, value } of batches.flat()) {
    if (value === undefined) model.delete(key);
    else model.set(key, value);
  }
}

function check(rig: EngineRig, model: Model, where: string): void {
  for (let i = 0; i < KEYS; i++) {
    const key = `key-${i}`;
    const found = rig.get(key);
    if (found !== model.get(key)) assert.is(found, model.get(key), `${where}, ${key}`);
  }
  assert.is(rig.get('never written'), undefined);
  const snapshot = rig.engine.openSnapshot();
  const all = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
  assert.equal(rig.scan(snapshot, undefined, undefined, 50), all, `${where}, scanned`);
  rig.engine.closeSnapshot(snapshot.id);
}

/** One store in several lives; returns how much background work it did. */
function live(name: string, change: Partial<EngineOptions>, seed: number): number {
  const random = new SeededRandom(seed);
  const disk = new SimulatedDisk({ mapCopies: true });
  const options = smallOptions(change);
  const model: Model = new Map();
  let background = 0;
  for (let life = 0; life < 4; life++) {
    const rig = new EngineRig(disk, seed + life, options);
    const where = `${name}, seed ${seed}, life ${life}`;
    check(rig, model, `${where}, opened`);
    for (let step = 0; step < 250; step++) {
      write(rig, model, randomBatches(random));
      rig.clock.advance(random.nextInt(10));
      rig.engine.maintain();
      if (random.chance(0.5)) rig.jobs.runOne();
    }
    check(rig, model, where);
    if (random.chance(0.5)) rig.settle();
    check(rig, model, `${where}, settled`);
    const { flushesTotal, mergesTotal } = rig.engine.figures();
    background += flushesTotal + mergesTotal;
    if (life % 2 === 0) rig.engine.close();
    disk.processCrash();
  }
  return background;
}

for (const [name, change] of Object.entries(OPTION_SETS)) {
  test(`finds what was written last, with ${name}`, () => {
    let background = 0;
    for (let seed = 1; seed <= 2; seed++) background += live(name, change, seed * 1000);
    const isLarge = name.startsWith('large');
    if (!isLarge) assert.ok(background > 10, `${background} flushes and merges`);
  });
}

run();
