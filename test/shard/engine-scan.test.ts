/** Scans and snapshots of the engine against a sorted-map model, through flushes and merges. */
import * as assert from 'uvu/assert';
import type { Snapshot } from '../../src/shard/snapshots.js';
import { type Change, EngineRig, smallOptions } from '../harness/engine-rig.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const scans = suite('Engine scans');

function sorted(model: Map<string, string>, from?: string, to?: string): [string, string][] {
  return [...model]
    .filter(([key]) => (from === undefined || key >= from) && (to === undefined || key < to))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function writeSome(rig: EngineRig, model: Map<string, string>, random: SeededRandom): void {
  const batch: Change[] = [{ key: `k${random.nextInt(300)}`, value: `v${random.nextInt(1e6)}` }];
  if (random.chance(0.25)) batch[0] = { key: `k${random.nextInt(300)}`, value: undefined };
  while (rig.write([batch]) === undefined) rig.settle();
  for (const { key, value } of batch) {
    if (value === undefined) model.delete(key);
    else model.set(key, value);
  }
  rig.engine.maintain();
  if (random.chance(0.3)) rig.jobs.runOne();
}

scans.test('shows what a snapshot saw, through flushes, merges and later writes', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = new SeededRandom(seed);
    const rig = new EngineRig(new SimulatedDisk(), seed);
    const model = new Map<string, string>();
    const open: { snapshot: Snapshot; seen: Map<string, string> }[] = [];
    for (let step = 0; step < 1500; step++) {
      writeSome(rig, model, random);
      if (random.chance(0.01))
        open.push({ snapshot: rig.engine.openSnapshot(), seen: new Map(model) });
      if (open.length > 0 && random.chance(0.02)) {
        const at = random.nextInt(open.length);
        const { snapshot, seen } = open[at]!;
        const [from, to] = random.chance(0.5) ? ['k1', 'k2'] : [undefined, undefined];
        assert.equal(
          rig.scan(snapshot, from, to),
          sorted(seen, from, to),
          `seed ${seed}, step ${step}`,
        );
        const backward = rig.scan(snapshot, from, to, 5, true);
        assert.equal(backward.reverse(), sorted(seen, from, to), `seed ${seed}, backward`);
        if (random.chance(0.5)) {
          rig.engine.closeSnapshot(snapshot.id);
          open.splice(at, 1);
        }
      }
    }
    assert.ok(rig.engine.figures().mergesTotal > 3, 'merges happened');
    assert.equal(rig.scan(rig.engine.openSnapshot()), sorted(model));
  }
});

scans.test(
  'sorts a large MemTable in chunks and sees keys written between pages not at all',
  () => {
    const options = smallOptions({
      arenaBytes: 8 << 20,
      walLiveBytesMax: 64 << 20,
      walSegmentBytes: 1 << 20,
    });
    const rig = new EngineRig(new SimulatedDisk(), 1, options);
    const model = new Map<string, string>();
    for (let i = 0; i < 400; i++) {
      const batch = Array.from({ length: 100 }, (_, j) => ({
        key: `${(i * 7919 + j * 104_729) % 1_000_003}`,
        value: 'v',
      }));
      while (rig.write([batch]) === undefined) rig.settle();
      for (const { key } of batch) model.set(key, 'v');
    }
    assert.is(rig.engine.figures().tables, 0, 'all of it is in one MemTable');
    const snapshot = rig.engine.openSnapshot();
    rig.write([[{ key: '5', value: 'late' }]]);
    assert.equal(rig.scan(snapshot, undefined, undefined, 5000), sorted(model));
  },
);

scans.test('closes snapshots that lie idle or grow old, and drops their versions', () => {
  const rig = new EngineRig(new SimulatedDisk(), 1);
  const idle = rig.engine.openSnapshot();
  const used = rig.engine.openSnapshot();
  for (let i = 0; i < 15; i++) {
    rig.clock.advance(20_000);
    if (i < 14) assert.ok(rig.engine.useSnapshot(used.id) !== undefined, `after ${i}`);
  }
  assert.is(rig.engine.useSnapshot(idle.id), undefined);
  assert.is(rig.engine.useSnapshot(used.id), undefined, 'five minutes are the most');
});

scans.test('refuses more snapshots than there may be', () => {
  const rig = new EngineRig(new SimulatedDisk(), 1);
  for (let i = 0; i < 1024; i++) rig.engine.openSnapshot();
  assert.throws(() => rig.engine.openSnapshot(), /1024 snapshots open/);
});

scans.run();
