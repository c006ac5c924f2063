/**
 * The n-th call of the file system fails, for every n: a workload runs again and again, each time
 * with another call that fails, once or for ever. It is driven as the server drives a shard: what
 * is refused is tried again, a poisoned engine is given up and the shard opened anew, and after a
 * few openings that fail the workload ends. Then the disk is well again, and the store must have
 * all that was acknowledged.
 */
import { StormError, systemCodeOf } from '../../src/base/errors.js';
import { CrashMachine, Fault, tinyOptions } from './crash-machine.js';
import { isSame } from './crash-model.js';
import { labelOf } from './crash-operations.js';
import type { Workload } from './crash-workloads.js';
import { SimulatedDisk } from './simulated-disk.js';
import { CHANGES_DISK, type Operation, type OperationKind } from './simulated-operations.js';
import { systemError } from './system-error.js';

const OPENINGS_MAX = 4;
const STACK_FRAMES = 12;

export interface Injection {
  workload: Workload;
  /** Counted from 1. */
  n: number;
  code: string;
  /** Every later call that can fail in this way does. */
  forEver: boolean;
}

/** What the system may answer to a call. */
export function codesFor({ kind, mode }: Operation): readonly string[] {
  switch (kind) {
    case 'open':
      return mode === 'create' ? ['EIO', 'EMFILE', 'ENOSPC'] : ['EIO', 'EMFILE'];
    case 'write':
      return ['EIO', 'ENOSPC', 'SHORT'];
    case 'read':
      return ['EIO', 'SHORT'];
    case 'list':
      return ['EIO', 'EMFILE'];
    case 'rename':
    case 'makeDir':
    case 'link':
    case 'sync':
      return ['EIO', 'ENOSPC'];
    default:
      return ['EIO'];
  }
}

/** A call of a workload that goes well, and where in the program it is made. */
export interface Call {
  operation: Operation;
  site: string;
}

/** The calls of the workload when nothing fails. */
export function callsOf(workload: Workload): Call[] {
  const calls: Call[] = [];
  const machine = new TolerantMachine(new SimulatedDisk(), 1, tinyOptions(workload.options));
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = STACK_FRAMES;
  machine.disk.beforeOperation = (operation) => {
    calls.push({ operation, site: siteOf(operation, new Error().stack ?? '') });
  };
  workload.run(machine);
  Error.stackTraceLimit = before;
  return calls;
}

/** `sync wal at src/storage/wal-writer.js:200`: the nearest line of the program itself. */
function siteOf(operation: Operation, stack: string): string {
  const line = /\/(src\/(?:storage|shard|compactor)\/[\w./-]+:\d+)/.exec(stack)?.[1];
  return `${labelOf(operation)} at ${line ?? 'nowhere'}`;
}

/** The workload cannot go on; whatever it has done so far counts. */
class GaveUp extends Error {}

class TolerantMachine extends CrashMachine {
  override readonly isTolerant = true;
  poisonings = 0;
  refusals = 0;
  #depth = 0;

  override open(): void {
    for (let attempt = 1; ; attempt++) {
      try {
        this.#within(() => super.open());
        return;
      } catch (error) {
        refuseUntyped(error);
        this.abandon();
        this.distrust = true;
        this.refusals++;
        if (attempt === OPENINGS_MAX) throw new GaveUp('the shard does not open', { cause: error });
      }
    }
  }

  override compare(): void {
    try {
      super.compare();
    } catch (error) {
      refuseUntyped(error);
    }
  }

  override put(...batches: Parameters<CrashMachine['put']>): void {
    try {
      this.#within(() => super.put(...batches));
    } catch (error) {
      if (error instanceof Fault && error.message.includes('held')) throw new GaveUp('held');
      refuseUntyped(error);
      this.restart();
    }
  }

  override tryWrite(batch: Parameters<CrashMachine['tryWrite']>[0]): boolean {
    try {
      return super.tryWrite(batch);
    } catch (error) {
      refuseUntyped(error);
      this.restart();
      return true;
    }
  }

  override tick(ms = 0): void {
    try {
      super.tick(ms);
    } catch (error) {
      refuseUntyped(error);
      this.restart();
    }
  }

  /** Within an opening or a write, who called deals with what fails. */
  override rest(): void {
    try {
      super.rest();
    } catch (error) {
      refuseUntyped(error);
      if (this.#depth > 0) throw error;
      this.restart();
    }
  }

  override flush(): void {
    try {
      super.flush();
    } catch (error) {
      if (error instanceof Fault && error.message.includes('No flush'))
        throw new GaveUp('no flush');
      throw error;
    }
  }

  override close(): void {
    const { engine } = this;
    try {
      super.close();
    } catch (error) {
      refuseUntyped(error);
      if (engine.poison !== undefined) this.distrust = true;
    }
  }

  #within(work: () => void): void {
    this.#depth++;
    try {
      work();
    } finally {
      this.#depth--;
    }
  }

  /** Gives a poisoned engine up and opens the shard anew, as the supervisor does. */
  restart(): void {
    if (this.engine.poison === undefined) throw new Fault('a call failed and nothing is poisoned');
    this.poisonings++;
    this.distrust = true;
    this.close();
    this.open();
  }
}

/** What may fail without being a fault of the program: a call of the system, a typed error. */
function refuseUntyped(error: unknown): void {
  if (error instanceof GaveUp || error instanceof Fault) throw error;
  if (isDown(error)) throw error;
  if (error instanceof StormError && error.code !== 'INTERNAL') return;
  if (systemCodeOf(error) !== undefined) return;
  throw new Fault(`an error without a type: ${String(error)}`, { cause: error });
}

function isDown(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at.name === 'SimulatedCrash') return true;
  }
  return false;
}

export interface Outcome {
  /** The call that was to fail came. */
  fired: boolean;
  poisonings: number;
  refusals: number;
  gaveUp: boolean;
}

/** Runs the workload with the injection and judges the store afterwards; throws a Fault. */
export function inject(injection: Injection): Outcome {
  const { workload, n, code, forEver } = injection;
  const disk = new SimulatedDisk({ keepsUnsyncedNames: true });
  const machine = new TolerantMachine(disk, 1, tinyOptions(workload.options));
  let count = 0;
  machine.disk.beforeOperation = (operation) => {
    count++;
    const isDue = count === n || (forEver && count > n && codesFor(operation).includes(code));
    if (isDue) throw systemError(code, operation.kind, operation.path);
  };
  let gaveUp = false;
  try {
    workload.run(machine);
  } catch (error) {
    if (!(error instanceof GaveUp)) throw asFault(injection, error);
    gaveUp = true;
  }
  machine.disk.beforeOperation = undefined;
  try {
    judge(machine, n);
  } catch (error) {
    throw asFault(injection, error);
  }
  const { poisonings, refusals } = machine;
  return { fired: count >= n, poisonings, refusals, gaveUp };
}

function asFault({ workload, n, code, forEver }: Injection, error: unknown): Fault {
  const where = `${workload.name}, call ${n}, ${code}${forEver ? ' for ever' : ''}`;
  return new Fault(`${where}\n  ${String(error)}`, { cause: error });
}

/** The disk is well: the shard opens by itself and has everything, also after a power loss. */
function judge(machine: TolerantMachine, n: number): void {
  const { disk } = machine;
  disk.clearFaults();
  disk.quotaBytes = Number.MAX_SAFE_INTEGER;
  if (machine.isOpen) {
    machine.clock.advance(60_000);
    machine.tick();
    machine.rest();
    machine.compare();
    machine.close();
  }
  if (disk.openFileCount > 0) throw new Fault(`${disk.openFileCount} files are still open`);
  const isRemembered = !machine.distrust || disk.stat(`${machine.options.dir}/DISTRUST`);
  if (n % 2 === 0 && isRemembered) machine.kill();
  machine.open();
  machine.put([{ key: 'healed', value: 'yes' }]);
  const { expected } = machine;
  machine.losePower(n, 'synced-only');
  machine.open();
  const isKept = expected.open.length > 0 || isSame(machine.expected, expected);
  if (!isKept) throw new Fault('a power loss took what was there before it');
  machine.close();
  if (machine.refusals > 0 && machine.isOpen) throw new Fault('it is open after its end');
}

/** Kinds of calls that a loop over all of them never met, for the summary. */
export function kindsMissing(calls: readonly Call[]): OperationKind[] {
  const met = new Set(calls.map(({ operation }) => operation.kind));
  return (Object.keys(CHANGES_DISK) as OperationKind[]).filter((kind) => !met.has(kind));
}
