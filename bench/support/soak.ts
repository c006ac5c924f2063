/**
 * Long runs against one engine: writes at a given rate (or as fast as they are taken), with a look
 * at the engine every second and the causes of pauses kept apart. The engine lives on the main
 * thread, its jobs on pool threads.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { RunBuilder } from '../../src/base/run-builder.js';
import type { CompactorPool } from '../../src/compactor/compactor-pool.js';
import type { Engine } from '../../src/shard/engine.js';
import type { EngineFigures } from '../../src/shard/engine-figures.js';
import {
  eventLoopTurn,
  newPool,
  openEngine,
  PoolJobs,
  percentile,
  settle,
  shippedOptions,
  TimedDisk,
  TouchedArenas,
} from './bench-engine.js';
import { collectGarbage } from './file-cache.js';
import { rounded } from './rounds.js';

const SAMPLE_MS = 1000;
const YIELD_MS = 2;

export interface Sample {
  seconds: number;
  /** Acknowledged since the sample before, per second. */
  rate: number;
  sortedRuns: number;
  tables: number;
  tableMiB: number;
  rssMiB: number;
}

/** Fills the builder with the next batch; false = the load is over. */
export type NextBatch = (builder: RunBuilder) => boolean;

export interface Load {
  nextBatch: NextBatch;
  builder: RunBuilder;
  /** Entries a second, 0 = as fast as they are taken. */
  rate: number;
  batchesPerGroup: number;
}

export class Soak {
  readonly samples: Sample[] = [];
  /** From when a group was due to its acknowledgement. */
  readonly latencyMs: number[] = [];
  acknowledged = 0;
  /** Acknowledged in spite of a load that could go on: the longest time without. */
  longestPauseMs = 0;
  longestPauseBecause = '';
  longestMaintainMs = 0;
  readonly heldMs: Record<string, number> = {};
  readonly engine: Engine;
  readonly disk = new TimedDisk();
  readonly dir: string;
  readonly #jobs: PoolJobs;
  readonly #pool: CompactorPool;
  #started = performance.now();
  #sampledMs = performance.now();
  #sampledAt = 0;
  #lastAckMs = 0;
  #held = '';

  private constructor(dir: string) {
    this.dir = `${dir}/shard`;
    const { engine: options, arenaCount } = shippedOptions(this.dir);
    this.#pool = newPool();
    this.#jobs = new PoolJobs(this.#pool);
    const arenas = new TouchedArenas(arenaCount, options.arenaBytes);
    this.engine = openEngine(options, this.#jobs, arenas, this.disk.fs);
  }

  static async open(dir: string): Promise<Soak> {
    const soak = new Soak(dir);
    await settle(soak.engine, soak.#jobs);
    return soak;
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  /** Writes until the load is over, or for so many seconds. Returns the entries acknowledged. */
  async write(load: Load, secondsMax = Number.POSITIVE_INFINITY): Promise<number> {
    const before = this.acknowledged;
    const started = performance.now();
    if (before === 0) {
      // Filling the first WAL files is no part of the load.
      this.#started = started;
      this.#sampledMs = started;
    }
    const endMs = started + secondsMax * 1000;
    this.#lastAckMs = started;
    let sent = 0;
    let batchWaits = load.nextBatch(load.builder);
    let yieldAt = started + YIELD_MS;
    while (batchWaits && performance.now() < endMs) {
      const dueMs = load.rate === 0 ? performance.now() : started + (sent / load.rate) * 1000;
      if (dueMs > performance.now()) {
        this.#lastAckMs = performance.now();
        await this.#rest(Math.min(dueMs - performance.now(), 2));
        continue;
      }
      const staged = this.#stageGroup(load, batchWaits);
      batchWaits = staged.batchWaits;
      sent += staged.entries;
      this.#settleGroups(dueMs);
      this.#maintain();
      const hasReleased = this.#collectReleased();
      if (!hasReleased && staged.entries > 0 && performance.now() < yieldAt) continue;
      // While writes are slowed a shard's thread would park: merges want the processor.
      if (this.engine.isDelaying) await this.#rest(1);
      else await eventLoopTurn();
      yieldAt = performance.now() + YIELD_MS;
    }
    return this.acknowledged - before;
  }

  /** Lets time pass with housekeeping alone. */
  async idle(seconds: number): Promise<void> {
    const endMs = performance.now() + seconds * 1000;
    while (performance.now() < endMs) {
      this.#maintain();
      this.#collectReleased();
      await this.#rest(20);
    }
  }

  /** Until housekeeping has nothing left to do. */
  async settle(): Promise<void> {
    await settle(this.engine, this.#jobs);
  }

  figures(): EngineFigures {
    return this.engine.figures();
  }

  /** Bytes of disk that the shard's folder takes, and its files. */
  space(): { diskMiB: number; files: number } {
    const output = execFileSync('du', ['-sB1', this.dir], { encoding: 'utf8' });
    const diskMiB = rounded(Number(output.split('\t')[0]) / 2 ** 20);
    return { diskMiB, files: readdirSync(this.dir).length };
  }

  /** What the writes were like so far. */
  report(): Record<string, number | string> {
    return {
      acknowledged: this.acknowledged,
      longestPauseMs: rounded(this.longestPauseMs),
      longestPauseBecause: this.longestPauseBecause,
      latencyMsP50: rounded(percentile(this.latencyMs, 0.5)),
      latencyMsP99: rounded(percentile(this.latencyMs, 0.99)),
      latencyMsP999: rounded(percentile(this.latencyMs, 0.999)),
      longestMaintainMs: rounded(this.longestMaintainMs),
      syncMsP50: rounded(percentile(this.disk.syncMs, 0.5)),
      syncMsP99: rounded(percentile(this.disk.syncMs, 0.99)),
      syncMsMax: rounded(percentile(this.disk.syncMs, 1)),
      sortedRunsMax: Math.max(...this.samples.map(({ sortedRuns }) => sortedRuns)),
      tablesMax: Math.max(...this.samples.map(({ tables }) => tables)),
      rssMiBMax: Math.max(...this.samples.map(({ rssMiB }) => rssMiB)),
    };
  }

  async close(): Promise<void> {
    // A job that is cut short would be told as a failure.
    await this.settle();
    this.engine.close();
    await this.#pool.close();
  }

  #stageGroup(load: Load, waits: boolean): { entries: number; batchWaits: boolean } {
    const group = this.engine.openGroup();
    if (group === undefined) {
      if (this.engine.poison !== undefined) throw new Error(`Poisoned: ${this.engine.poison}`);
      return { entries: 0, batchWaits: waits };
    }
    let batchWaits = waits;
    let entries = 0;
    for (let i = 0; i < load.batchesPerGroup && batchWaits; i++) {
      const run = load.builder.runView();
      group.stage(0, i, run, 0, run.length);
      const pressure = this.engine.admitStaged(group);
      if (pressure.kind !== 'accept') {
        group.unstage();
        this.#held =
          'because' in pressure ? `${pressure.kind}: ${pressure.because}` : pressure.kind;
        break;
      }
      entries += load.builder.count;
      load.builder.clear();
      batchWaits = load.nextBatch(load.builder);
    }
    if (entries > 0) this.engine.commit(group);
    else this.engine.recycle(group);
    return { entries, batchWaits };
  }

  #settleGroups(dueMs: number): void {
    for (let done = this.engine.nextSettled(); done; done = this.engine.nextSettled()) {
      const now = performance.now();
      const pause = now - this.#lastAckMs;
      this.#lastAckMs = now;
      if (pause > this.longestPauseMs) {
        this.longestPauseMs = pause;
        const causes = [
          this.#held || 'no hold',
          `last fdatasync ${rounded(this.disk.syncMs.at(-1) ?? 0)} ms`,
          `at ${rounded(this.seconds)} s`,
        ];
        this.longestPauseBecause = causes.join('; ');
      }
      this.#held = '';
      this.latencyMs.push(now - dueMs);
      this.acknowledged += done.count;
      this.engine.recycle(done);
    }
  }

  #maintain(): void {
    const before = performance.now();
    this.engine.maintain();
    const now = performance.now();
    this.longestMaintainMs = Math.max(this.longestMaintainMs, now - before);
    if (now >= this.#sampledMs + SAMPLE_MS) this.#sample(now);
  }

  /** Without it maps outlive their files, and who lets go of a file last frees its pages. */
  #collectReleased(): boolean {
    if (!this.engine.takeReleasedTables()) return false;
    collectGarbage();
    return true;
  }

  #sample(now: number): void {
    const passed = (now - this.#sampledMs) / 1000;
    const { sortedRuns, tables, tableBytes } = this.engine.figures();
    this.samples.push({
      seconds: rounded(this.seconds),
      rate: rounded((this.acknowledged - this.#sampledAt) / passed),
      sortedRuns,
      tables,
      tableMiB: rounded(tableBytes / 2 ** 20),
      rssMiB: rounded(process.memoryUsage.rss() / 2 ** 20),
    });
    this.#sampledAt = this.acknowledged;
    this.#sampledMs = now;
  }

  async #rest(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}
