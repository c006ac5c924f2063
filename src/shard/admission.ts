/**
 * Whether and when an engine takes writes: puts together what write-pressure.ts decides upon, keeps
 * the pace, and records what writes met. Changes nothing but what it measures; freezing and waiting
 * are up to its caller.
 */
import type { Clock } from '../base/clock.js';
import type { EngineOptions, LogMessage, PressureLimits } from '../rpc/control.js';
import type { WriteAheadLog } from '../storage/write-ahead-log.js';
import type { CommitGroup } from './commit-group.js';
import type { CompactionDebt } from './compaction-picker.js';
import type { DrainMeter } from './drain-meter.js';
import type { Housekeeper } from './housekeeper.js';
import type { MemTable } from './mem-table.js';
import type { MemTableStack } from './mem-table-stack.js';
import { PressureRecord } from './pressure-record.js';
import { WritePacer } from './write-pacer.js';
import { decidePressure, type Pressure } from './write-pressure.js';

/** MemTables are looked at this often at the most, and merges. */
const LOOK_MS = 1;
const LOOK_AT_MERGES_MS = 50;
const ENDLESS = Number.POSITIVE_INFINITY;
const UNLIMITED: PressureLimits = {
  runsSoft: ENDLESS,
  runsHard: ENDLESS,
  debtBytesSoft: ENDLESS,
  debtBytesHard: ENDLESS,
  bytesPerSecondMin: ENDLESS,
};

export interface AdmissionParts {
  clock: Clock;
  options: EngineOptions;
  wal: WriteAheadLog;
  stack: MemTableStack;
  keeper: Housekeeper;
  meter: DrainMeter;
  /** Groups that are on their way to the disk. */
  pending: readonly CommitGroup[];
}

export class Admission {
  readonly #parts: AdmissionParts;
  readonly #pacer: WritePacer;
  readonly #record = new PressureRecord();
  #debt: CompactionDebt = { bytes: 0, runs: 0 };
  #lookedMs = Number.NEGATIVE_INFINITY;
  #lookedAtMergesMs = Number.NEGATIVE_INFINITY;
  /** Bytes of groups since the engine was opened. */
  #writtenBytes = 0;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    const limits = parts.options.pressure ?? UNLIMITED;
    this.#pacer = new WritePacer(limits, parts.clock.monotonicMs());
  }

  /** What to do with the request that was staged last. */
  decide(group: CommitGroup): Pressure {
    const { clock, stack, wal, keeper, pending } = this.#parts;
    const active = stack.ensureActive() ? stack.active : undefined;
    const now = clock.monotonicMs();
    const { because } = this.#pacer.pace;
    const isPaced = because !== undefined;
    const pressure = decidePressure({
      memTableHasRoom: active !== undefined && this.#hasRoomFor(active, group),
      memTableEmpty: active !== undefined && active.entryCount === 0,
      groupOpen: group.requests.length > 1 || pending.length > 0,
      groupHasOthers: group.requests.length > 1,
      arenaAtHand: stack.canFreeze,
      walHasRoom: wal.hasRoomFor(group.payloadLength),
      delayMs: isPaced ? this.#pacer.delayMs(now) : 0,
      groupIsFull: isPaced && this.#pacer.isFull(group.payloadLength),
      strainedBy: because,
      jobFailure: keeper.failure,
    });
    this.#record.met(now, pressure);
    return pressure;
  }

  /** A group is being committed. */
  took(group: CommitGroup): void {
    this.#writtenBytes += group.payloadLength;
    this.#pacer.take(this.#parts.clock.monotonicMs(), group.payloadLength);
  }

  /** True while a write is known to wait for the pace: it need not be asked about before. */
  get isDelaying(): boolean {
    if (!this.#record.isDelaying) return false;
    return this.#pacer.delayMs(this.#parts.clock.monotonicMs()) > 0;
  }

  /** Looks at what there is to do. Returns when a waiting write may go on, or Infinity. */
  look(now: number): number {
    if (now - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = now;
      this.#look(now);
    }
    return this.#record.isDelaying ? now + this.#pacer.delayMs(now) : ENDLESS;
  }

  /** A line for the log when what writes meet has changed; rarely. */
  takeLogLine(): LogMessage | undefined {
    const { clock, stack, keeper } = this.#parts;
    return this.#record.takeLogLine(clock.monotonicMs(), {
      frozenMemTables: stack.frozen.length,
      sortedRuns: keeper.version.runs.length,
      debtBytes: this.#debt.bytes,
    });
  }

  figures() {
    const { bytesPerSecond } = this.#pacer.pace;
    return {
      ...this.#record.figures(this.#parts.clock.monotonicMs()),
      admittedBytesPerSecond: bytesPerSecond === ENDLESS ? 0 : bytesPerSecond,
      debtBytes: this.#debt.bytes,
      debtRuns: this.#debt.runs,
    };
  }

  #look(now: number): void {
    const { stack, keeper, meter, options } = this.#parts;
    if (now - this.#lookedAtMergesMs >= LOOK_AT_MERGES_MS) {
      this.#lookedAtMergesMs = now;
      this.#debt = keeper.debt();
    }
    if (options.pressure !== undefined) {
      const { runs } = keeper.version;
      const load = {
        activeFill: stack.activeFill,
        frozenMemTables: stack.frozen.length,
        arenaAtHand: stack.canFreeze,
        sortedRuns: runs.length,
        debtBytes: this.#debt.bytes,
        oldestRunBytes: runs.at(-1)?.sizeBytes ?? 0,
      };
      this.#pacer.look(now, load, meter.drain(this.#writtenBytes));
    }
    this.#record.look(now, this.#pacer.pace.because);
  }

  #hasRoomFor(active: MemTable, group: CommitGroup): boolean {
    let bound = group.arenaBound;
    let count = group.count;
    for (const pending of this.#parts.pending) {
      bound += pending.arenaBound;
      count += pending.count;
    }
    return active.hasRoomFor(bound, count);
  }
}
