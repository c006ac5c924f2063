/** Overwrites of one key within a MemTable cost neither memory nor table space. */
import * as assert from 'uvu/assert';
import { EngineRig, smallOptions } from '../harness/engine-rig.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Engine');

/** The number as it was written last, in nine digits. */
const numbered = (i: number): string => `${i}`.padStart(9, '0');

function rigOf(): EngineRig {
  // Small groups fill the log long before the arena: keep it out of this.
  return new EngineRig(new SimulatedDisk(), 1, smallOptions({ walLiveBytesMax: 2 ** 30 }));
}

function write(rig: EngineRig, value: string): void {
  for (let tries = 0; rig.write([[{ key: 'hot', value }]]) === undefined; tries++) {
    assert.ok(tries < 10, 'the write finds room');
    rig.settle();
  }
}

test('takes thousands of overwrites of one key without a flush', () => {
  const rig = rigOf();
  for (let i = 0; i < 5000; i++) {
    write(rig, numbered(i));
    rig.engine.maintain();
    rig.jobs.runAll('fill-segment');
  }
  assert.is(rig.engine.figures().flushesTotal, 0);
  assert.is(rig.get('hot'), numbered(4999));
});

test('flushes of each key only what snapshots need', () => {
  const rig = rigOf();
  const seen = new Map<string, ReturnType<typeof rig.engine.openSnapshot>>();
  // Values of changing length are versions of their own, so that the arena fills.
  for (let i = 0; rig.engine.figures().flushesTotal === 0; i++) {
    const value = numbered(i).padEnd(9 + (i % 50), '.');
    write(rig, value);
    if (i === 10 || i === 20 || i === 21) seen.set(value, rig.engine.openSnapshot());
    rig.settle();
  }
  assert.is(rig.engine.figures().tableEntries, 4, 'three snapshots and the newest');
  for (const [value, snapshot] of seen) assert.equal(rig.scan(snapshot), [['hot', value]]);
});

test('overwrites no version that an open snapshot sees', () => {
  const rig = rigOf();
  write(rig, numbered(0));
  write(rig, numbered(1));
  const first = rig.engine.openSnapshot();
  for (let i = 2; i < 100; i++) write(rig, numbered(i));
  const second = rig.engine.openSnapshot();
  for (let i = 100; i < 200; i++) write(rig, numbered(i));
  assert.equal(rig.scan(first), [['hot', numbered(1)]]);
  assert.equal(rig.scan(second), [['hot', numbered(99)]]);
  assert.is(rig.get('hot'), numbered(199));
});

run();
