/**
 * Power losses under the simulated disk, by seed: random writes, a crash before a random change to
 * the disk, a random legal state of what was not synced, recovery (which may crash again), and the
 * question whether every acknowledged write is there. Also: what a reader saw after the crash of
 * the process alone must survive a power loss that follows.
 */
import * as assert from 'uvu/assert';
import { type Change, EngineRig, Oracle, smallOptions } from '../harness/engine-rig.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { SimulatedCrash } from '../harness/simulated-operations.js';
import { suite } from '../harness/suite.js';

const SEEDS = Number(process.env['CRASH_SEEDS'] ?? 1500);
const MODES = ['subset', 'subset', 'subset', 'prefix', 'synced-only', 'all'] as const;

const crashes = suite('Engine on a disk that loses power');

interface Totals {
  crashes: number;
  crashesInRecovery: number;
  processCrashes: number;
  tornTails: number;
  acknowledged: number;
  batches: number;
}

/** What a store's sequence numbers may be: the last one acknowledged, and the last one tried. */
interface Sequences {
  acknowledged: number;
  tried: number;
}

function randomBatch(random: SeededRandom, step: number): Change[] {
  const keys = new Set<string>();
  for (let n = 1 + random.nextInt(4); n > 0; n--) keys.add(`key-${random.nextInt(60)}`);
  return [...keys].map((key) => {
    if (random.chance(0.15)) return { key, value: undefined };
    const padding = random.chance(0.5) ? 'x'.repeat(random.nextInt(1500)) : '';
    return { key, value: `${step}:${padding}` };
  });
}

/** One store through several lives. Returns what went wrong, if anything. */
function runSeed(seed: number, totals: Totals): string[] {
  const random = new SeededRandom(seed);
  const disk = new SimulatedDisk();
  const oracle = new Oracle();
  const sequences = { acknowledged: 0, tried: 0 };
  let rig = new EngineRig(disk, seed * 100);
  for (let life = 0; life < 4; life++) {
    const open = writeUntilCrash(disk, rig, oracle, random, totals, sequences);
    crash(disk, random, totals);
    try {
      rig = reopen(disk, seed * 100 + life * 10, random, totals);
    } catch (error) {
      return [`seed ${seed}, life ${life}: ${String(error)}`];
    }
    const faults = [...oracle.check((key) => rig.get(key)), ...checkAtomic(open, rig)];
    faults.push(...checkSequence(rig, sequences));
    if (faults.length > 0) return [`seed ${seed}, life ${life}`, ...faults];
  }
  return [];
}

/** Writes until the disk goes down; returns the batches that were not answered. */
function writeUntilCrash(
  disk: SimulatedDisk,
  rig: EngineRig,
  oracle: Oracle,
  random: SeededRandom,
  totals: Totals,
  sequences: Sequences,
): Change[][] {
  const steps = 20 + random.nextInt(80);
  if (random.chance(0.4)) disk.crashBeforeChange(1 + random.nextInt(steps * 4));
  else if (random.chance(0.8)) crashBeforeSegmentSync(disk, 1 + random.nextInt(steps));
  for (let step = 0; step < steps; step++) {
    const batches = [randomBatch(random, totals.batches++)];
    try {
      for (const batch of batches) oracle.attempt(batch);
      sequences.tried = sequences.acknowledged + batches.flat().length;
      const written = rig.write(batches);
      if (written === undefined) sequences.tried = sequences.acknowledged;
      else sequences.acknowledged = sequences.tried;
      for (const batch of batches) {
        if (written === undefined) oracle.withdraw(batch);
        else oracle.acknowledge(batch);
      }
      if (written === undefined) rig.settle();
      if (random.chance(0.3)) rig.clock.advance(random.nextInt(40));
      rig.engine.maintain();
      if (random.chance(0.4)) rig.jobs.runOne();
    } catch {
      return batches;
    }
  }
  totals.acknowledged = oracle.acknowledged;
  return [];
}

/** The frame written last to a segment, and what lay there before. */
interface LastFrame {
  path: string;
  position: number;
  length: number;
  before: Buffer;
}
let lastFrame: LastFrame | undefined;

/** Between the write of a frame and its sync: the moment that tears it. */
function crashBeforeSegmentSync(disk: SimulatedDisk, n: number): void {
  let left = n;
  disk.beforeOperation = ({ kind, path, position = 0, length = 0 }) => {
    if (!path.endsWith('.seg')) return;
    if (kind === 'write' && left <= 2) {
      const before = sliceOf(disk, path, position, length);
      lastFrame = { path, position, length, before };
    }
    if (kind === 'sync' && --left === 0) throw new SimulatedCrash();
  };
}

function sliceOf(disk: SimulatedDisk, path: string, position: number, length: number): Buffer {
  return Buffer.from(disk.contentOf(path).subarray(position, position + length));
}

function crash(disk: SimulatedDisk, random: SeededRandom, totals: Totals): void {
  disk.beforeOperation = undefined;
  const frame = lastFrame;
  lastFrame = undefined;
  if (random.chance(0.2)) {
    disk.processCrash();
    totals.processCrashes++;
    return;
  }
  totals.crashes++;
  if (frame === undefined) {
    disk.crash(random, random.pick(MODES));
    return;
  }
  const { path, position, length, before } = frame;
  const written = sliceOf(disk, path, position, length);
  disk.crash(random, random.pick(MODES));
  if (disk.stat(path) === undefined) return;
  const left = sliceOf(disk, path, position, length);
  if (!left.equals(before) && !left.equals(written)) totals.tornTails++;
}

/** Opens the store; half of the time the power fails again while it recovers. */
function reopen(
  disk: SimulatedDisk,
  seed: number,
  random: SeededRandom,
  totals: Totals,
): EngineRig {
  for (let attempt = 0; ; attempt++) {
    if (attempt < 2 && random.chance(0.3)) disk.crashBeforeChange(1 + random.nextInt(25));
    const changesBefore = disk.changeCount;
    try {
      const rig = new EngineRig(disk, seed + attempt);
      disk.clearFaults();
      return rig;
    } catch (error) {
      if (!(error instanceof Error && /down/.test(`${error.message} ${String(error.cause)}`))) {
        throw error;
      }
      assert.ok(disk.changeCount > changesBefore, 'a crash in recovery happens at a change');
      totals.crashesInRecovery++;
      disk.crash(random, random.pick(MODES));
    }
  }
}

/** No number is given out twice, and none comes from a frame of a former life of the log. */
function checkSequence(rig: EngineRig, sequences: Sequences): string[] {
  const { lastSequence } = rig.engine.report;
  const { acknowledged, tried } = sequences;
  Object.assign(sequences, { acknowledged: lastSequence, tried: lastSequence });
  if (lastSequence >= acknowledged && lastSequence <= tried) return [];
  return [`the last sequence is ${lastSequence}, expected ${acknowledged} to ${tried}`];
}

/** The batch in flight is there as a whole or not at all. */
function checkAtomic(open: Change[][], rig: EngineRig): string[] {
  const faults: string[] = [];
  for (const batch of open) {
    const seen = batch.filter(({ key, value }) => rig.get(key) === value && value !== undefined);
    const puts = batch.filter(({ value }) => value !== undefined);
    if (seen.length !== 0 && seen.length !== puts.length) {
      faults.push(`a batch is there by half: ${JSON.stringify(batch).slice(0, 200)}`);
    }
  }
  return faults;
}

crashes.test(
  `loses no acknowledged write in ${SEEDS} seeds of up to four lives`,
  () => {
    const totals: Totals = {
      crashes: 0,
      crashesInRecovery: 0,
      processCrashes: 0,
      tornTails: 0,
      acknowledged: 0,
      batches: 0,
    };
    let acknowledged = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const faults = runSeed(seed, totals);
      assert.equal(faults, [], faults.join('\n'));
      acknowledged += totals.acknowledged;
    }
    console.log(JSON.stringify({ seeds: SEEDS, ...totals, acknowledged }));
    assert.ok(totals.tornTails > SEEDS / 10, `torn tails occurred ${totals.tornTails} times`);
    assert.ok(totals.crashesInRecovery > SEEDS / 8, 'recoveries were interrupted');
    assert.ok(totals.processCrashes > SEEDS / 4, 'processes crashed without power loss');
  },
  240_000,
);

crashes.test('keeps what a reader saw after a process crash through a power loss', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const disk = new SimulatedDisk();
    const rig = new EngineRig(disk, seed);
    rig.write([[{ key: 'a', value: 'old' }]]);
    // The frame reaches the page cache, its sync never happens.
    disk.fail({ kind: 'sync', code: 'EIO', path: '.seg' });
    assert.throws(() => rig.write([[{ key: 'a', value: 'new' }]]));
    disk.processCrash();
    const second = new EngineRig(disk, seed + 1000);
    const seen = second.get('a');
    assert.is(seen, 'new', 'a replayed write is served');
    disk.crash(seed, 'subset');
    const third = new EngineRig(disk, seed + 2000);
    assert.is(third.get('a'), seen);
  }
});

crashes.test('serves every write again when the log spans many MemTables', () => {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 7, smallOptions({ walLiveBytesMax: 4 << 20 }), 40);
  const oracle = new Oracle();
  for (let i = 0; i < 300; i++) {
    const batch = [{ key: `k${i}`, value: 'v'.repeat(500) }];
    assert.ok(rig.write([batch]) !== undefined, 'arenas are plenty');
    oracle.acknowledge(batch);
    // No flush ever runs: everything stays in the log.
    rig.engine.maintain();
    rig.jobs.runAll('fill-segment');
  }
  disk.crash(3, 'synced-only');
  const again = new EngineRig(disk, 8, smallOptions(), 2);
  assert.equal(
    oracle.check((key) => again.get(key)),
    [],
  );
});

crashes.run();
