/**
 * The storage engine of one shard: MemTables, WAL, tables and manifest behind synchronous calls. It
 * is a state machine: nothing in it waits, background work goes through the job port and comes back
 * between calls. Owned by one thread.
 *
 * Life of a write (docs/ARCHITECTURE.md):
 *   1. `openGroup`, then `stage` and `admitStaged` for each request → one frame buffer.
 *   2. `commit` → sequence numbers, one WAL append, a sync asked for.
 *   3. `nextSettled` → once the WAL says it is durable: applied to the MemTable, ready to answer.
 * So a read can never see what is not yet durable (with `wal.sync: always`; the other modes count
 * what the operating system has taken as done).
 *
 * A failure of the WAL poisons the engine: nothing is acknowledged any more and only opening the
 * shard anew helps. Failures of background jobs are retried; until they succeed writes may be held
 * or refused, reads go on.
 */
import { assert } from '../base/assert.js';
import { messageOf } from '../base/errors.js';
import type { EngineOptions, LogMessage } from '../rpc/control.js';
import type { SyncAlarm } from '../rpc/sync-alarm.js';
import { isDiskFailure, leaveDistrust } from '../storage/distrust.js';
import { KIND_DELETE } from '../storage/entry-cursor.js';
import { LookupResult } from '../storage/lookup.js';
import { LookupKey } from '../storage/lookup-key.js';
import { MergeCursor, ReverseMergeCursor } from '../storage/merge-cursor.js';
import type { WriteAheadLog } from '../storage/write-ahead-log.js';
import { Admission } from './admission.js';
import { CommitGroup } from './commit-group.js';
import { DrainMeter } from './drain-meter.js';
import type { EngineEnv } from './engine-env.js';
import type { EngineFigures } from './engine-figures.js';
import { Housekeeper } from './housekeeper.js';
import { MemTableStack } from './mem-table-stack.js';
import {
  type PageEnd,
  type PageSink,
  type ScanRange,
  scanBackward,
  scanForward,
} from './range-scan.js';
import { recoverShard } from './recovery.js';
import { ShardDesk } from './shard-desk.js';
import { type Snapshot, Snapshots } from './snapshots.js';
import { giveUp, watchedEnv } from './watched-env.js';
import type { Pressure } from './write-pressure.js';

/** Groups that may be on their way to the disk at once, each with a buffer of its own. */
const GROUPS_IN_FLIGHT_MAX = 2;
const IDLE_MS = 1000;
const SNAPSHOTS_PER_LIFE = 2 ** 24;
/** A scan that is read keeps its snapshot alive; one that was left is forgotten soon. */
const SNAPSHOT_LIMITS = { countMax: 1024, idleMsMax: 30_000, ageMsMax: 300_000 };
const NEWEST = Number.MAX_SAFE_INTEGER;

export interface RecoveryReport {
  records: number;
  lastSequence: number;
  tornTail: boolean;
}

export class Engine {
  readonly report: RecoveryReport;
  readonly desk: ShardDesk;
  readonly #env: EngineEnv;
  readonly #options: EngineOptions;
  readonly #alarm: SyncAlarm;
  readonly #wal: WriteAheadLog;
  readonly #stack: MemTableStack;
  readonly #keeper: Housekeeper;
  readonly #admission: Admission;
  readonly #freeGroups: CommitGroup[] = [];
  /** Committed, oldest first, waiting for durability. */
  readonly #pending: CommitGroup[] = [];
  readonly #snapshots: Snapshots;
  readonly #versionLookup = new LookupResult();
  readonly #lookupKey = new LookupKey();
  /** The last sequence number that reads can see. */
  #applied: number;
  #poison: string | undefined;
  #syncDueMs = 0;
  #lastAppendMs = 0;
  #sealed = true;

  private constructor(given: EngineEnv, options: EngineOptions, distrust: boolean) {
    const env = watchedEnv(given, options.dir);
    this.#env = env;
    this.#alarm = env.syncAlarm;
    this.#options = options;
    const recovered = recoverShard(env, options, distrust);
    const { wal, memTables, lastSequence, recoveredRecords, tornTail } = recovered;
    this.#wal = wal;
    this.#stack = new MemTableStack(env.arenas, memTables);
    this.#applied = lastSequence;
    const firstSnapshotId = recovered.manifest.state.ownerEpoch * SNAPSHOTS_PER_LIFE + 1;
    this.#snapshots = new Snapshots(SNAPSHOT_LIMITS, firstSnapshotId);
    const sequences = (): number[] => this.#snapshots.sequences();
    const stack = this.#stack;
    const oldestFrozen = (): number => stack.frozen[0]?.dataBytes ?? 0;
    const meter = new DrainMeter(env.jobs, () => env.clock.monotonicMs(), oldestFrozen);
    const metered = { ...env, jobs: meter };
    this.#keeper = new Housekeeper(metered, options, recovered, stack, sequences);
    this.desk = new ShardDesk(env, options, wal, this.#keeper);
    const parts = { clock: env.clock, options, wal, stack, keeper: this.#keeper, meter };
    this.#admission = new Admission({ ...parts, pending: this.#pending });
    if (distrust || recovered.distrust) this.#keeper.flushEverything();
    this.report = { records: recoveredRecords, lastSequence, tornTail };
    const payloadMax = options.walGroupBytesMax + options.batchBytesMax;
    for (let i = 0; i < GROUPS_IN_FLIGHT_MAX; i++)
      this.#freeGroups.push(new CommitGroup(payloadMax));
  }

  /**
   * Opens the shard in `options.dir`, recovering what is there. Throws a CorruptionError or a
   * StormError that says what is wrong; files stay as they were, save for sweeping. `distrust`: a
   * sync failed in an earlier life, even if no file says so.
   */
  static open(env: EngineEnv, options: EngineOptions, distrust = false): Engine {
    try {
      return new Engine(env, options, distrust);
    } catch (error) {
      // A sync that failed in here leaves pages behind that the next opening must not believe.
      if (isDiskFailure(error)) leaveDistrust(env.fs, options.dir);
      throw error;
    }
  }

  /** An empty group to stage requests into, unless all of them are on their way. */
  openGroup(): CommitGroup | undefined {
    return this.#poison === undefined ? this.#freeGroups.pop() : undefined;
  }

  /**
   * Whether what was just staged last may stay in `group`. On any answer but `accept` the caller
   * unstages it and does what the answer says.
   */
  admitStaged(group: CommitGroup): Pressure {
    for (;;) {
      const pressure = this.#admission.decide(group);
      if (pressure.kind !== 'freeze') return pressure;
      this.#stack.freeze();
    }
  }

  /** A write is known to wait because writes are slowed: there is no use in asking again yet. */
  get isDelaying(): boolean {
    return this.#admission.isDelaying;
  }

  /** Gives a group back unused, or used and answered. */
  recycle(group: CommitGroup): void {
    group.reset();
    this.#freeGroups.push(group);
  }

  /**
   * Appends the group to the WAL and asks for a sync. When it throws, the engine is poisoned and
   * the outcome of this and of every pending group is unknown.
   */
  commit(group: CommitGroup): void {
    assert(group.count > 0, 'an empty group is never committed');
    group.firstSequence = this.#wal.appendedThrough + 1;
    group.commitTimeMs = this.#env.clock.wallMs();
    this.#pending.push(group);
    this.#admission.took(group);
    this.#orPoison(() => {
      this.#wal.append(group);
      if (this.#options.walSync === 'always') this.#wal.requestSync();
    });
    this.#lastAppendMs = this.#env.clock.monotonicMs();
    this.#sealed = false;
  }

  /** The next group that is durable; it is applied by this call and may then be answered. */
  nextSettled(): CommitGroup | undefined {
    const group = this.#pending[0];
    if (group === undefined) return undefined;
    if (group.firstSequence + group.count - 1 > this.#durableThrough) return undefined;
    if (this.#alarm.isRaised) this.#orPoison(giveUp);
    this.#pending.shift();
    const { active } = this.#stack;
    active.keepThrough =
      this.#snapshots.count === 0 ? 0 : (this.#snapshots.sequences().at(-1) ?? 0);
    group.applyTo(active);
    this.#applied = group.firstSequence + group.count - 1;
    return group;
  }

  /** Groups that are committed and not yet settled, oldest first. */
  get pending(): readonly CommitGroup[] {
    return this.#pending;
  }

  /** Takes every unanswered group out of a poisoned engine: their outcome is unknown. */
  takeUnsettled(): CommitGroup[] {
    return this.#pending.splice(0);
  }

  /**
   * Finds the newest live version of the key; false when there is none, or a delete, or it has
   * expired. The value in `into` is borrowed: copy it before the next call of anything here.
   */
  get(key: Uint8Array, keyStart: number, keyLength: number, into: LookupResult): boolean {
    const found =
      this.#stack.get(key, keyStart, keyLength, NEWEST, into) ||
      this.#keeper.version.get(this.#lookupKey.set(key, keyStart, keyLength), NEWEST, into);
    if (!found || into.kind === KIND_DELETE) return false;
    return into.expiresAtMs === 0 || into.expiresAtMs > this.#env.clock.wallMs();
  }

  /**
   * The present version of a key, as far as the writes that are staged or on their way are counted
   * in: 0 when it has no value. `provisional`: it rests on a write that is not yet durable and must
   * not be shown to anyone.
   */
  versionOf(
    group: CommitGroup,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
  ): { version: number; provisional: boolean } {
    let first = this.#wal.appendedThrough + 1;
    const unsettled = [group, ...this.#pending.slice().reverse()];
    for (const [i, holder] of unsettled.entries()) {
      if (i > 0) first = holder.firstSequence;
      const index = holder.find(key, keyStart, keyLength);
      if (index < 0) continue;
      return { version: holder.isDelete(index) ? 0 : first + index, provisional: true };
    }
    const found = this.#versionLookup;
    const version = this.get(key, keyStart, keyLength, found) ? found.sequence : 0;
    return { version, provisional: false };
  }

  /** Of everything that is visible now. It ends by `closeSnapshot`, by lying idle, or by age. */
  openSnapshot(): Snapshot {
    return this.#snapshots.open(this.#applied, this.#env.clock.monotonicMs());
  }

  /** The snapshot of that id if it is still open. */
  useSnapshot(id: number): Snapshot | undefined {
    return this.#snapshots.use(id, this.#env.clock.monotonicMs());
  }

  closeSnapshot(id: number): void {
    this.#snapshots.close(id);
  }

  /** Wall time in ms, by which expiry is judged. */
  wallMs(): number {
    return this.#env.clock.wallMs();
  }

  /** Does a part of what a scan needs first; true when `scan` may be called. */
  prepareScan(): boolean {
    return this.#stack.prepareOrder();
  }

  /** Fills a page with what the snapshot sees of [from, to), ascending or descending. */
  scan(
    bounds: Pick<ScanRange, 'from' | 'to'>,
    snapshot: Snapshot,
    sink: PageSink,
    reverse = false,
  ): PageEnd {
    const range = { ...bounds, snapshot: snapshot.sequence, nowMs: this.#env.clock.wallMs() };
    const fresh = this.#stack.cursors();
    const { version } = this.#keeper;
    if (reverse) {
      const source = new ReverseMergeCursor([...fresh, ...version.reverseCursors()]);
      return scanBackward(source, range, sink);
    }
    return scanForward(new MergeCursor([...fresh, ...version.cursors()]), range, sink);
  }

  /**
   * Everything that happens by itself: flushes, merges, spare segments, the interval's sync, the
   * idle seal. Returns the monotonic time in ms at which it wants to be called again at the latest.
   */
  maintain(): number {
    const now = this.#env.clock.monotonicMs();
    if (this.#poison !== undefined) return now + IDLE_MS;
    if (this.#alarm.isRaised) this.#orPoison(giveUp);
    this.#freezeForWal();
    const keeperDue = this.#keeper.run(now);
    const delayDue = this.#admission.look(now);
    return Math.min(keeperDue, delayDue, this.#syncIfDue(now), this.#sealIfDue(now));
  }

  /**
   * True once nothing that was replayed depends on the page cache of a disk that failed; nothing
   * must be served before.
   */
  get replayIsSafe(): boolean {
    return this.#keeper.replayIsSafe && !this.#alarm.isRaised;
  }

  /** Why nothing is acknowledged any more, or undefined. */
  get poison(): string | undefined {
    return this.#poison;
  }

  /** Tables that nobody reads and that are still on disk: they go a little later. */
  get doomedTables(): number {
    return this.#keeper.doomedTables;
  }

  /** Set when tables were dropped; whoever owns the thread lets their maps be collected. */
  takeReleasedTables(): boolean {
    return this.#keeper.takeReleasedTables();
  }

  /** A line for the log when what writes meet has changed; call it now and then. */
  takeLogLine(): LogMessage | undefined {
    return this.#keeper.scrubber.takeLogLine() ?? this.#admission.takeLogLine();
  }

  /** Figures for the counters. */
  figures(): EngineFigures {
    const { version } = this.#keeper;
    const tables = version.tables();
    return {
      durableSequence: this.#wal.syncedThrough,
      walLiveBytes: this.#wal.liveBytes,
      memTableBytes: this.#stack.bytes,
      frozenMemTables: this.#stack.frozen.length,
      tables: tables.length,
      sortedRuns: version.runs.length,
      tableBytes: tables.reduce((sum, { meta }) => sum + meta.sizeBytes, 0),
      tableEntries: tables.reduce((sum, { meta }) => sum + meta.entryCount, 0),
      mappedTables: tables.filter(({ reader }) => reader.isMapped).length,
      ...this.#admission.figures(),
      ...this.#keeper.totals,
    };
  }

  /** Seals the WAL, unless poisoned, and closes the files, also when the seal fails. */
  close(): void {
    try {
      if (this.#poison !== undefined) return;
      if (this.#alarm.isRaised) this.#orPoison(giveUp);
      this.#orPoison(() => this.#wal.seal(true));
      this.#keeper.noteDurable();
    } finally {
      this.#wal.close();
      this.#keeper.close();
    }
  }

  get #durableThrough(): number {
    const { walSync } = this.#options;
    return walSync === 'always' ? this.#wal.syncedThrough : this.#wal.appendedThrough;
  }

  /** When the log is full before the MemTable is, or is damaged. */
  #freezeForWal(): void {
    if (this.#pending.length > 0 || !this.#stack.ensureActive()) return;
    if (!this.#keeper.wantsFlush && this.#wal.liveBytes < this.#options.walLiveBytesMax) return;
    if (this.#stack.frozen.length > 0 || this.#stack.active.entryCount === 0) return;
    if (this.#stack.canFreeze) this.#stack.freeze();
  }

  #syncIfDue(now: number): number {
    if (this.#options.walSync !== 'interval') return now + IDLE_MS;
    if (this.#wal.syncedThrough === this.#wal.appendedThrough) return now + IDLE_MS;
    if (now >= this.#syncDueMs) {
      this.#orPoison(() => this.#wal.requestSync());
      this.#syncDueMs = now + this.#options.walSyncIntervalMs;
    }
    return Math.max(now, this.#syncDueMs);
  }

  #sealIfDue(now: number): number {
    if (this.#sealed || this.#options.walSync === 'os') return now + IDLE_MS;
    const due = this.#lastAppendMs + this.#options.walIdleSealMs;
    if (now < due || this.#pending.length > 0) return Math.max(now, due);
    this.#orPoison(() => this.#wal.seal(false));
    this.#sealed = true;
    return now + IDLE_MS;
  }

  #orPoison(work: () => void): void {
    try {
      work();
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      this.#poison = messageOf(error) + (cause === undefined ? '' : `: ${messageOf(cause)}`);
      this.#alarm.raise();
      leaveDistrust(this.#env.fs, this.#options.dir);
      throw error;
    }
  }
}
