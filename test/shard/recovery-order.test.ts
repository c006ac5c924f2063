/**
 * The order of things in recovery. A process dies and leaves in the page cache what the disk does
 * not have: a frame, an edit, a name. Recovery reads it as if it were durable, and then the power
 * fails, before each single change that recovery makes to the disk. And: a sync fails, the shard
 * opens anew and goes on, and then the power fails.
 *
 * Not by chance but one by one: every sync of a workload is the moment of the first death.
 */
import * as assert from 'uvu/assert';
import { type Change, EngineRig, Oracle, smallOptions } from '../harness/engine-rig.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import type { CrashMode } from '../harness/simulated-file.js';
import { SimulatedCrash } from '../harness/simulated-operations.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Recovery');
const STEPS = 50;
const MODES: readonly CrashMode[] = ['synced-only', 'prefix', 'subset', 'subset'];
const OPTIONS = smallOptions({ mergeFanIn: 2 });

/** What happened to each batch, in order: an oracle can be made of it again and again. */
type Event = { batch: Change[]; acknowledged: boolean };

function batchOf(step: number): Change[] {
  return [0, 1, 2, 3].map((n) => {
    const key = `key-${(step * 3 + n * 7) % 40}`;
    if ((step + n) % 9 === 0) return { key, value: undefined };
    return { key, value: `${step}:${'x'.repeat(100 * ((step * 5 + n) % 9))}` };
  });
}

/** Writes, flushes and merges; ends early when the disk goes down or a sync fails. */
function work(rig: EngineRig, from: number, count: number): Event[] {
  const events: Event[] = [];
  try {
    for (let step = from; step < from + count; step++) {
      const event = { batch: batchOf(step), acknowledged: false };
      events.push(event);
      while (rig.write([event.batch]) === undefined) {
        // What failed in the background is tried again after a while.
        rig.clock.advance(1000);
        rig.settle();
      }
      event.acknowledged = true;
      rig.clock.advance(5);
      rig.engine.maintain();
      rig.jobs.runOne();
    }
  } catch (error) {
    if (!isDown(error)) throw error;
  }
  return events;
}

function isDown(error: unknown): boolean {
  return (
    error instanceof Error &&
    /down|Poisoned|stops acknowledging/.test(`${error.message} ${String(error.cause)}`)
  );
}

function faultsOf(rig: EngineRig, events: Event[]): string[] {
  const oracle = new Oracle();
  for (const { batch, acknowledged } of events) {
    if (acknowledged) oracle.acknowledge(batch);
    else oracle.attempt(batch);
  }
  return oracle.check((key) => rig.get(key));
}

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
function failInRecovery(disk: SimulatedDisk, n: number, seed: number): boolean {
  disk.crashBeforeChange(n);
  try {
    new EngineRig(disk, seed, OPTIONS);
    disk.clearFaults();
    disk.crash(seed, 'synced-only');
    return false;
  } catch (error) {
    if (!isDown(error)) throw error;
    disk.crash(seed, MODES[seed % MODES.length]);
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
      for (let seed = 0; seed < MODES.length; seed++) {
        const disk = left.disk.clone();
        isOpen = failInRecovery(disk, n, seed);
        const where = `death ${deaths}, change ${n}, ${MODES[seed]}`;
        const rig = openOrSay(disk, where);
        assert.equal(faultsOf(rig, left.events), [], where);
        states++;
      }
    }
  }
  console.log(JSON.stringify({ deaths, states }));
  assert.ok(deaths > 80 && states > 4000, `${deaths} deaths, ${states} states`);
}, 60_000);

function openOrSay(disk: SimulatedDisk, where: string): EngineRig {
  try {
    return new EngineRig(disk, 99, OPTIONS);
  } catch (error) {
    throw new Error(`${where}: ${String(error)}`, { cause: error });
  }
}

/** The n-th sync of a segment fails in a workload of so many steps; then a new opening, and so on. */
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

function keysOf(events: Event[]): string[] {
  return [...new Set(events.flatMap(({ batch }) => batch.map(({ key }) => key)))];
}

run();
