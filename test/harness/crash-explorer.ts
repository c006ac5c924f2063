/**
 * Enumerates crash states. A base workload runs once and leaves a copy of the machine before each
 * operation that changes the disk; an operation that changes nothing shares the copy of the next
 * one, where more is promised. Each copy loses its power in many ways; every state of the disk that
 * has not been seen before is opened and judged, and the opening leaves copies of its own, which
 * crash again: that is the depth.
 *
 * Judged is: the store opens; it holds one of the states that it may hold, read key by key and
 * scanned; `check` finds neither damage nor leftovers; a write is taken, numbered rightly and read;
 * and after another loss of power all of it is there again. After a crash inside an opening the
 * state must be the one that this opening would have found.
 */
import type { EngineOptions } from '../../src/rpc/control.js';
import type { Finding } from '../../src/storage/check-finding.js';
import { checkShard } from '../../src/storage/check-shard.js';
import { CrashMachine, Fault, ReusedArenas, SHARD_DIR, tinyOptions } from './crash-machine.js';
import { type Expectation, isSame } from './crash-model.js';
import { labelOf } from './crash-operations.js';
import { Watermarks } from './crash-watermarks.js';
import type { Workload } from './crash-workloads.js';
import { ManualClock } from './manual-clock.js';
import { SeededRandom } from './seeded-random.js';
import { SimulatedDisk } from './simulated-disk.js';
import type { CrashMode } from './simulated-file.js';
import { CHANGES_DISK } from './simulated-operations.js';

/** What a power loss may make of one moment; `death` takes only the process. */
export const DISK_STATES: readonly (CrashMode | 'death')[] = [
  'synced-only',
  'all',
  'death',
  'prefix',
  'prefix',
  'all-but-one',
  'last-only',
  'names',
  'sizes',
  'data',
  'subset',
  'subset',
  'subset',
  'subset',
  'subset',
  'subset',
];

/** A machine at one moment, before an operation. */
export interface Moment {
  disk: SimulatedDisk;
  expected: Expectation;
  wallMs: number;
  label: string;
  index: number;
  /** Operations that a crash here covers: the next one, and those since the moment before. */
  covers: number;
  /** A sync of the log failed and the word of it is not on the disk yet. */
  unsaid: boolean;
}

/** Where the enumeration is. */
interface Place {
  depth: number;
  seed: number;
  path: readonly string[];
}

/** A state of the disk to be opened. */
interface Image {
  disk: SimulatedDisk;
  wallMs: number;
  /** Only the process ended, with all that it had written in the page cache. */
  isDeath: boolean;
}

export interface Recording {
  workload: Workload;
  options: EngineOptions;
  moments: Moment[];
  /** Operations of every kind. */
  operations: number;
  /** `kind file` of what it did. */
  done: Set<string>;
}

/** Runs the workload on an empty disk. */
export function record(workload: Workload): Recording {
  const options = tinyOptions(workload.options);
  const machine = new CrashMachine(new SimulatedDisk(), 1, options);
  const recording: Recording = { workload, options, moments: [], operations: 0, done: new Set() };
  let covered = 0;
  const take = (label: string): void => {
    const covers = recording.operations - covered;
    covered = recording.operations;
    recording.moments.push({ ...momentOf(machine, label, recording.moments.length), covers });
  };
  const watermarks = new Watermarks(machine.disk, options.walSync === 'always');
  machine.disk.beforeOperation = (operation) => {
    watermarks.see(operation);
    recording.operations++;
    const label = labelOf(operation);
    recording.done.add(label);
    if (CHANGES_DISK[operation.kind]) take(label);
  };
  workload.run(machine);
  machine.disk.beforeOperation = undefined;
  take('the end');
  return recording;
}

function momentOf(machine: CrashMachine, label: string, index: number): Moment {
  const { disk, expected, clock } = machine;
  const unsaid = machine.distrust && label === 'create distrust';
  return { disk: disk.clone(), expected, wallMs: clock.wallMs(), label, index, covers: 1, unsaid };
}

/** How many of all that could be tried at one depth are. */
export interface Breadth {
  /** Chance of a moment to be tried. */
  moments: number;
  /** So many of DISK_STATES, drawn anew for each moment. */
  states: number;
}

export interface ExplorerOptions {
  /** From depth 1 on; as many as there are depths. */
  breadths: readonly Breadth[];
  seed: number;
}

const NONE: Breadth = { moments: 0, states: 0 };

export interface Tally {
  /** Distinct states of the disk that were opened and judged. */
  states: number;
  byDepth: number[];
  /** Crashes that led to a state which had been judged before. */
  repeated: number;
  moments: number;
  /** Not tried: a process that dies between a failed sync and the word of it (residual, ADR 7). */
  unsaid: number;
}

export class CrashExplorer {
  readonly tally: Tally = { states: 0, byDepth: [], repeated: 0, moments: 0, unsaid: 0 };
  readonly #options: ExplorerOptions;
  /** Digest of a disk → the expectations under which it was judged. */
  readonly #seen = new Map<number, Expectation | Expectation[]>();
  #arenas = new ReusedArenas(0, 0);
  #arenaBytes = 0;
  #descends = true;

  constructor(options: ExplorerOptions) {
    this.#options = options;
  }

  /** From now on openings are not crashed any more: the time is over. */
  stopDescending(): void {
    this.#descends = false;
  }

  /**
   * Crashes one moment of a workload in every way; throws a Fault that names the place. The same
   * moment and seed crash in the same ways each time.
   */
  moment(recording: Recording, moment: Moment): void {
    if (this.#arenaBytes !== recording.options.arenaBytes) {
      this.#arenaBytes = recording.options.arenaBytes;
      this.#arenas = new ReusedArenas(4, this.#arenaBytes);
    }
    const seed = mixed(this.#options.seed, moment.index, recording.moments.length);
    const path = [recording.workload.name];
    this.#crash(recording.options, moment, { depth: 1, seed, path }, moment.expected);
  }

  /**
   * `expected`: what a power loss leaves. Where the moment is in an opening, what that would find.
   */
  #crash(
    options: EngineOptions,
    moment: Moment,
    { depth, seed, path }: Place,
    expected: Expectation,
  ): void {
    this.tally.moments++;
    const random = new SeededRandom(seed);
    const breadth = this.#options.breadths[depth - 1] ?? NONE;
    for (const index of chosenStates(random, breadth.states, moment.disk.hasUnsynced)) {
      const state = DISK_STATES[index] ?? 'all';
      const where = [...path, `${moment.index} ${moment.label} ${state}#${index}`];
      const place: Place = { depth, seed: mixed(seed, moment.index, index), path: where };
      const crashSeed = random.uint32();
      if (state === 'death' && moment.unsaid) {
        this.tally.unsaid++;
        continue;
      }
      const disk = moment.disk.clone();
      if (state !== 'death') disk.crash(crashSeed, state);
      if (!this.#isNew(disk.digest, expected)) continue;
      this.tally.byDepth[depth - 1] = (this.tally.byDepth[depth - 1] ?? 0) + 1;
      const next = { disk, wallMs: moment.wallMs, isDeath: state === 'death' };
      this.#judge(options, next, place, expected);
    }
  }

  /** Takes copies in an opening, of those of its moments that will be tried. */
  #watchOpening(machine: CrashMachine, { depth, seed }: Place, moments: Moment[]): void {
    const chance = this.#descends ? (this.#options.breadths[depth]?.moments ?? 0) : 0;
    if (chance === 0) return;
    const random = new SeededRandom(seed);
    let index = 0;
    machine.disk.beforeOperation = (operation) => {
      if (!CHANGES_DISK[operation.kind]) return;
      index++;
      if (!random.chance(chance)) return;
      moments.push(momentOf(machine, labelOf(operation), index));
    };
  }

  #isNew(digest: number, expected: Expectation): boolean {
    const before = this.#seen.get(digest);
    if (before === undefined) {
      this.#seen.set(digest, expected);
      this.tally.states++;
      return true;
    }
    this.tally.repeated++;
    const known = Array.isArray(before) ? before : [before];
    if (known.some((other) => isSame(other, expected))) return false;
    this.#seen.set(digest, [...known, expected]);
    return true;
  }

  #judge(
    options: EngineOptions,
    { disk, wallMs, isDeath }: Image,
    place: Place,
    expected: Expectation,
  ): void {
    const { depth, seed, path } = place;
    const clock = new ManualClock(wallMs + 1);
    disk.quotaBytes = Number.MAX_SAFE_INTEGER;
    const machine = new CrashMachine(disk, 100 + depth, options, expected, clock, this.#arenas);
    machine.keepsPageCache = isDeath;
    const inner: Moment[] = [];
    const hadUnsynced = disk.hasUnsynced;
    try {
      this.#watchOpening(machine, place, inner);
      machine.open();
      disk.beforeOperation = undefined;
      // What had only reached the page cache may still go, until the opening has made it durable.
      const sure = hadUnsynced ? expected : machine.expected;
      checkFiles(machine);
      writeAgain(machine);
      for (const moment of inner) {
        const next = { depth: depth + 1, seed: mixed(seed, moment.index, depth), path };
        this.#crash(options, moment, next, sure);
      }
    } catch (error) {
      if (error instanceof Fault && error.message.includes('\n')) throw error;
      throw new Fault(`${path.join('\n  then ')}\n  ${String(error)}`, { cause: error });
    }
  }
}

function mixed(seed: number, a: number, b: number): number {
  const mix = Math.imul(seed ^ Math.imul(a + 1, 0x9e3779b1), 0x85ebca6b) + Math.imul(b, 0xc2b2ae35);
  return (mix ^ (mix >>> 15)) >>> 0;
}

/** Indexes of different states in order. Without anything unsynced all states are one. */
function chosenStates(random: SeededRandom, count: number, hasChoice: boolean): number[] {
  if (!hasChoice) return [0];
  const all = DISK_STATES.map((_, index) => index);
  while (all.length > count) all.splice(random.nextInt(all.length), 1);
  return all;
}

/** What an unfinished write may leave within a file for good. */
const TRACES = /padding|behind the segment header|unfinished or damaged|header of a WAL segment/;

/** Damage, or a file that the opening should have removed. */
function checkFiles({ disk, storeUuid }: CrashMachine): void {
  const found: Finding[] = [];
  const totals = { shards: 0, tables: 0, tableBytes: 0, entries: 0, segments: 0, frames: 0 };
  const report = { found: (one: Finding) => found.push(one), progress: () => undefined, totals };
  checkShard(disk, SHARD_DIR, { shard: 0, storeUuid }, report);
  const wrong = found.find(({ severity, what }) => severity === 'damage' || !TRACES.test(what));
  if (wrong !== undefined) throw new Fault(`check: ${wrong.what} (${wrong.file})`);
}

/** The store takes writes, and has them and all before after the power failed once more. */
function writeAgain(machine: CrashMachine): void {
  machine.put([
    { key: 'again', value: `after ${machine.expected.sequence}` },
    { key: 'a', value: undefined },
  ]);
  if (machine.options.walSync !== 'always') machine.close();
  machine.losePower(1, 'synced-only');
  machine.clock.advance(1);
  machine.open();
}
