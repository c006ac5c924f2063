/**
 * The engine's background work: spare WAL segments, flushes, merges, and the manifest edits that
 * make their results count. One job of each kind at a time; a failed one is tried again after a
 * pause. Results are committed here and nowhere else, in this order:
 *   output files synced (by the job) → manifest edit synced → WAL segments released, arena given
 *   back, input files unlinked.
 */

import { messageOf } from '../base/errors.js';
import { type FileNumber, fileNumber } from '../base/ids.js';
import type { EngineOptions } from '../rpc/control.js';
import type { Job, JobOutput, JobResult } from '../rpc/jobs.js';
import { DISTRUST_FILE, tableFileName } from '../storage/file-names.js';
import type { ManifestEdit } from '../storage/manifest-format.js';
import type { ManifestLog } from '../storage/manifest-log.js';
import type { ManifestState } from '../storage/manifest-state.js';
import type { WalWriter } from '../storage/wal-writer.js';
import {
  type CompactionDebt,
  compactionDebt,
  type PickerOptions,
  pickMerges,
  type RunFigures,
} from './compaction-picker.js';
import { runFigures } from './dead-tables.js';
import type { EngineEnv } from './engine-env.js';
import type { MemTableStack } from './mem-table-stack.js';
import { NUMBER_LEASE, type Recovered } from './recovery.js';
import type { OpenRun, TableOpener, Version } from './version.js';

const RETRY_MS = 500;
const RETRY_MS_MAX = 8000;
const IDLE_MS = 1000;

type Task = 'segment' | 'flush' | 'merge' | 'commit';

interface PendingCommit {
  /** Called when its turn comes, so that it builds on the edits before it. */
  makeEdit: () => ManifestEdit;
  /** What the edit permits once it is on disk. */
  effects: () => void;
  edit?: ManifestEdit;
  /** Set when the edit is on disk but its tables could not be opened yet. */
  state?: ManifestState;
}

/** Numbers reserved for one job: of its output files, and of the run they will form. */
interface Reservation {
  run: number;
  outputs: FileNumber[];
}

export class Housekeeper {
  readonly totals = {
    flushesTotal: 0,
    flushBytesTotal: 0,
    mergesTotal: 0,
    mergeReadBytesTotal: 0,
    mergeWrittenBytesTotal: 0,
  };
  version: Version;
  readonly #env: EngineEnv;
  readonly #options: EngineOptions;
  readonly #wal: WalWriter;
  readonly #manifest: ManifestLog;
  readonly #opener: TableOpener;
  readonly #stack: MemTableStack;
  readonly #snapshots: () => number[];
  readonly #busy = new Set<Task>();
  readonly #failures = new Map<Task, { message: string; pauseMs: number; retryAtMs: number }>();
  /** Edits that are not yet on disk, in order; the first one is tried until it is. */
  readonly #commits: PendingCommit[] = [];
  #nextNumber: number;
  #leaseEnd: number;
  #replayed: number;
  #released = false;
  #closed = false;

  /** `snapshots`: the sequence numbers of the snapshots open at the moment, ascending. */
  constructor(
    env: EngineEnv,
    options: EngineOptions,
    recovered: Recovered,
    stack: MemTableStack,
    snapshots: () => number[],
  ) {
    this.#env = env;
    this.#options = options;
    this.#wal = recovered.wal;
    this.#manifest = recovered.manifest;
    this.version = recovered.version;
    this.#opener = recovered.opener;
    this.#nextNumber = recovered.firstNumber;
    this.#leaseEnd = recovered.leaseEnd;
    this.#stack = stack;
    this.#snapshots = snapshots;
    this.#replayed = 0;
  }

  /** The most recent failure that has not been made good, for who must wait because of it. */
  get failure(): { message: string; retryInMs: number } | undefined {
    for (const [task, { message, retryAtMs }] of this.#failures) {
      // Merges can wait; nothing that writes need is held up by them.
      if (task === 'merge') continue;
      return { message, retryInMs: Math.max(1, retryAtMs - this.#env.clock.monotonicMs()) };
    }
    return undefined;
  }

  get replayIsSafe(): boolean {
    return this.#replayed <= 0;
  }

  /** Freezes what the replay left, so that `replayIsSafe` once it is flushed. */
  flushEverything(): void {
    if (this.#stack.ensureActive() && this.#stack.active.entryCount > 0) this.#stack.freeze();
    this.#replayed = this.#stack.frozen.length;
    if (this.#replayed === 0) this.#remove(DISTRUST_FILE);
  }

  /** Starts what is due; returns when it wants to run again (monotonic ms). */
  run(now: number): number {
    if (this.#closed) return now + IDLE_MS;
    this.#runCommits(now);
    if (this.#ready('segment', now)) this.#orderSegment();
    if (this.#ready('flush', now)) this.#startFlush();
    if (this.#ready('merge', now)) this.#startMerge();
    return this.#nextRetry(now);
  }

  takeReleasedTables(): boolean {
    const released = this.#released;
    this.#released = false;
    return released;
  }

  /** What merging is behind: what merges under way and due have to read. */
  debt(): CompactionDebt {
    return compactionDebt(this.#runFigures(), this.#pickerOptions);
  }

  /** Has the manifest know how far the WAL is durable, if it can be done now. */
  noteDurable(): void {
    if (this.#commits.length > 0) return;
    if (this.#durableSequence === this.#manifest.state.durableSequence) return;
    this.#commit(
      () => ({ durableSequence: this.#durableSequence }),
      () => {},
    );
  }

  get #durableSequence(): number {
    return Math.max(this.#manifest.state.durableSequence, this.#wal.syncedThrough);
  }

  close(): void {
    this.#closed = true;
    this.version.close();
    this.#manifest.close();
  }

  /** Who runs already, or waits for a commit, has nothing to try again before that is over. */
  #nextRetry(now: number): number {
    let due = now + IDLE_MS;
    for (const [task, { retryAtMs }] of this.#failures) {
      const isHeld = this.#busy.has(task) || (task !== 'commit' && this.#commits.length > 0);
      if (!isHeld) due = Math.min(due, retryAtMs);
    }
    return due;
  }

  #ready(task: Task, now: number): boolean {
    if (this.#busy.has(task) || this.#commits.length > 0) return false;
    return now >= (this.#failures.get(task)?.retryAtMs ?? 0);
  }

  #orderSegment(): void {
    if (this.#wal.sparesWanted === 0) {
      this.#failures.delete('segment');
      return;
    }
    const name = this.#wal.takeSpareName();
    const { dir, walSegmentBytes } = this.#options;
    const job: Job = { kind: 'fill-segment', dir, name, sizeBytes: walSegmentBytes };
    this.#submit(
      'segment',
      job,
      () => this.#wal.addSpare(name),
      () => this.#wal.cancelSpare(),
    );
  }

  #startFlush(): void {
    const memTable = this.#stack.frozen[0];
    if (memTable === undefined) return;
    const numbers = this.#reserve(memTable.usedBytes);
    if (numbers === undefined) return;
    const { dir, table } = this.#options;
    const { arena, maxSequence } = memTable;
    const { outputs, run } = numbers;
    const snapshots = this.#snapshots();
    const job: Job = { kind: 'flush', dir, arena, snapshots, outputs, table };
    this.#submit('flush', job, (output) => this.#finishFlush(output, run, maxSequence));
  }

  #finishFlush(output: JobOutput, run: number, flushedSequence: number): void {
    const makeEdit = (): ManifestEdit => ({
      flushedSequence,
      durableSequence: Math.max(flushedSequence, this.#durableSequence),
      minSegment: this.#wal.oldestSegmentFor(flushedSequence),
      add: output.tables.map((table) => ({ ...table, run })),
      runs: [run, ...this.version.runs.map(({ id }) => id)],
    });
    this.#commit(makeEdit, () => {
      this.#stack.dropOldest();
      if (this.#replayed > 0 && --this.#replayed === 0) this.#remove(DISTRUST_FILE);
      this.#wal.release(flushedSequence);
      this.totals.flushesTotal++;
      this.totals.flushBytesTotal += output.bytesWritten;
    });
  }

  #startMerge(): void {
    const { runs } = this.version;
    const [pick] = pickMerges(this.#runFigures(), this.#pickerOptions, false);
    if (pick === undefined) return;
    const inputs = runs.slice(pick.from, pick.from + pick.count);
    const numbers = this.#reserve(inputs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
    if (numbers === undefined) return;
    const { dir, table } = this.#options;
    const job: Job = {
      kind: 'merge',
      dir,
      runs: inputs.map(({ tables }) => tables.map(({ meta }) => meta)),
      bottom: pick.from + pick.count === runs.length,
      snapshots: this.#snapshots(),
      nowMs: this.#env.clock.wallMs(),
      outputs: numbers.outputs,
      table,
    };
    this.#submit('merge', job, (output) => this.#finishMerge(output, numbers.run, inputs));
  }

  get #pickerOptions(): PickerOptions {
    const { mergeFanIn: fanIn } = this.#options;
    return { fanIn, garbagePercentBusy: 100, garbagePercentQuiet: 35 };
  }

  #runFigures(): RunFigures[] {
    const nowMs = this.#env.clock.wallMs();
    const oldestSnapshot = this.#snapshots()[0] ?? Number.POSITIVE_INFINITY;
    return this.version.runs.map(({ tables }) =>
      runFigures(
        tables.map(({ meta }) => meta),
        nowMs,
        oldestSnapshot,
        false,
      ),
    );
  }

  #finishMerge(output: JobOutput, run: number, inputs: readonly OpenRun[]): void {
    const merged = new Set(inputs.map(({ id }) => id));
    const first = inputs[0]?.id;
    const removed = inputs.flatMap(({ tables }) => tables.map(({ meta }) => meta.number));
    const makeEdit = (): ManifestEdit => ({
      add: output.tables.map((table) => ({ ...table, run })),
      remove: removed,
      // Flushes may have put newer runs in front meanwhile: the result takes its inputs' place.
      runs: this.version.runs.flatMap(({ id }) => {
        if (!merged.has(id)) return [id];
        return id === first && output.tables.length > 0 ? [run] : [];
      }),
    });
    this.#commit(makeEdit, () => {
      for (const number of removed) this.#remove(tableFileName(number));
      this.totals.mergesTotal++;
      this.totals.mergeReadBytesTotal += output.bytesRead;
      this.totals.mergeWrittenBytesTotal += output.bytesWritten;
    });
  }

  /**
   * Reserves numbers for a job that writes about `bytes`; undefined when the reservation could not
   * be written down yet. A number is never handed out twice, whatever becomes of the job.
   */
  #reserve(bytes: number): Reservation | undefined {
    const outputs = Math.ceil(bytes / this.#options.table.tableBytesMax) + 1;
    if (this.#nextNumber + outputs + 1 > this.#leaseEnd && !this.#extendLease(outputs + 1)) {
      return undefined;
    }
    const run = this.#nextNumber;
    this.#nextNumber += outputs + 1;
    return { run, outputs: Array.from({ length: outputs }, (_, i) => fileNumber(run + 1 + i)) };
  }

  #extendLease(count: number): boolean {
    const from = this.#manifest.state.nextNumber;
    const nextNumber = from + Math.max(count, NUMBER_LEASE);
    this.#commit(
      () => ({ nextNumber }),
      () => {
        this.#nextNumber = from;
        this.#leaseEnd = nextNumber;
      },
    );
    return this.#commits.length === 0;
  }

  #submit(
    task: Task,
    job: Job,
    finish: (output: JobOutput) => void,
    giveUp: () => void = () => {},
  ): void {
    this.#busy.add(task);
    this.#env.jobs.submit(job, (result: JobResult) => {
      if (this.#closed) return;
      this.#busy.delete(task);
      if (result.ok) {
        this.#failures.delete(task);
        finish(result.output);
        return;
      }
      giveUp();
      this.#fail(task, `A ${job.kind} job failed: ${result.message}`);
    });
  }

  /** Makes an edit durable and then does its effects; at once, or when the disk allows it. */
  #commit(makeEdit: () => ManifestEdit, effects: () => void): void {
    this.#commits.push({ makeEdit, effects });
    this.#runCommits(this.#env.clock.monotonicMs());
  }

  #runCommits(now: number): void {
    if (now < (this.#failures.get('commit')?.retryAtMs ?? 0)) return;
    for (let next = this.#commits[0]; next !== undefined; next = this.#commits[0]) {
      try {
        this.#carryOut(next);
      } catch (error) {
        this.#fail('commit', `Cannot commit to the manifest: ${messageOf(error)}`);
        return;
      }
      this.#commits.shift();
      this.#failures.delete('commit');
      next.effects();
    }
  }

  /** May throw at any step and be called again: what is done is not done twice. */
  #carryOut(commit: PendingCommit): void {
    commit.edit ??= commit.makeEdit();
    commit.state ??= this.#manifest.commit(commit.edit);
    const next = this.version.advance(this.#opener, commit.state);
    const dropped = this.version.tablesNotIn(next);
    this.version = next;
    for (const { reader } of dropped) reader.close();
    if (dropped.length > 0) this.#released = true;
  }

  #fail(task: Task, message: string): void {
    const before = this.#failures.get(task)?.pauseMs;
    const pauseMs = before === undefined ? RETRY_MS : Math.min(RETRY_MS_MAX, before * 2);
    const retryAtMs = this.#env.clock.monotonicMs() + pauseMs;
    this.#failures.set(task, { message, pauseMs, retryAtMs });
  }

  #remove(name: string): void {
    try {
      this.#env.fs.remove(`${this.#options.dir}/${name}`);
    } catch {
      // Nothing depends on its being gone, and the next opening tries again.
    }
  }
}
