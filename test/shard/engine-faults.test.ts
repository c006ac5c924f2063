/** What the engine promises when syncs are late, the disk is full, or a sync fails. */
import * as assert from 'uvu/assert';
import type { EngineOptions } from '../../src/rpc/control.js';
import { Engine } from '../../src/shard/engine.js';
import { DISTRUST_FILE } from '../../src/storage/file-names.js';
import { LookupResult } from '../../src/storage/lookup.js';
import {
  EngineRig,
  encodeRun,
  InlineJobs,
  PlainArenas,
  RIG_DIR,
  smallOptions,
} from '../harness/engine-rig.js';
import { ManualClock } from '../harness/manual-clock.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Engine');
const DISTRUST = `${RIG_DIR}/${DISTRUST_FILE}`;

/** Writes `k0`, `k1` …, each with its number, until the engine holds or refuses one. */
function writeUpTo(rig: EngineRig, from: number, count: number, length = 10): number {
  for (let i = from; i < from + count; i++) {
    if (rig.write([[{ key: `k${i}`, value: `${i}`.padEnd(length, '.') }]]) === undefined) return i;
  }
  return from + count;
}

/** How many of `k0` … are there without a gap; fails when one behind the gap is. */
function prefixOf(rig: EngineRig, count: number, where: string): number {
  let length = 0;
  while (length < count && rig.get(`k${length}`) !== undefined) length++;
  for (let i = length; i < count; i++) {
    assert.is(rig.get(`k${i}`), undefined, `${where}: k${i}, but not k${length}`);
  }
  return length;
}

test('shows a write to readers only once it is settled', () => {
  for (const walSync of ['always', 'interval', 'os'] as const) {
    const { engine } = new EngineRig(new SimulatedDisk(), 1, smallOptions({ walSync }));
    const found = new LookupResult();
    const key = Buffer.from('k');
    const encoded = encodeRun([{ key: 'k', value: 'v' }]);
    const group = engine.openGroup();
    if (group === undefined) throw new Error('No group');
    group.stage(0, 0, encoded, 0, encoded.length);
    assert.is(engine.admitStaged(group).kind, 'accept');
    assert.not(engine.get(key, 0, 1, found), 'staged');
    engine.commit(group);
    assert.not(engine.get(key, 0, 1, found), `${walSync}: on its way`);
    assert.is(engine.nextSettled(), group);
    assert.ok(engine.get(key, 0, 1, found), 'settled');
    assert.is(engine.nextSettled(), undefined);
  }
});

test('counts an unsettled write in for conditions, and says that it is provisional', () => {
  const { engine } = new EngineRig(new SimulatedDisk(), 1);
  const key = Buffer.from('k');
  const stage = (value: string | undefined) => {
    const encoded = encodeRun([{ key: 'k', value }]);
    const group = engine.openGroup();
    if (group === undefined) throw new Error('No group');
    group.stage(0, 0, encoded, 0, encoded.length);
    return group;
  };
  const first = stage('1');
  assert.equal(engine.versionOf(first, key, 0, 1), { version: 1, provisional: true });
  engine.commit(first);
  const second = stage(undefined);
  assert.equal(engine.versionOf(second, key, 0, 1), { version: 0, provisional: true });
  second.reset();
  assert.equal(engine.versionOf(second, key, 0, 1), { version: 1, provisional: true });
  engine.nextSettled();
  assert.equal(engine.versionOf(second, key, 0, 1), { version: 1, provisional: false });
});

test('with syncs at intervals, keeps all through a crash of the process', () => {
  for (const walSync of ['interval', 'os'] as const) {
    const disk = new SimulatedDisk();
    const rig = new EngineRig(disk, 1, smallOptions({ walSync }));
    rig.settle();
    assert.is(writeUpTo(rig, 0, 10), 10);
    disk.processCrash();
    const again = new EngineRig(disk, 2, smallOptions({ walSync }));
    assert.is(prefixOf(again, 10, walSync), 10);
  }
});

test('with syncs at intervals, loses at most an interval to a power loss', () => {
  const disk = new SimulatedDisk();
  const options = smallOptions({ walSync: 'interval', walIdleSealMs: 100_000 });
  const rig = new EngineRig(disk, 1, options);
  rig.settle();
  writeUpTo(rig, 0, 3);
  rig.engine.maintain();
  writeUpTo(rig, 3, 3);
  rig.clock.advance(options.walSyncIntervalMs - 1);
  const due = rig.engine.maintain();
  assert.ok(due <= rig.clock.monotonicMs() + 1, 'it wants to be called when the interval ends');
  const early = disk.clone();
  early.crash(1, 'synced-only');
  assert.is(prefixOf(new EngineRig(early, 2, options), 6, 'before'), 3);
  rig.clock.advance(1);
  rig.engine.maintain();
  disk.crash(1, 'synced-only');
  assert.is(prefixOf(new EngineRig(disk, 2, options), 6, 'after'), 6);
});

test('without syncs of its own, opens after any power loss with a prefix of the writes', () => {
  for (const walSync of ['interval', 'os'] as const) {
    let lost = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const disk = new SimulatedDisk();
      const options = smallOptions({ walSync });
      const rig = new EngineRig(disk, seed, options);
      const random = new SeededRandom(seed);
      let written = 0;
      for (let i = 0; i < 40; i++) {
        const next = writeUpTo(rig, written, 1 + random.nextInt(3), 300);
        if (next === written) rig.settle();
        written = next;
        rig.clock.advance(random.nextInt(20));
        rig.engine.maintain();
        if (random.chance(0.5)) rig.jobs.runOne();
      }
      const durable = rig.engine.figures().durableSequence;
      disk.crash(seed, random.pick(['subset', 'subset', 'prefix', 'synced-only']));
      const where = `${walSync}, seed ${seed}`;
      const kept = prefixOf(new EngineRig(disk, seed + 1, options), written, where);
      assert.ok(kept >= durable, `${where}: ${kept} kept, ${durable} were durable`);
      if (kept < written) lost++;
    }
    assert.ok(lost > 10, `${walSync}: in ${lost} runs something was lost`);
  }
});

test('on a full disk holds or refuses writes, answers reads, and goes on by itself', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const disk = new SimulatedDisk();
    const rig = new EngineRig(disk, seed);
    rig.settle();
    const random = new SeededRandom(seed);
    disk.quotaBytes = disk.usedBytes + random.nextInt(200 * 1024);
    let written = 0;
    let held = 0;
    for (let i = 0; held < 20; i++) {
      assert.ok(i < 2000, 'the disk is full some time');
      const next = writeUpTo(rig, written, 1, 700);
      held = next === written ? held + 1 : 0;
      written = next;
      rig.clock.advance(100);
      rig.engine.maintain();
      while (rig.jobs.count > 0) rig.jobs.runOne();
    }
    assert.is(rig.engine.poison, undefined, `seed ${seed}`);
    assert.is(prefixOf(rig, written + 1, 'full'), written);
    const encoded = encodeRun([{ key: 'more', value: 'v'.repeat(3000) }]);
    const pressure = pressureOf(rig.engine, encoded);
    if (pressure.kind !== 'refuse') throw new Error(`seed ${seed}: ${pressure.kind}`);
    assert.match(pressure.message, /ENOSPC/);
    assert.ok(pressure.retryAfterMs > 0);
    reopened(disk, seed, written);
    disk.quotaBytes = 2 ** 40;
    rig.clock.advance(60_000);
    rig.settle();
    assert.is(writeUpTo(rig, written, 1, 700), written + 1, `seed ${seed}: it goes on`);
    assert.is(prefixOf(rig, written + 1, 'afterwards'), written + 1);
    disk.crash(seed, 'synced-only');
    assert.is(prefixOf(new EngineRig(disk, 77), written + 1, 'reopened'), written + 1);
  }
});

function pressureOf(engine: Engine, encoded: Uint8Array) {
  const group = engine.openGroup();
  if (group === undefined) throw new Error('No group');
  group.stage(0, 0, encoded, 0, encoded.length);
  const pressure = engine.admitStaged(group);
  engine.recycle(group);
  return pressure;
}

/** A full disk must not keep its own data from being opened once there is room again. */
function reopened(disk: SimulatedDisk, seed: number, written: number): void {
  const copy = disk.clone();
  copy.crash(seed, 'subset');
  try {
    new EngineRig(copy, seed);
  } catch (error) {
    assert.match(String(error), /ENOSPC|could not be made safe/);
  }
  copy.processCrash();
  copy.quotaBytes = 2 ** 40;
  assert.is(prefixOf(new EngineRig(copy, seed), written, `seed ${seed}, opened`), written);
}

test('keeps flushed MemTables while the manifest cannot be synced, and commits them later', () => {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 1);
  rig.settle();
  disk.fail({ kind: 'sync', code: 'EIO', path: 'manifest', sticky: true });
  let written = 0;
  for (let i = 0; i < 200; i++) {
    written = writeUpTo(rig, written, 1, 1000);
    rig.clock.advance(50);
    rig.engine.maintain();
    while (rig.jobs.count > 0) rig.jobs.runOne();
  }
  assert.is(rig.engine.poison, undefined, 'the manifest does not poison the log');
  assert.is(rig.engine.figures().flushesTotal, 0);
  assert.ok(rig.engine.figures().frozenMemTables > 0);
  assert.is(prefixOf(rig, written, 'meanwhile'), written);
  const meanwhile = disk.clone();
  meanwhile.crash(3, 'subset');
  assert.is(prefixOf(new EngineRig(meanwhile, 2), written, 'opened meanwhile'), written);
  disk.clearFaults();
  rig.clock.advance(60_000);
  rig.settle();
  assert.ok(rig.engine.figures().flushesTotal > 0);
  assert.is(rig.engine.figures().frozenMemTables, 0);
  assert.is(prefixOf(rig, written, 'afterwards'), written);
  disk.crash(4, 'synced-only');
  assert.is(prefixOf(new EngineRig(disk, 2), written, 'opened afterwards'), written);
});

interface Poisoned {
  disk: SimulatedDisk;
  options: EngineOptions;
}

/** Five writes, and a sixth whose sync fails. */
function poisoned(): Poisoned {
  const disk = new SimulatedDisk();
  const options = smallOptions();
  const rig = new EngineRig(disk, 1, options);
  rig.settle();
  writeUpTo(rig, 0, 5);
  disk.fail({ kind: 'sync', code: 'EIO', path: '.seg' });
  assert.throws(() => writeUpTo(rig, 5, 1));
  assert.match(rig.engine.poison ?? '', /EIO/);
  assert.is(rig.engine.openGroup(), undefined, 'nothing is taken any more');
  assert.is(prefixOf(rig, 6, 'poisoned'), 5, 'what is durable is still read');
  rig.engine.close();
  return { disk, options };
}

test('leaves a word of distrust when a sync fails, and seals nothing', () => {
  const { disk } = poisoned();
  assert.is(disk.stat(DISTRUST)?.kind, 'file');
});

test('serves what it replays after a failed sync only from fresh files', () => {
  const { disk, options } = poisoned();
  disk.processCrash();
  const jobs = new InlineJobs(disk);
  const clock = new ManualClock();
  const arenas = new PlainArenas(4, options.arenaBytes);
  const random = new SeededRandom(5);
  const engine = Engine.open({ fs: disk, clock, random, jobs, arenas }, options);
  assert.not(engine.replayIsSafe);
  engine.maintain();
  assert.not(engine.replayIsSafe, 'a job that is ordered is not done');
  assert.is(disk.stat(DISTRUST)?.kind, 'file');
  jobs.runAll('flush');
  engine.maintain();
  assert.ok(engine.replayIsSafe);
  assert.is(disk.stat(DISTRUST), undefined, 'trust is back');
  assert.ok(engine.figures().tables > 0);
  engine.close();
  disk.crash(1, 'synced-only');
  const rig = new EngineRig(disk, 6, options);
  assert.is(prefixOf(rig, 6, 'after a power loss'), 6, 'what was replayed was kept');
});

test('distrusts also when only the supervisor remembers the failed sync', () => {
  const { disk, options } = poisoned();
  disk.processCrash();
  disk.remove(DISTRUST);
  const jobs = new InlineJobs(disk);
  const arenas = new PlainArenas(4, options.arenaBytes);
  const random = new SeededRandom(5);
  const env = { fs: disk, clock: new ManualClock(), random, jobs, arenas };
  const engine = Engine.open(env, options, true);
  assert.not(engine.replayIsSafe);
});

test('finds nothing to distrust where nothing is replayed', () => {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 1);
  rig.engine.close();
  disk.open(DISTRUST, 'create').close();
  const again = new EngineRig(disk, 2);
  assert.ok(again.engine.replayIsSafe);
  assert.is(disk.stat(DISTRUST), undefined);
});

run();
