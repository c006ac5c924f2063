/**
 * An engine on a simulated disk, driven step by step on one thread, and an oracle that knows what
 * was acknowledged. Jobs run inline, but only when the rig says so, so that they interleave with
 * writes in an order that the seed decides.
 */
import {
  deleteLength,
  putLength,
  RUN_FORMAT,
  writeDelete,
  writePut,
} from '../../src/base/entry-run.js';
import { runJob } from '../../src/compactor/run-job.js';
import type { EngineOptions } from '../../src/rpc/control.js';
import type { Job, JobResult } from '../../src/rpc/jobs.js';
import { Engine } from '../../src/shard/engine.js';
import type { ArenaPort, EngineEnv, JobPort } from '../../src/shard/engine-env.js';
import type { Snapshot } from '../../src/shard/snapshots.js';
import type { EntryView } from '../../src/storage/entry-cursor.js';
import type { FileSystem } from '../../src/storage/file-system.js';
import { LookupResult } from '../../src/storage/lookup.js';
import { ManualClock } from './manual-clock.js';
import { SeededRandom } from './seeded-random.js';

export const RIG_DIR = '/data/shard-000';
const ARENA_BYTES = 32 * 1024;

/** A small engine: a few hundred writes go through rotation, flush, merge and recycling. */
export function smallOptions(change: Partial<EngineOptions> = {}): EngineOptions {
  return {
    shard: 0,
    dir: RIG_DIR,
    storeUuid: '00112233445566778899aabbccddeeff',
    keyBytesMax: 64,
    valueBytesMax: 4096,
    batchBytesMax: 8 * 1024,
    walSync: 'always',
    walSyncIntervalMs: 100,
    walSegmentBytes: 48 * 1024,
    walGroupBytesMax: 4 * 1024,
    walLiveBytesMax: 192 * 1024,
    walSparesMax: 2,
    walIdleSealMs: 20,
    arenaBytes: ARENA_BYTES,
    table: { blockBytes: 512, tableBytesMax: 24 * 1024, bloomBitsPerKey: 10, restartInterval: 4 },
    readMode: 'pread',
    readVerify: 'always',
    blockCacheBytes: 64 * 1024,
    mergeFanIn: 3,
    mergeGarbagePercentBusy: 100,
    mergeGarbagePercentQuiet: 35,
    mergeQuietMs: 1000,
    mergeBytesPerSecond: 0,
    ...change,
  };
}

export type Pair = [key: string, value: string];

export interface Change {
  key: string;
  /** undefined = delete. */
  value: string | undefined;
}

/** Jobs wait here until `runJobs`. */
export class InlineJobs implements JobPort {
  readonly #fs: FileSystem;
  #waiting: { job: Job; done: (result: JobResult) => void }[] = [];
  /** Run, and their results on their way. */
  readonly #finished: (() => void)[] = [];

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  submit(job: Job, done: (result: JobResult) => void): void {
    this.#waiting.push({ job, done });
  }

  get count(): number {
    return this.#waiting.length + this.#finished.length;
  }

  /** Runs one of the waiting jobs, or delivers one of the results, as the dice fall. */
  stepAny(random: SeededRandom): void {
    const at = random.nextInt(this.count);
    const [done] = this.#finished.splice(at, 1);
    if (done !== undefined) done();
    const index = at - this.#finished.length;
    const [next] = done === undefined ? this.#waiting.splice(index, 1) : [];
    if (next === undefined) return;
    const result = runJob(this.#fs, next.job);
    this.#finished.push(() => next.done(result));
  }

  /** The waiting jobs of one kind, in the order in which they came. */
  waiting(kind: Job['kind']): Job[] {
    return this.#waiting.map(({ job }) => job).filter((job) => job.kind === kind);
  }

  /** Runs the waiting jobs of one kind. */
  runAll(kind: Job['kind']): void {
    const chosen = this.#waiting.filter(({ job }) => job.kind === kind);
    this.#waiting = this.#waiting.filter(({ job }) => job.kind !== kind);
    for (const { job, done } of chosen) done(runJob(this.#fs, job));
  }

  /** Delivers the oldest result, or runs the oldest job and delivers its result. */
  runOne(): void {
    const finished = this.#finished.shift();
    if (finished !== undefined) {
      finished();
      return;
    }
    const next = this.#waiting.shift();
    if (next !== undefined) next.done(runJob(this.#fs, next.job));
  }
}

/** As many arenas as asked for, up to a number. */
export class PlainArenas implements ArenaPort {
  #free: number;
  readonly #bytes: number;

  constructor(count: number, bytes = ARENA_BYTES) {
    this.#free = count;
    this.#bytes = bytes;
  }

  get atHand(): boolean {
    return this.#free > 0;
  }

  take(): SharedArrayBuffer | undefined {
    if (this.#free === 0) return undefined;
    this.#free--;
    return new SharedArrayBuffer(this.#bytes);
  }

  give(): void {
    this.#free++;
  }
}

export class EngineRig {
  readonly clock: ManualClock;
  readonly jobs: InlineJobs;
  readonly engine: Engine;
  readonly #lookup = new LookupResult();

  constructor(
    fs: FileSystem,
    seed: number,
    options: EngineOptions = smallOptions(),
    arenas = 4,
    clock = new ManualClock(),
  ) {
    this.clock = clock;
    this.jobs = new InlineJobs(fs);
    if (fs.stat(options.dir) === undefined) {
      // What the root manifest does before a shard is ever opened.
      fs.makeDir(options.dir);
      fs.syncDir('/data');
      fs.syncDir('/');
    }
    const env: EngineEnv = {
      fs,
      clock: this.clock,
      random: new SeededRandom(seed),
      jobs: this.jobs,
      arenas: new PlainArenas(arenas, options.arenaBytes),
    };
    this.engine = Engine.open(env, options);
    // As the shard's thread does: nothing is served before the replay is safe.
    if (!this.engine.replayIsSafe) this.settle();
    if (!this.engine.replayIsSafe) throw new Error('The replayed writes could not be made safe');
  }

  /**
   * Writes the batches as one group. Returns the first sequence of each batch when the group is
   * settled, undefined when the engine holds or refuses it for now; throws when it is poisoned.
   */
  write(batches: Change[][]): number[] | undefined {
    const group = this.engine.openGroup();
    if (group === undefined) throw new Error(`Poisoned: ${this.engine.poison}`);
    for (const [index, batch] of batches.entries()) {
      const run = encodeRun(batch);
      group.stage(0, index, run, 0, run.length);
      if (this.engine.admitStaged(group).kind === 'accept') continue;
      this.engine.recycle(group);
      return undefined;
    }
    this.engine.commit(group);
    const settled = this.engine.nextSettled();
    if (settled === undefined) throw new Error('A synced group must be settled');
    const first = settled.requests.map(({ firstIndex }) => settled.firstSequence + firstIndex);
    this.engine.recycle(settled);
    return first;
  }

  get(key: string): string | undefined {
    const bytes = Buffer.from(key);
    const found = this.#lookup;
    if (!this.engine.get(bytes, 0, bytes.length, found)) return undefined;
    const { valueBytes, valueStart, valueLength } = found;
    return Buffer.from(valueBytes.subarray(valueStart, valueStart + valueLength)).toString();
  }

  /** Everything that the snapshot sees in [from, to), in pages of `pageMax` entries. */
  scan(snapshot: Snapshot, from?: string, to?: string, pageMax = 7, reverse = false): Pair[] {
    const found: Pair[] = [];
    const bound = (key: string | undefined) => (key === undefined ? undefined : Buffer.from(key));
    const bounds: { from: Uint8Array | undefined; to: Uint8Array | undefined } = {
      from: bound(from),
      to: bound(to),
    };
    while (!this.engine.prepareScan());
    for (;;) {
      let left = pageMax;
      const sink = {
        add(entry: EntryView): boolean {
          if (left-- === 0) return false;
          found.push([textOf(entry, 'key'), textOf(entry, 'value')]);
          return true;
        },
      };
      const end = this.engine.scan(bounds, snapshot, sink, reverse);
      if (end.kind === 'done') return found;
      // The key is inclusive in either direction; the upper bound is not.
      if (reverse) bounds.to = Buffer.concat([end.key, Buffer.of(0)]);
      else bounds.from = end.key;
    }
  }

  /** Lets housekeeping and its jobs run until nothing is left to do. */
  settle(): void {
    for (let i = 0; i < 1000; i++) {
      this.engine.maintain();
      if (this.jobs.count === 0) return;
      while (this.jobs.count > 0) this.jobs.runOne();
    }
    throw new Error('Housekeeping does not come to rest');
  }
}

function textOf(entry: EntryView, part: 'key' | 'value'): string {
  const start = part === 'key' ? entry.keyStart : entry.valueStart;
  const length = part === 'key' ? entry.keyLength : entry.valueLength;
  const bytes = part === 'key' ? entry.keyBytes : entry.valueBytes;
  return Buffer.from(bytes.subarray(start, start + length)).toString();
}

export function encodeRun(batch: Change[]): Uint8Array {
  let length = 1;
  for (const { key, value } of batch) {
    const keyLength = Buffer.byteLength(key);
    length +=
      value === undefined
        ? deleteLength(keyLength)
        : putLength(keyLength, Buffer.byteLength(value));
  }
  const run = new Uint8Array(length);
  run[0] = RUN_FORMAT;
  let at = 1;
  for (const { key, value } of batch) {
    const keyBytes = Buffer.from(key);
    at =
      value === undefined
        ? writeDelete(run, at, keyBytes)
        : writePut(run, at, keyBytes, Buffer.from(value));
  }
  return run;
}

/** Per key, what a reader may find: the last acknowledged state, or any attempted after it. */
export class Oracle {
  readonly #sure = new Map<string, string | undefined>();
  readonly #maybe = new Map<string, (string | undefined)[]>();
  acknowledged = 0;

  /** The outcome of these changes is not known (yet). */
  attempt(batch: Change[]): void {
    for (const { key, value } of batch) {
      const list = this.#maybe.get(key) ?? [];
      list.push(value);
      this.#maybe.set(key, list);
    }
  }

  /** They are durable. */
  acknowledge(batch: Change[]): void {
    for (const { key, value } of batch) {
      this.#sure.set(key, value);
      this.#maybe.delete(key);
    }
    this.acknowledged += batch.length;
  }

  /** They were surely not applied. */
  withdraw(batch: Change[]): void {
    for (const { key } of batch) this.#maybe.delete(key);
  }

  /**
   * Compares with what `read` finds. What was read becomes sure: a value that a reader has seen
   * must not vanish afterwards.
   */
  check(read: (key: string) => string | undefined): string[] {
    const faults: string[] = [];
    const keys = new Set([...this.#sure.keys(), ...this.#maybe.keys()]);
    for (const key of keys) {
      const found = read(key);
      const allowed = [this.#sure.get(key), ...(this.#maybe.get(key) ?? [])];
      if (!allowed.includes(found)) {
        faults.push(`${key}: found ${found}, expected ${allowed.join(' or ')}`);
      }
      this.#sure.set(key, found);
      this.#maybe.delete(key);
    }
    return faults;
  }
}
