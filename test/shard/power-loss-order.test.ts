/**
 * The order of things on the disk: the power fails before each change that a workload makes. Not by
 * chance but one by one; the disk is then in several of its legal states.
 */
import * as assert from 'uvu/assert';
import { EngineRig, smallOptions } from '../harness/engine-rig.js';
import {
  type Event,
  faultsOf,
  isDown,
  MODES,
  OPTIONS,
  openOrSay,
  STEPS,
  work,
} from '../harness/order-workload.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Power loss');

test('keeps everything when the power fails at any change that writes, flushes and merges make', () => {
  let changes = 0;
  let states = 0;
  for (;;) {
    const left = failPower(changes + 1);
    if (left === undefined) break;
    changes++;
    for (const mode of [...MODES, ...MODES, ...MODES]) {
      const disk = left.disk.clone();
      disk.crash(++states, mode);
      const where = `change ${changes}, ${mode}`;
      assert.equal(faultsOf(openOrSay(disk, where), left.events), [], where);
    }
  }
  console.log(JSON.stringify({ changes, states }));
  assert.ok(changes > 150, `${changes} changes`);
});

/** Runs the workload until its n-th change of the disk; undefined when it has fewer. */
function failPower(n: number): { disk: SimulatedDisk; events: Event[] } | undefined {
  const disk = new SimulatedDisk();
  disk.crashBeforeChange(n);
  let events: Event[] = [];
  try {
    events = work(new EngineRig(disk, 1, OPTIONS), 0, STEPS);
  } catch (error) {
    if (!isDown(error)) throw error;
  }
  return disk.changeCount < n ? undefined : { disk, events };
}

test('has the name of a new segment on disk before it acknowledges a write in it', () => {
  const disk = new SimulatedDisk();
  const options = smallOptions({ walSparesMax: 0 });
  const write = (key: string) =>
    new EngineRig(disk, 1, options).write([[{ key, value: 'written' }]]);
  assert.ok(write('first') !== undefined);
  disk.processCrash();
  assert.ok(write('second') !== undefined);
  disk.crash(1, 'synced-only');
  const last = new EngineRig(disk, 1, options);
  assert.equal([last.get('first'), last.get('second')], ['written', 'written']);
});

run();
