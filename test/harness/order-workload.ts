/**
 * A workload without any chance in it: it writes, flushes, merges and recycles in the same order
 * each time, so that a test can stop it before every single thing it does to the disk.
 */
import { type Change, EngineRig, Oracle, smallOptions } from './engine-rig.js';
import type { SimulatedDisk } from './simulated-disk.js';
import type { CrashMode } from './simulated-file.js';

export const STEPS = 50;
export const MODES: readonly CrashMode[] = ['synced-only', 'prefix', 'subset', 'subset'];
export const OPTIONS = smallOptions({ mergeFanIn: 2 });

/** What happened to each batch, in order: an oracle can be made of it again and again. */
export type Event = { batch: Change[]; acknowledged: boolean };

function batchOf(step: number): Change[] {
  return [0, 1, 2, 3].map((n) => {
    const key = `key-${(step * 3 + n * 7) % 40}`;
    if ((step + n) % 9 === 0) return { key, value: undefined };
    return { key, value: `${step}:${'x'.repeat(100 * ((step * 5 + n) % 9))}` };
  });
}

/** Writes, flushes and merges; ends early when the disk goes down or a sync fails. */
export function work(rig: EngineRig, from: number, count: number): Event[] {
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

export function isDown(error: unknown): boolean {
  return (
    error instanceof Error &&
    /down|Poisoned|stops acknowledging/.test(`${error.message} ${String(error.cause)}`)
  );
}

export function faultsOf(rig: EngineRig, events: Event[]): string[] {
  const oracle = new Oracle();
  for (const { batch, acknowledged } of events) {
    if (acknowledged) oracle.acknowledge(batch);
    else oracle.attempt(batch);
  }
  return oracle.check((key) => rig.get(key));
}

/** Opens the store with all its jobs done; says where it could not. */
export function openOrSay(disk: SimulatedDisk, where: string): EngineRig {
  try {
    return new EngineRig(disk, 99, OPTIONS);
  } catch (error) {
    throw new Error(`${where}: ${String(error)}`, { cause: error });
  }
}

/** Every key that was tried. */
export function keysOf(events: Event[]): string[] {
  return [...new Set(events.flatMap(({ batch }) => batch.map(({ key }) => key)))];
}
