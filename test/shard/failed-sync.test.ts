/**
 * A sync of the log fails, the shard opens anew and goes on, and then the power fails: at each sync
 * of short workloads.
 */
import * as assert from 'uvu/assert';
import { EngineRig } from '../harness/engine-rig.js';
import {
  faultsOf,
  keysOf,
  MODES,
  OPTIONS,
  openOrSay,
  STEPS,
  work,
} from '../harness/order-workload.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Shard');

/**
 * The n-th sync of a segment fails in a workload of so many steps; then a new opening, and so on.
 */
function failSync(nth: number, steps: number): void {
  const where = `sync ${nth} of ${steps} steps`;
  const disk = new SimulatedDisk();
  const first = new EngineRig(disk, 1, OPTIONS);
  disk.fail({ kind: 'sync', code: 'EIO', path: '.seg', nth });
  const events = work(first, 0, steps);
  disk.processCrash();
  const second = new EngineRig(disk, 2, OPTIONS);
  assert.equal(faultsOf(second, events), [], `${where}, in the same boot`);
  const seen = new Map(keysOf(events).map((key) => [key, second.get(key)]));
  const later = work(second, STEPS, 4);
  assert.ok(later.every(({ acknowledged }) => acknowledged));
  disk.crash(nth, MODES[nth % MODES.length]);
  const third = openOrSay(disk, where);
  const known = [...seen].map(([key, value]) => ({ batch: [{ key, value }], acknowledged: true }));
  assert.equal(faultsOf(third, [...known, ...later]), [], `${where}, after the power loss`);
}

test('keeps what is written after a failed sync and a new opening, when the power fails then', () => {
  // Of few steps, because a flush makes good what a lost frame has done.
  for (const steps of [3, 7, 12, 20, STEPS]) {
    for (let nth = 1; nth <= steps + 10; nth++) failSync(nth, steps);
  }
});

run();
