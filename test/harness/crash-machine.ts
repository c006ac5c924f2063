/**
 * A machine with one store and one engine on a simulated disk, for the rigs that crash it. It knows
 * at every moment what the store must hold. Everything happens on one thread, in the order of the
 * calls: the same calls do the same to the disk, each time.
 *
 * The store is as small as it can be, so that few writes reach every path and an opening takes a
 * fraction of a millisecond. A life of the process begins with `open` and ends with `close`, `kill`
 * or `losePower`.
 */
import {
  deleteLength,
  expiringPutLength,
  putLength,
  RUN_FORMAT,
  writeDelete,
  writeExpiringPut,
  writePut,
} from '../../src/base/entry-run.js';
import { StormError } from '../../src/base/errors.js';
import type { EngineOptions } from '../../src/rpc/control.js';
import type { CommitGroup } from '../../src/shard/commit-group.js';
import { Engine } from '../../src/shard/engine.js';
import type { ArenaPort } from '../../src/shard/engine-env.js';
import type { EntryView } from '../../src/storage/entry-cursor.js';
import { LookupResult } from '../../src/storage/lookup.js';
import { openOrCreateRoot } from '../../src/storage/root-manifest.js';
import {
  appliedAt,
  type Batch,
  differenceOf,
  type Expectation,
  NOTHING,
  settled,
  visibleAt,
  type Write,
  withAnswered,
  withApplied,
  withOpen,
} from './crash-model.js';
import { InlineJobs, smallOptions } from './engine-rig.js';
import { ManualClock } from './manual-clock.js';
import { SeededRandom } from './seeded-random.js';
import type { SimulatedDisk } from './simulated-disk.js';
import type { CrashMode } from './simulated-file.js';

export const DATA_DIR = '/data';
export const SHARD_DIR = '/data/shard-000';
const ARENA_BYTES = 4096;
/** By then a table that nobody reads is due to be removed. */
const DOOMED_MS = 300;
const ARENAS = 4;
const SHARDS = 2;
const SAFETY_ROUNDS_MAX = 4;

/** A frame and its block: two or three groups to a segment, a dozen writes to an arena. */
export function tinyOptions(change: Partial<EngineOptions> = {}): EngineOptions {
  return smallOptions({
    dir: SHARD_DIR,
    keyBytesMax: 16,
    valueBytesMax: 1024,
    batchBytesMax: 2048,
    walSegmentBytes: 12 * 1024,
    walGroupBytesMax: 1024,
    walLiveBytesMax: 40 * 1024,
    walSparesMax: 1,
    arenaBytes: ARENA_BYTES,
    table: { blockBytes: 256, tableBytesMax: 2048, bloomBitsPerKey: 10, restartInterval: 4 },
    blockCacheBytes: 0,
    mergeFanIn: 2,
    ...change,
  });
}

/** A store that does not hold what it must, or cannot be opened: what the rigs look for. */
export class Fault extends Error {
  override readonly name = 'Fault';
}

/** Lends the same few arenas again and again; a dead engine's are taken back by `reset`. */
export class ReusedArenas implements ArenaPort {
  readonly #all: SharedArrayBuffer[];
  #free: SharedArrayBuffer[];

  constructor(count: number, bytes: number) {
    this.#all = Array.from({ length: count }, () => new SharedArrayBuffer(bytes));
    this.#free = [...this.#all];
  }

  get atHand(): boolean {
    return this.#free.length > 0;
  }

  take(): SharedArrayBuffer | undefined {
    return this.#free.pop();
  }

  give(arena: SharedArrayBuffer): void {
    if (this.#all.includes(arena)) this.#free.push(arena);
  }

  reset(): void {
    this.#free = [...this.#all];
  }
}

export class CrashMachine {
  /** Goes on after failures, as the server does. */
  readonly isTolerant: boolean = false;
  readonly disk: SimulatedDisk;
  readonly clock: ManualClock;
  readonly options: EngineOptions;
  jobs: InlineJobs;
  /** What the store must hold if everything stopped now. */
  expected: Expectation;
  /** A sync of the log failed in this boot: the supervisor's memory of it. */
  distrust = false;
  /** Only the process ended: what was answered is there even if no sync has made it durable. */
  keepsPageCache = false;
  lives = 0;
  readonly #arenas: ReusedArenas;
  readonly #seed: number;
  readonly #lookup = new LookupResult();
  #engine: Engine | undefined;
  #uuid = '';

  constructor(
    disk: SimulatedDisk,
    seed: number,
    options: EngineOptions = tinyOptions(),
    expected: Expectation = NOTHING,
    clock: ManualClock = new ManualClock(),
    arenas: ReusedArenas = new ReusedArenas(ARENAS, options.arenaBytes),
  ) {
    this.disk = disk;
    this.clock = clock;
    this.options = options;
    this.expected = expected;
    this.#seed = seed;
    this.#arenas = arenas;
    this.jobs = new InlineJobs(disk);
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error('The store is not open');
    return this.#engine;
  }

  get isOpen(): boolean {
    return this.#engine !== undefined;
  }

  /** Opens the store as a process does, and checks that it holds one of the states it may hold. */
  open(): void {
    this.launch();
    this.observe();
  }

  /** Opens without a look at what is there. */
  launch(): void {
    const { disk, clock } = this;
    if (this.isOpen) this.close();
    this.#arenas.reset();
    this.jobs = new InlineJobs(disk);
    const random = new SeededRandom(this.#seed * 1000 + this.lives++);
    const wanted = { shardCount: SHARDS, shardCountIfNew: SHARDS, random };
    this.#uuid = openOrCreateRoot(disk, DATA_DIR, wanted).storeUuid;
    const env = { fs: disk, clock, random, jobs: this.jobs, arenas: this.#arenas };
    const options = { ...this.options, storeUuid: this.#uuid };
    const engine = Engine.open(env, options, this.distrust);
    this.#engine = engine;
    try {
      this.#awaitSafety(engine);
    } catch (error) {
      closeQuietly(engine);
      throw error;
    }
    this.distrust = false;
  }

  /** As the shard's thread does: nothing is served before the replay is safe. */
  #awaitSafety(engine: Engine): void {
    for (let i = 0; !engine.replayIsSafe && i < SAFETY_ROUNDS_MAX; i++) {
      if (i > 0) this.clock.advance(10_000);
      this.rest();
    }
    if (engine.replayIsSafe) return;
    throw new StormError('UNAVAILABLE', 'The replayed writes could not be made safe');
  }

  get storeUuid(): string {
    return this.#uuid;
  }

  /** Compares the store with what it may hold; what was seen must be kept from now on. */
  observe(): void {
    const { lastSequence } = this.engine.report;
    const count = appliedAt(this.expected, lastSequence);
    const least = this.keepsPageCache ? this.expected.answered : 0;
    if (count === undefined || count < least) {
      const { sequence, open } = this.expected;
      const last = open.reduce((sum, { writes }) => sum + writes.length, sequence);
      throw new Fault(`the last sequence is ${lastSequence}, expected ${sequence} to ${last}`);
    }
    this.expected = settled(this.expected, count);
    this.compare();
  }

  /** Compares every key, read singly and scanned, with what the store must hold now. */
  compare(): void {
    const { contents } = withApplied(this.expected, this.expected.answered);
    const wanted = visibleAt(contents, this.clock.wallMs());
    const found = this.scan();
    const difference = differenceOf(wanted, found);
    if (difference !== undefined) throw new Fault(difference);
    for (const [key, value] of wanted) {
      const got = this.get(key);
      if (got !== value) throw new Fault(`${key}: scanned ${value}, a read found ${got}`);
    }
  }

  /**
   * Commits as many of the batches as one group takes; returns how many those are, 0 when the
   * engine holds or refuses the first for now. When it throws, their outcome is open and the engine
   * is poisoned.
   */
  write(batches: readonly Write[][]): number {
    const { engine } = this;
    const group = engine.openGroup();
    // Writes may be slowed, which is no failure.
    if (group === undefined && engine.poison === undefined) return 0;
    if (group === undefined) throw new Error(`Poisoned: ${engine.poison}`);
    const staged: Batch[] = [];
    const commitTimeMs = this.clock.wallMs();
    for (const writes of batches) {
      const run = encode(writes);
      if (!group.hasRoomFor(run.length)) break;
      group.stage(0, staged.length, run, 0, run.length);
      if (engine.admitStaged(group).kind !== 'accept') {
        group.unstage();
        break;
      }
      staged.push({ writes, commitTimeMs });
    }
    if (staged.length === 0) {
      engine.recycle(group);
      return 0;
    }
    this.#commit(group, staged);
    return staged.length;
  }

  #commit(group: CommitGroup, staged: readonly Batch[]): void {
    const { engine } = this;
    this.expected = withOpen(this.expected, staged);
    try {
      engine.commit(group);
    } catch (error) {
      this.distrust = true;
      throw error;
    }
    const answered = engine.nextSettled();
    if (answered === undefined) throw new Fault('A group that was synced is not settled');
    const wanted = lastSequenceOf(this.expected) - answered.count + 1;
    if (answered.firstSequence !== wanted) {
      throw new Fault(`the group got sequence ${answered.firstSequence}, expected ${wanted}`);
    }
    engine.recycle(answered);
    this.expected = withAnswered(this.expected);
    this.noteDurable();
  }

  /** Writes without any help of housekeeping; false when it is held or refused. */
  tryWrite(batch: Write[]): boolean {
    return this.write([batch]) > 0;
  }

  /** Writes, and lets housekeeping make room for it where it must. */
  put(...batches: Write[][]): void {
    for (let i = 0; batches.length > 0; i++) {
      const count = this.write(batches);
      batches.splice(0, count);
      if (count > 0) continue;
      if (i > 50) throw new Fault('A write is held for ever');
      this.clock.advance(1000);
      this.rest();
    }
  }

  /** What was answered is sure, as far as the mode of syncing promises it. */
  noteDurable(): void {
    const { expected, options } = this;
    const durable =
      options.walSync === 'always'
        ? lastSequenceOf(expected)
        : this.engine.figures().durableSequence;
    let count = 0;
    for (let at = expected.sequence; count < expected.open.length; count++) {
      at += expected.open[count]?.writes.length ?? 0;
      if (at > durable) break;
    }
    if (count > 0) this.expected = withApplied(expected, count);
  }

  get(key: string): string | undefined {
    const bytes = Buffer.from(key);
    const found = this.#lookup;
    if (!this.engine.get(bytes, 0, bytes.length, found)) return undefined;
    const { valueBytes, valueStart, valueLength } = found;
    return textOf(valueBytes, valueStart, valueLength);
  }

  scan(): Map<string, string> {
    const { engine } = this;
    const found = new Map<string, string>();
    while (!engine.prepareScan());
    const snapshot = engine.openSnapshot();
    const sink = {
      add(entry: EntryView): boolean {
        const key = textOf(entry.keyBytes, entry.keyStart, entry.keyLength);
        found.set(key, textOf(entry.valueBytes, entry.valueStart, entry.valueLength));
        return true;
      },
    };
    const end = engine.scan({ from: undefined, to: undefined }, snapshot, sink);
    engine.closeSnapshot(snapshot.id);
    if (end.kind !== 'done') throw new Fault('A scan without a limit did not come to its end');
    return found;
  }

  /** One round of housekeeping, and the oldest job. */
  tick(ms = 0): void {
    this.clock.advance(ms);
    this.engine.maintain();
    this.noteDurable();
    this.jobs.runOne();
  }

  /** Lets housekeeping and its jobs run until nothing is left to do. */
  rest(): void {
    let isBurying = false;
    for (let i = 0; i < 200; i++) {
      this.engine.maintain();
      if (this.jobs.count === 0) {
        if (isBurying || this.engine.doomedTables === 0) return;
        // They are removed a little later than they are given up.
        isBurying = true;
        this.clock.advance(DOOMED_MS);
        continue;
      }
      while (this.jobs.count > 0) this.jobs.runOne();
    }
    throw new Fault('Housekeeping does not come to rest');
  }

  /** Makes the active MemTable a table, whatever is in it. */
  flush(): void {
    for (let i = 0; i < 60; i++) {
      const before = this.engine.figures().flushesTotal;
      this.put([{ key: `fill-${i % 3}`, value: `${this.expected.sequence}:${FILLER}` }]);
      this.rest();
      if (this.engine.figures().flushesTotal > before) return;
    }
    throw new Fault('No flush came about');
  }

  close(): void {
    const { engine } = this;
    this.#engine = undefined;
    engine.close();
    if (engine.poison === undefined) {
      this.expected = settled(this.expected, this.expected.open.length);
    }
  }

  /** Forgets an engine that could not be used. */
  abandon(): void {
    this.#engine = undefined;
  }

  /** The process dies, the machine lives. */
  kill(): void {
    this.#engine = undefined;
    this.distrust = false;
    this.keepsPageCache = true;
    this.disk.processCrash();
  }

  /** The power fails and comes back. */
  losePower(seed: number, mode: CrashMode): void {
    this.#engine = undefined;
    this.distrust = false;
    this.keepsPageCache = false;
    this.disk.crash(seed, mode);
  }
}

const FILLER = 'f'.repeat(300);

function lastSequenceOf({ sequence, open }: Expectation): number {
  return open.reduce((sum, { writes }) => sum + writes.length, sequence);
}

function textOf(bytes: Uint8Array, start: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('latin1');
}

function encode(batch: readonly Write[]): Uint8Array {
  let length = 1;
  for (const { key, value, ttlMs } of batch) {
    if (value === undefined) length += deleteLength(key.length);
    else if (ttlMs === undefined) length += putLength(key.length, value.length);
    else length += expiringPutLength(key.length, value.length);
  }
  const run = new Uint8Array(length);
  run[0] = RUN_FORMAT;
  let at = 1;
  for (const { key, value, ttlMs } of batch) {
    const name = Buffer.from(key, 'latin1');
    if (value === undefined) at = writeDelete(run, at, name);
    else if (ttlMs === undefined) at = writePut(run, at, name, Buffer.from(value, 'latin1'));
    else at = writeExpiringPut(run, at, name, Buffer.from(value, 'latin1'), ttlMs);
  }
  return run;
}

/** Its files, although it may not say that they are complete. */
function closeQuietly(engine: Engine): void {
  try {
    engine.close();
  } catch {
    // What led here matters more.
  }
}
