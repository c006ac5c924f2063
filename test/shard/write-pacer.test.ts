import * as assert from 'uvu/assert';
import { WritePacer } from '../../src/shard/write-pacer.js';
import type { Load } from '../../src/shard/write-pressure.js';
import { PLANT, PressurePlant } from '../harness/pressure-plant.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('WritePacer');

const MIB = 2 ** 20;
const DRAIN = { flush: 1_000_000, merge: 1_000_000 };
const LOAD: Load = {
  activeFill: 0,
  frozenMemTables: 0,
  arenaAtHand: true,
  sortedRuns: 0,
  debtBytes: 0,
  oldestRunBytes: 0,
};
const LIMITS = { ...PLANT.limits, bytesPerSecondMin: 1000 };
/** Half way between the limits, where the pace is what the drain can do. */
const STRAINED: Load = { ...LOAD, sortedRuns: 38 };

/** One that has followed the strain for long. */
function strainedPacer(): WritePacer {
  const pacer = new WritePacer(LIMITS, 0);
  for (let ms = 1; ms <= 1000; ms++) pacer.look(ms, STRAINED, DRAIN);
  return pacer;
}

test('lets everything pass while there is no strain', () => {
  const pacer = new WritePacer(LIMITS, 0);
  pacer.look(1, LOAD, DRAIN);
  pacer.take(1, 10 * MIB);
  assert.is(pacer.delayMs(1), 0);
  assert.not(pacer.isFull(10 * MIB));
  assert.is(pacer.pace.because, undefined);
});

test('has each group wait for what the one before took', () => {
  const pacer = strainedPacer();
  assert.is(pacer.pace.because, 'sorted-runs');
  assert.ok(Math.abs(pacer.pace.bytesPerSecond - DRAIN.merge) < 1, 'the pace is that of the drain');
  // What nobody used is saved up, but not for longer than fifty milliseconds.
  pacer.take(1000, 50_000);
  assert.ok(pacer.delayMs(1000) < 0.001);
  pacer.take(1000, 3000);
  assert.ok(Math.abs(pacer.delayMs(1000) - 3) < 0.001, 'three milliseconds for 3,000 bytes');
  assert.ok(Math.abs(pacer.delayMs(1002) - 1) < 0.001);
  assert.ok(pacer.delayMs(1003) < 0.001);
});

test('gives a group what the pace grants for a few milliseconds', () => {
  const pacer = strainedPacer();
  pacer.take(1000, 50_000);
  assert.not(pacer.isFull(3900));
  assert.ok(pacer.isFull(4100));
});

test('lets go of who waits because of a large write as soon as strain falls', () => {
  const pacer = strainedPacer();
  pacer.take(1000, 1_050_000);
  assert.ok(Math.abs(pacer.delayMs(1000) - 1000) < 0.1, 'a second at the pace of the moment');
  for (let ms = 1001; ms <= 1400; ms++) pacer.look(ms, LOAD, DRAIN);
  assert.ok(pacer.delayMs(1400) < 50, `still ${pacer.delayMs(1400)} ms`);
});

test('follows a jump of the strain in many small steps', () => {
  const pacer = new WritePacer(LIMITS, 0);
  let before = 0;
  for (let ms = 1; ms <= 500; ms++) {
    pacer.look(ms, ms < 250 ? { ...LOAD, sortedRuns: 999 } : LOAD, DRAIN);
    const msPerKilobyte = 1e6 / pacer.pace.bytesPerSecond;
    // From nothing to ten milliseconds for each of them: none of the steps is more than a tenth.
    assert.ok(Math.abs(msPerKilobyte - before) < 1, `from ${before} to ${msPerKilobyte}`);
    before = msPerKilobyte;
  }
});

/** Storms of `rate` MiB/s; what the plant can flush is 60, what it can merge depends. */
const STORMS = [
  { name: 'a load that it can carry', rate: 20, seconds: 30, change: {}, changes: 0 },
  { name: 'more than it can flush', rate: 200, seconds: 20, change: {}, changes: 1 },
  { name: 'little more than it can flush', rate: 70, seconds: 30, change: {}, changes: 1 },
  { name: 'two arenas', rate: 200, seconds: 20, change: { arenas: 2 }, changes: 1 },
  {
    name: 'slow merges',
    rate: 60,
    seconds: 120,
    change: { mergeBytesPerSecond: 100 * MIB, storeBytes: 256 * MIB },
    changes: 2,
  },
  {
    name: 'merges slower than anybody would expect',
    rate: 60,
    seconds: 120,
    change: { mergeBytesPerSecond: 10 * MIB },
    changes: 1,
  },
];

for (const { name, rate, seconds, change, changes } of STORMS) {
  test(`meets a storm smoothly: ${name}`, () => {
    const plant = new PressurePlant({ ...PLANT, ...change });
    plant.run(seconds, rate * MIB);
    const { flushBytesPerSecond } = PLANT;
    const carried = plant.admittedBytes / seconds;
    assert.is(plant.longestHoldMs, 0, 'nothing ever waits for an arena');
    assert.ok(max(plant.delaysMs) <= 30, `a group waited ${max(plant.delaysMs)} ms`);
    assert.ok(plant.longestStepMs < 0.5, `a step of ${plant.longestStepMs} ms for 32 KiB`);
    assert.ok(max(plant.runCounts) < PLANT.limits.runsHard, `${max(plant.runCounts)} runs`);
    assert.ok(plant.stateChanges <= changes, `${plant.stateChanges} changes of state`);
    assert.ok(carried <= 1.2 * Math.min(rate * MIB, flushBytesPerSecond), 'no more than possible');
    if (changes === 0) assert.ok(carried > 0.99 * rate * MIB, 'nothing is slowed without need');
    if (name.includes('flush')) assert.ok(carried > 0.95 * flushBytesPerSecond, 'no less either');
    const { delayedGroupsTotal, delayedMsTotal } = plant.record.figures(plant.nowMs);
    assert.is(delayedGroupsTotal > 0, changes > 0);
    assert.is(delayedMsTotal > 0, changes > 0);

    for (let s = 0; plant.pacer.pace.because !== undefined && s < 400; s++) plant.run(1, 0);
    assert.is(plant.pacer.pace.because, undefined, 'the pace ends when the load does');
    plant.run(3, 0);
    assert.is(plant.record.state, 'none');
    const delayed = plant.record.figures(plant.nowMs).delayedGroupsTotal;
    plant.run(1, 10 * MIB);
    assert.is(plant.record.figures(plant.nowMs).delayedGroupsTotal, delayed, 'and is forgotten');
  });
}

function max(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

run();
