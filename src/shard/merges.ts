/**
 * The merges of a shard: which are due, their jobs, and the edits that make their results count.
 * Belongs to the shard's thread, as a part of its housekeeping (housekeeper.ts).
 *
 * A merge is one or several jobs, one for each part of its keys. Nothing of it counts before all
 * parts are done; then one manifest edit puts the result in the place of its inputs. When a part
 * fails, the merge is given up: what the others wrote is removed, and after a pause it may be
 * picked again. Tables in which nothing counts any more are dropped without a job.
 */
import { messageOf } from '../base/errors.js';
import { type FileNumber, fileNumber } from '../base/ids.js';
import type { TableMeta } from '../base/table-meta.js';
import type { EngineOptions } from '../rpc/control.js';
import type { JobOutput, JobResult, MergeJob } from '../rpc/jobs.js';
import { MergeControl } from '../rpc/merge-control.js';
import type { ManifestEdit } from '../storage/manifest-format.js';
import type { TableReader } from '../storage/table-reader.js';
import {
  type CompactionDebt,
  compactionDebt,
  mergeSharePercent,
  type PickerOptions,
  pickMerges,
  type RunFigures,
} from './compaction-picker.js';
import { deadTables, runFigures } from './dead-tables.js';
import type { EngineEnv } from './engine-env.js';
import { type MergePart, mergeParts, outputsOf } from './merge-parts.js';
import type { OpenRun, Version } from './version.js';

/** Time passes for expiry and quiet without anybody telling. */
const LOOK_MS = 1000;
const RETRY_MS = 500;
const RETRY_MS_MAX = 8000;
/** Jobs of one merge that wait or run: with several threads they share it. */
const PARTS_AT_ONCE = 2;
/** Of a table's bytes: so the result of a part mostly fits one table. */
const PART_SHARE = 0.75;

/** What the merges need of the shard's housekeeping. */
export interface MergeHost {
  /** The present one. */
  version(): Version;
  /** The sequence numbers of the open snapshots, ascending. */
  snapshots(): number[];
  /** The first of so many numbers that nobody else gets, or undefined: not now. */
  reserve(count: number): number | undefined;
  open(table: TableMeta): TableReader;
  /**
   * Makes the edit durable, sooner or later, and then has its effects. `ready`: tables of the edit
   * that are open; from then on they are the version's.
   */
  commit(
    makeEdit: () => ManifestEdit,
    effects: () => void,
    ready?: ReadonlyMap<number, TableReader>,
  ): void;
  removeTable(number: FileNumber): void;
}

interface Merge {
  readonly inputs: readonly OpenRun[];
  /** The number of the run that it makes. */
  readonly run: number;
  readonly parts: readonly MergePart[];
  /** Numbers for the parts' outputs, for one part after the other. */
  nextOutput: number;
  started: number;
  running: number;
  failed: boolean;
  readonly results: JobOutput[];
  /** Tables of the results, by number: opened part by part, because each takes milliseconds. */
  readonly ready: Map<number, TableReader>;
  /** What lies below; what is merged there meanwhile can only become less. */
  readonly older: MergeJob['older'];
}

export class Merges {
  readonly totals = { mergesTotal: 0, mergeReadBytesTotal: 0, mergeWrittenBytesTotal: 0 };
  readonly #env: EngineEnv;
  readonly #options: EngineOptions;
  readonly #host: MergeHost;
  readonly #picker: PickerOptions;
  readonly #control = MergeControl.create();
  readonly #merges = new Set<Merge>();
  /** Of runs made in this life: versions that were kept for snapshots. */
  readonly #shadowed = new Map<number, number>();
  /** The version at the last look, and when to look again without a new one. */
  #looked: Version | undefined;
  #lookDueMs = 0;
  #figures: RunFigures[] = [];
  #debt: CompactionDebt = { bytes: 0, runs: 0 };
  #flushedMs: number;
  #retryAtMs = 0;
  #pauseMs = 0;
  #failure: string | undefined;
  #closed = false;

  constructor(env: EngineEnv, options: EngineOptions, host: MergeHost) {
    this.#env = env;
    this.#options = options;
    this.#host = host;
    this.#picker = {
      fanIn: options.mergeFanIn,
      garbagePercentBusy: options.mergeGarbagePercentBusy,
      garbagePercentQuiet: options.mergeGarbagePercentQuiet,
    };
    this.#control.bytesPerSecond = options.mergeBytesPerSecond;
    this.#flushedMs = env.clock.monotonicMs();
  }

  /** What merging is behind, as of the last look: a second ago at the most. */
  get debt(): CompactionDebt {
    return this.#debt;
  }

  /** Why the last merge failed, until one goes well. Nothing that writes need is held up by it. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** A flush has begun or ended: it is not quiet. */
  noteFlush(): void {
    this.#flushedMs = this.#env.clock.monotonicMs();
  }

  /** Starts what is due. To be called only while no edit is waiting. */
  run(now: number): void {
    for (const merge of this.#merges) this.#startParts(merge);
    if (this.#host.version() === this.#looked && now < this.#lookDueMs) return;
    this.#look(now);
    if (this.#dropDead() || now < this.#retryAtMs) return;
    this.#startDue(now);
  }

  /** When `run` has something to do again, if nothing else happens; monotonic ms. */
  get dueMs(): number {
    return this.#lookDueMs;
  }

  /** Has running merges end soon; nothing of them will count. */
  close(): void {
    this.#closed = true;
    this.#control.cancel();
    for (const { ready } of this.#merges) for (const reader of ready.values()) reader.close();
    this.#merges.clear();
  }

  #look(now: number): void {
    const version = this.#host.version();
    this.#looked = version;
    this.#lookDueMs = now + LOOK_MS;
    if (this.#retryAtMs > now) this.#lookDueMs = Math.min(this.#lookDueMs, this.#retryAtMs);
    const nowMs = this.#env.clock.wallMs();
    const oldestSnapshot = this.#host.snapshots()[0] ?? Number.POSITIVE_INFINITY;
    this.#figures = version.runs.map((run) =>
      runFigures(
        metasOf(run),
        nowMs,
        oldestSnapshot,
        this.#isBusy(run),
        this.#shadowed.get(run.id),
      ),
    );
    this.#debt = compactionDebt(this.#figures, this.#picker);
    this.#control.sharePercent = this.#isQuiet(now)
      ? 100
      : mergeSharePercent(this.#debt, this.#picker.fanIn);
  }

  #isQuiet(now: number): boolean {
    return now >= this.#flushedMs + this.#options.mergeQuietMs;
  }

  /** Merged at the moment, or never: what is damaged must not get a fresh checksum. */
  #isBusy({ id }: { id: number }): boolean {
    if (this.#host.version().isDamaged(id)) return true;
    for (const { inputs } of this.#merges) {
      if (inputs.some((input) => input.id === id)) return true;
    }
    return false;
  }

  /** True when there was something. */
  #dropDead(): boolean {
    const runs = this.#host.version().runs.map((run) => ({ id: run.id, tables: metasOf(run) }));
    const dead = deadTables(runs, this.#env.clock.wallMs(), (run) => this.#isBusy(run));
    if (dead.length === 0) return false;
    const remove = dead.map(({ number }) => number);
    this.#host.commit(
      () => ({ remove }),
      () => {
        for (const number of remove) this.#host.removeTable(number);
      },
    );
    return true;
  }

  #startDue(now: number): void {
    const { runs } = this.#host.version();
    const partBytes = this.#options.table.tableBytesMax * PART_SHARE;
    for (const pick of pickMerges(this.#figures, this.#picker, this.#isQuiet(now))) {
      const end = pick.from + pick.count;
      const inputs = runs.slice(pick.from, end);
      const parts = mergeParts(inputs.map(metasOf), partBytes);
      if (this.#isUnderWay(parts.length > 1)) continue;
      if (!this.#start(inputs, parts, runs.slice(end))) return;
    }
  }

  /**
   * One large merge and a small one above it go side by side. A second of a kind would only wait
   * for the same threads, while the stretch that it was picked for grows.
   */
  #isUnderWay(isLarge: boolean): boolean {
    for (const { parts } of this.#merges) if (parts.length > 1 === isLarge) return true;
    return false;
  }

  #start(
    inputs: readonly OpenRun[],
    parts: readonly MergePart[],
    older: readonly OpenRun[],
  ): boolean {
    const { tableBytesMax } = this.#options.table;
    const outputs = parts.reduce((sum, { runs }) => sum + outputsOf(runs, tableBytesMax), 0);
    const run = this.#host.reserve(1 + outputs);
    if (run === undefined) return false;
    const merge: Merge = {
      inputs,
      run,
      parts,
      nextOutput: run + 1,
      started: 0,
      running: 0,
      failed: false,
      results: [],
      ready: new Map(),
      older: older.map((each) => metasOf(each).map(({ minKey, maxKey }) => ({ minKey, maxKey }))),
    };
    this.#merges.add(merge);
    this.#lookDueMs = 0;
    this.#startParts(merge);
    return true;
  }

  #startParts(merge: Merge): void {
    while (!merge.failed && merge.running < PARTS_AT_ONCE) {
      const part = merge.parts[merge.started];
      if (part === undefined) return;
      merge.started++;
      merge.running++;
      this.#env.jobs.submit(this.#jobOf(merge, part), (result) => this.#partDone(merge, result));
    }
  }

  /** Snapshots that are opened later see only what is newer than all inputs, or newest in them. */
  #jobOf(merge: Merge, { bounds, runs }: MergePart): MergeJob {
    const { dir, table } = this.#options;
    const first = merge.nextOutput;
    const count = outputsOf(runs, table.tableBytesMax);
    merge.nextOutput += count;
    return {
      kind: 'merge',
      dir,
      runs,
      ...(bounds !== undefined && { part: bounds }),
      older: merge.older,
      snapshots: this.#host.snapshots(),
      nowMs: this.#env.clock.wallMs(),
      outputs: Array.from({ length: count }, (_, i) => fileNumber(first + i)),
      table,
      control: this.#control.memory,
    };
  }

  #partDone(merge: Merge, result: JobResult): void {
    if (this.#closed) return;
    merge.running--;
    if (result.ok) this.#take(merge, result.output);
    else this.#fail(merge, `A merge failed: ${result.message}`);
    if (!merge.failed && merge.started === merge.parts.length && merge.running === 0) {
      this.#checkCount(merge);
      if (!merge.failed) this.#finish(merge);
    }
    if (merge.failed) this.#discard(merge);
  }

  #take(merge: Merge, output: JobOutput): void {
    merge.results.push(output);
    try {
      for (const table of output.tables) merge.ready.set(table.number, this.#host.open(table));
    } catch (error) {
      this.#fail(merge, `A merged table cannot be opened: ${messageOf(error)}`);
    }
  }

  /** A run that yields fewer entries than were written to it has lost data: nothing replaces it. */
  #checkCount(merge: Merge): void {
    const expected = sumOf(merge.inputs.flatMap(metasOf), ({ entryCount }) => entryCount);
    const seen = sumOf(merge.results, ({ entriesRead = 0 }) => entriesRead);
    if (seen === expected) return;
    this.#fail(merge, `The merged runs hold ${seen} entries and should hold ${expected}`);
  }

  #finish(merge: Merge): void {
    const { inputs, run, results } = merge;
    const merged = new Set(inputs.map(({ id }) => id));
    const first = inputs[0]?.id;
    const removed = inputs.flatMap(metasOf);
    const added = results.flatMap(({ tables }) => tables);
    const makeEdit = (): ManifestEdit => ({
      add: added.map((table) => ({ ...table, run })),
      remove: removed.map(({ number }) => number),
      // Flushes may have put newer runs in front meanwhile: the result takes its inputs' place.
      runs: this.#host.version().runs.flatMap(({ id }) => {
        if (!merged.has(id)) return [id];
        return id === first && added.length > 0 ? [run] : [];
      }),
    });
    const effects = (): void => {
      for (const { number } of removed) this.#host.removeTable(number);
      this.#merges.delete(merge);
      for (const { id } of inputs) this.#shadowed.delete(id);
      this.#shadowed.set(
        run,
        sumOf(results, ({ entriesShadowed = 0 }) => entriesShadowed),
      );
      this.#pauseMs = 0;
      this.#failure = undefined;
      this.totals.mergesTotal++;
      this.totals.mergeReadBytesTotal += sumOf(removed, ({ sizeBytes }) => sizeBytes);
      this.totals.mergeWrittenBytesTotal += sumOf(results, ({ bytesWritten }) => bytesWritten);
    };
    this.#host.commit(makeEdit, effects, merge.ready);
  }

  #fail(merge: Merge, message: string): void {
    this.#failure = message;
    if (merge.failed) return;
    merge.failed = true;
    this.#pauseMs = this.#pauseMs === 0 ? RETRY_MS : Math.min(RETRY_MS_MAX, this.#pauseMs * 2);
    this.#retryAtMs = this.#env.clock.monotonicMs() + this.#pauseMs;
  }

  /** Removes what parts have written so far; the last one to end frees the inputs. */
  #discard(merge: Merge): void {
    for (const reader of merge.ready.values()) reader.close();
    merge.ready.clear();
    for (const { tables } of merge.results.splice(0)) {
      for (const { number } of tables) this.#host.removeTable(number);
    }
    if (merge.running > 0) return;
    this.#merges.delete(merge);
    this.#looked = undefined;
  }
}

function metasOf({ tables }: OpenRun): TableMeta[] {
  return tables.map(({ meta }) => meta);
}

function sumOf<T>(list: readonly T[], value: (each: T) => number): number {
  return list.reduce((sum, each) => sum + value(each), 0);
}
