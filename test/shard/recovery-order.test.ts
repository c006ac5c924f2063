/**
 * The order of things in recovery. A process dies and leaves in the page cache what the disk does
 * not have: a frame, an edit, a name. Recovery reads it as if it were durable, and then the power
 * fails, before each single change that recovery makes to the disk.
 *
 * Not by chance but one by one: every sync of a workload is the moment of the first death.
 */
import * as assert from 'uvu/assert';
import { EngineRig } from '../harness/engine-rig.js';
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
import type { CrashMode } from '../harness/simulated-file.js';
import { SimulatedCrash } from '../harness/simulated-operations.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Recovery');
/** Runs the workload and ends the process before its n-th sync; undefined when it has fewer. */
function dieBeforeSync(n: number): { disk: SimulatedDisk; events: Event[] } | undefined {
  const disk = new SimulatedDisk();
  let left = n;
  disk.beforeOperation = ({ kind }) => {
    if ((kind === 'sync' || kind === 'syncDir') && --left === 0) throw new SimulatedCrash();
  };
  let events: Event[] = [];
  try {
    events = work(new EngineRig(disk, 1, OPTIONS), 0, STEPS);
  } catch (error) {
    // The first opening is a moment like any other.
    if (!isDown(error)) throw error;
  }
  if (left > 0) return undefined;
  disk.beforeOperation = undefined;
  disk.processCrash();
  return { disk, events };
}

/** Opens a copy of the disk, whose power fails before the n-th change; false when it had fewer. */
function failInRecovery(disk: SimulatedDisk, n: number, mode: CrashMode, seed: number): boolean {
  disk.crashBeforeChange(n);
  try {
    new EngineRig(disk, seed, OPTIONS);
    disk.clearFaults();
    disk.crash(seed, 'synced-only');
    return false;
  } catch (error) {
    if (!isDown(error)) throw error;
    disk.crash(seed, mode);
    return true;
  }
}

test('keeps everything when the power fails at any change it makes after a crash of the process', () => {
  let deaths = 0;
  let states = 0;
  for (;;) {
    const left = dieBeforeSync(deaths + 1);
    if (left === undefined) break;
    deaths++;
    for (let n = 1, isOpen = true; isOpen; n++) {
      for (const mode of MODES) {
        const disk = left.disk.clone();
        isOpen = failInRecovery(disk, n, mode, ++states);
        const where = `death ${deaths}, change ${n}, ${mode}`;
        const rig = openOrSay(disk, where);
        assert.equal(faultsOf(rig, left.events), [], where);
      }
    }
  }
  console.log(JSON.stringify({ deaths, states }));
  assert.ok(deaths > 80 && states > 4000, `${deaths} deaths, ${states} states`);
}, 60_000);

run();
