/**
 * The engine's background work: spare WAL segments, flushes, merges (merges.ts), and the manifest
 * edits that make their results count. One segment and one flush at a time; a failed one is tried
 * again after a pause. Results are committed here and nowhere else, in this order:
 *   output files synced (by the job) → manifest edit synced → WAL segments released, arena given
 *   back, input files unlinked.
 */

import { messageOf, StormError } from '../base/errors.js';
import { fileNumber } from '../base/ids.js';
import type { EngineOptions } from '../rpc/control.js';
import type { Job, JobOutput, JobResult } from '../rpc/jobs.js';
import { DISTRUST_FILE, tableFileName } from '../storage/file-names.js';
import type { ManifestEdit } from '../storage/manifest-format.js';
import type { ManifestLog } from '../storage/manifest-log.js';
import type { ManifestState } from '../storage/manifest-state.js';
import { TableReader } from '../storage/table-reader.js';
import type { WalWriter } from '../storage/wal-writer.js';
import type { CompactionDebt } from './compaction-picker.js';
import { DoomedTables } from './doomed-tables.js';
import type { EngineEnv } from './engine-env.js';
import type { MemTableStack } from './mem-table-stack.js';
import { Merges } from './merges.js';
import { NUMBER_LEASE, type Recovered } from './recovery.js';
import { Scrubber } from './scrubber.js';
import { TablePins } from './table-pins.js';
import type { TableOpener, Version } from './version.js';
import { WalHolds } from './wal-holds.js';

const RETRY_MS = 500;
const RETRY_MS_MAX = 8000;
const IDLE_MS = 1000;

type Task = 'segment' | 'flush' | 'commit';

interface PendingCommit {
  /** Called when its turn comes, so that it builds on the edits before it. */
  makeEdit: () => ManifestEdit;
  /** What the edit permits once it is on disk. */
  effects: () => void;
  /** Tables of the edit that are open already. */
  ready?: ReadonlyMap<number, TableReader> | undefined;
  edit?: ManifestEdit;
  /** Set when the edit is on disk but its tables could not be opened yet. */
  state?: ManifestState;
}

export class Housekeeper {
  version: Version;
  /** Of who reads the log, such as a backup or the reader of a feed. */
  readonly holds: WalHolds;
  /** Of who copies tables. */
  readonly pins = new TablePins();
  readonly scrubber: Scrubber;
  /** What the log holds is to be in tables soon. */
  wantsFlush = false;
  /** Wall time; no write in tables was committed later. */
  tablesAtMs: number;
  readonly #env: EngineEnv;
  readonly #options: EngineOptions;
  readonly #wal: WalWriter;
  readonly #manifest: ManifestLog;
  readonly #opener: TableOpener;
  readonly #stack: MemTableStack;
  readonly #snapshots: () => number[];
  readonly #merges: Merges;
  readonly #doomed: DoomedTables;
  readonly #flushTotals = { flushesTotal: 0, flushBytesTotal: 0 };
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
    this.holds = new WalHolds(recovered.wal);
    this.tablesAtMs = env.clock.wallMs();
    this.#manifest = recovered.manifest;
    this.version = recovered.version;
    this.#opener = recovered.opener;
    this.#nextNumber = recovered.firstNumber;
    this.#leaseEnd = recovered.leaseEnd;
    this.#stack = stack;
    this.#snapshots = snapshots;
    this.#replayed = 0;
    this.scrubber = new Scrubber(env, options, {
      version: () => this.version,
      segments: () => {
        const segments = this.#wal.segmentsFrom(this.#manifest.state.flushedSequence + 1);
        return segments.filter(({ syncedOffset }) => syncedOffset === undefined);
      },
      outOfService: (table) =>
        this.#commit(
          () => ({
            damaged: this.version.tables().some(({ meta }) => meta.number === table) ? [table] : [],
          }),
          () => {},
        ),
      flushSoon: () => {
        this.wantsFlush = true;
      },
    });
    this.#doomed = new DoomedTables(env, options.dir);
    this.#merges = new Merges(env, options, {
      version: () => this.version,
      snapshots,
      reserve: (count) => this.#reserve(count),
      open: (table) => TableReader.open(env.fs, options.dir, table, this.#opener.options),
      commit: (makeEdit, effects, ready) => this.#commit(makeEdit, effects, ready),
      removeTable: (number) =>
        this.pins.letGo(number, () => this.#doomed.add(tableFileName(number))),
    });
  }

  /** What is on disk. */
  get state(): ManifestState {
    return this.#manifest.state;
  }

  get totals() {
    const damagedTables = this.#manifest.state.damaged?.length ?? 0;
    const { totals } = this.scrubber;
    return { ...this.#flushTotals, ...this.#merges.totals, ...totals, damagedTables };
  }

  /** The most recent failure that has not been made good, for who must wait because of it. */
  get failure(): { message: string; retryInMs: number } | undefined {
    for (const { message, retryAtMs } of this.#failures.values()) {
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
    this.holds.enforce(now);
    this.pins.enforce(now);
    this.#runCommits(now);
    if (this.#ready('segment', now)) this.#orderSegment();
    if (this.#ready('flush', now)) this.#startFlush();
    if (this.#commits.length === 0) this.#merges.run(now);
    if (this.#commits.length === 0) this.scrubber.run(now);
    this.#doomed.run(now);
    return this.#nextDue(now);
  }

  /** Tables that nobody reads and that are still on disk. */
  get doomedTables(): number {
    return this.#doomed.count;
  }

  takeReleasedTables(): boolean {
    const released = this.#released;
    this.#released = false;
    return released;
  }

  /** What merging is behind: what merges under way and due have to read. Costs nothing to ask. */
  debt(): CompactionDebt {
    return this.#merges.debt;
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
    this.#merges.close();
    this.scrubber.close();
    this.version.close();
    this.#doomed.close();
    this.#manifest.close();
  }

  /** Who runs already, or waits for a commit, has nothing to try again before that is over. */
  #nextDue(now: number): number {
    let due = Math.min(now + IDLE_MS, this.#doomed.dueMs);
    if (this.#commits.length === 0) {
      due = Math.max(now, Math.min(due, this.#merges.dueMs, this.scrubber.dueMs));
    }
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
    const { dir, table } = this.#options;
    const count = Math.ceil(memTable.usedBytes / table.tableBytesMax) + 1;
    const run = this.#reserve(1 + count);
    if (run === undefined) return;
    const { arena, maxSequence } = memTable;
    const outputs = Array.from({ length: count }, (_, i) => fileNumber(run + 1 + i));
    const snapshots = this.#snapshots();
    const job: Job = { kind: 'flush', dir, arena, snapshots, outputs, table };
    this.#merges.noteFlush();
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
      this.tablesAtMs = this.#env.clock.wallMs();
      this.#stack.dropOldest();
      if (this.#replayed > 0 && --this.#replayed === 0) this.#remove(DISTRUST_FILE);
      // The edit may have waited for the disk, and more could go by now than it has told.
      const { minSegment } = this.#manifest.state;
      this.#wal.release(flushedSequence, this.holds.keepFrom, minSegment);
      this.wantsFlush = false;
      this.#merges.noteFlush();
      this.#flushTotals.flushesTotal++;
      this.#flushTotals.flushBytesTotal += output.bytesWritten;
    });
  }

  /**
   * Reserves so many numbers and returns the first; undefined when the reservation could not be
   * written down yet. A number is never handed out twice, whatever becomes of the job.
   */
  #reserve(count: number): number | undefined {
    if (this.#nextNumber + count > this.#leaseEnd && !this.#extendLease(count)) return undefined;
    const first = this.#nextNumber;
    this.#nextNumber += count;
    return first;
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
  #commit(
    makeEdit: () => ManifestEdit,
    effects: () => void,
    ready?: ReadonlyMap<number, TableReader>,
  ): void {
    this.#commits.push({ makeEdit, effects, ready });
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
    if (this.#env.syncAlarm?.isRaised === true) {
      throw new StormError('UNAVAILABLE', 'a sync of the folder failed, names may be lost');
    }
    commit.edit ??= commit.makeEdit();
    commit.state ??= this.#manifest.commit(commit.edit);
    const next = this.version.advance(this.#opener, commit.state, commit.ready);
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
