/** A closed loop of batches into one engine, with housekeeping and the event loop in between. */
import type { Engine } from '../../src/shard/engine.js';
import { eventLoopTurn } from './bench-engine.js';
import type { StormWatch } from './storm.js';
import { BatchMaker } from './storm-keys.js';

/** The event loop is kept waiting no longer: results of jobs come through it. */
const YIELD_MS = 5;

export interface StormSettings {
  entries: number;
  batch: number;
  outstanding: number;
}

/**
 * Writes until `entries` are acknowledged; every turn takes what is outstanding as one group.
 * Returns the number of groups.
 */
export async function writeStorm(
  engine: Engine,
  { entries, batch, outstanding }: StormSettings,
  seed: number,
  watch: StormWatch,
): Promise<number> {
  const maker = new BatchMaker(batch, seed);
  let groups = 0;
  let yieldAt = performance.now() + YIELD_MS;
  /** Refused by a full MemTable; it comes first the next time. */
  let heldRun: Uint8Array | undefined;
  while (watch.acknowledged < entries) {
    const group = engine.openGroup();
    if (group === undefined) throw new Error(`Poisoned: ${engine.poison}`);
    let held = false;
    const left = Math.ceil((entries - watch.acknowledged) / batch);
    for (let i = 0; i < Math.min(outstanding, left) && !held; i++) {
      const run = heldRun ?? maker.make();
      heldRun = undefined;
      group.stage(0, i, run, 0, run.length);
      const { kind } = engine.admitStaged(group);
      held = kind !== 'accept';
      if (held) {
        group.unstage();
        heldRun = run;
      }
      if (kind === 'refuse' || kind === 'too-large') throw new Error(`The engine answers ${kind}`);
    }
    if (group.count > 0) {
      engine.commit(group);
      groups++;
      for (let done = engine.nextSettled(); done !== undefined; done = engine.nextSettled()) {
        watch.acknowledge(done.count);
        engine.recycle(done);
      }
    } else {
      engine.recycle(group);
    }
    const dueMs = engine.maintain();
    if (!held && performance.now() < yieldAt) continue;
    // A shard's thread would park until then; what runs in the background wants the processor.
    const restMs = engine.isDelaying ? dueMs - performance.now() : 0;
    if (restMs > 1) await new Promise((resolve) => setTimeout(resolve, restMs));
    else await eventLoopTurn();
    yieldAt = performance.now() + YIELD_MS;
  }
  return groups;
}
