/**
 * A shard without files, for trying out how it takes writes: a storm comes at a given rate, arenas
 * fill and are flushed, runs are merged, each at a speed of its own, in simulated time. What paces
 * the writes and picks the merges is the real thing; only the bytes are missing.
 */
import type { PressureLimits } from '../../src/rpc/control.js';
import type { Job, JobResult } from '../../src/rpc/jobs.js';
import {
  compactionDebt,
  type MergePick,
  pickMerges,
  type RunFigures,
} from '../../src/shard/compaction-picker.js';
import { DrainMeter } from '../../src/shard/drain-meter.js';
import { PressureRecord } from '../../src/shard/pressure-record.js';
import { WritePacer } from '../../src/shard/write-pacer.js';
import { decidePressure, type Load } from '../../src/shard/write-pressure.js';

const MIB = 2 ** 20;
const STEP_MS = 0.5;
const REQUEST_BYTES = 32 * 1024;
const SYNC_MS = 1;
const PICKER = { fanIn: 4, garbagePercentBusy: 100, garbagePercentQuiet: 35 };

export interface PlantOptions {
  arenas: number;
  arenaBytes: number;
  flushBytesPerSecond: number;
  mergeBytesPerSecond: number;
  /** Merges make runs no larger than this: beyond it everything is overwritten. */
  storeBytes: number;
  limits: PressureLimits;
}

export const PLANT: PlantOptions = {
  arenas: 4,
  arenaBytes: 16 * MIB,
  flushBytesPerSecond: 60 * MIB,
  mergeBytesPerSecond: 400 * MIB,
  storeBytes: 4096 * MIB,
  limits: {
    runsSoft: 20,
    runsHard: 60,
    debtBytesSoft: 1024 * MIB,
    debtBytesHard: 4096 * MIB,
    bytesPerSecondMin: MIB,
  },
};

interface Running {
  job: Job;
  done: (result: JobResult) => void;
  leftBytes: number;
  bytes: number;
}

export class PressurePlant {
  nowMs = 0;
  admittedBytes = 0;
  groups = 0;
  stateChanges = 0;
  /** The longest that writes had to wait for an arena. */
  longestHoldMs = 0;
  /** By how much the time that the pace gives to a request changes within a millisecond. */
  longestStepMs = 0;
  /** Of each group, how long the pace had it wait. */
  readonly delaysMs: number[] = [];
  readonly debtMiB: number[] = [];
  readonly runCounts: number[] = [];
  readonly record = new PressureRecord();
  readonly pacer: WritePacer;
  readonly #options: PlantOptions;
  readonly #meter: DrainMeter;
  /** Newest first. */
  readonly #runs: RunFigures[] = [];
  #flush: Running | undefined;
  #merge: Running | undefined;
  #frozen = 0;
  #active = 0;
  #offered = 0;
  #syncedAtMs = 0;
  #waitsSince: number | undefined;
  #heldSince: number | undefined;
  #sampledMs = 0;

  constructor(options: PlantOptions = PLANT) {
    this.#options = options;
    this.pacer = new WritePacer(options.limits, 0);
    const submit = (job: Job, done: Running['done']): void => {
      const running = { job, done, leftBytes: 0, bytes: 0 };
      if (job.kind === 'flush') this.#flush = running;
      else this.#merge = running;
    };
    this.#meter = new DrainMeter(
      { submit },
      () => this.nowMs,
      () => options.arenaBytes,
    );
  }

  get load(): Load {
    const { arenas, arenaBytes } = this.#options;
    return {
      activeFill: this.#active / arenaBytes,
      frozenMemTables: this.#frozen,
      arenaAtHand: this.#frozen + 1 < arenas,
      sortedRuns: this.#runs.length,
      debtBytes: compactionDebt(this.#runs, PICKER).bytes,
      oldestRunBytes: this.#runs.at(-1)?.sizeBytes ?? 0,
    };
  }

  /** Lets so much time pass with writes coming at this rate. */
  run(seconds: number, offeredBytesPerSecond: number): void {
    const endMs = this.nowMs + seconds * 1000;
    while (this.nowMs < endMs) {
      this.nowMs += STEP_MS;
      this.#offered += (offeredBytesPerSecond * STEP_MS) / 1000;
      // Rings are bounded: what does not fit them was refused by the router.
      this.#offered = Math.min(this.#offered, 2 * MIB);
      this.#work();
      this.#look();
      if (this.nowMs >= this.#syncedAtMs) this.#turn();
    }
  }

  get #msPerRequest(): number {
    return (REQUEST_BYTES * 1000) / this.pacer.pace.bytesPerSecond;
  }

  #look(): void {
    if (this.nowMs % 1 !== 0) return;
    const { load } = this;
    const before = this.record.state;
    const msPerRequest = this.#msPerRequest;
    this.pacer.look(this.nowMs, load, this.#meter.drain(this.admittedBytes));
    const step = this.#msPerRequest - msPerRequest;
    this.longestStepMs = Math.max(this.longestStepMs, Math.abs(step));
    this.record.look(this.nowMs, this.pacer.pace.because);
    if (this.record.state !== before) this.stateChanges++;
    if (this.nowMs < this.#sampledMs) return;
    this.#sampledMs += 100;
    this.debtMiB.push(load.debtBytes / MIB);
    this.runCounts.push(load.sortedRuns);
  }

  /** One group: as many requests as the decision lets in. */
  #turn(): void {
    let bytes = 0;
    for (let requests = 1; this.#offered >= REQUEST_BYTES; requests++) {
      const pressure = this.#decide(bytes + REQUEST_BYTES, requests);
      this.record.met(this.nowMs, pressure);
      if (pressure.kind === 'delay') this.#waitsSince ??= this.nowMs;
      if (pressure.kind === 'hold') this.#heldSince ??= this.nowMs;
      if (pressure.kind === 'freeze') {
        this.#frozen++;
        this.#active = 0;
      }
      if (pressure.kind !== 'accept') break;
      bytes += REQUEST_BYTES;
      this.#offered -= REQUEST_BYTES;
      this.#active += REQUEST_BYTES;
    }
    if (bytes > 0) this.#commit(bytes);
  }

  #commit(bytes: number): void {
    this.groups++;
    this.admittedBytes += bytes;
    this.pacer.take(this.nowMs, bytes);
    this.delaysMs.push(this.#waitsSince === undefined ? 0 : this.nowMs - this.#waitsSince);
    this.longestHoldMs = Math.max(this.longestHoldMs, this.nowMs - (this.#heldSince ?? this.nowMs));
    this.#waitsSince = undefined;
    this.#heldSince = undefined;
    this.#syncedAtMs = this.nowMs + SYNC_MS;
  }

  #decide(groupBytes: number, requests: number) {
    const { arenaAtHand } = this.load;
    return decidePressure({
      memTableHasRoom: this.#active + REQUEST_BYTES <= this.#options.arenaBytes,
      memTableEmpty: this.#active === 0,
      groupOpen: requests > 1,
      groupHasOthers: requests > 1,
      arenaAtHand,
      walHasRoom: true,
      delayMs: this.pacer.delayMs(this.nowMs),
      groupIsFull: this.pacer.isFull(groupBytes),
      strainedBy: this.pacer.pace.because,
      jobFailure: undefined,
    });
  }

  #work(): void {
    const { arenaBytes, flushBytesPerSecond, mergeBytesPerSecond } = this.#options;
    if (this.#flush === undefined && this.#frozen > 0) {
      this.#meter.submit({ kind: 'flush' } as Job, () => {
        this.#frozen--;
        this.#runs.unshift(runOf(arenaBytes));
      });
      if (this.#flush !== undefined) (this.#flush as Running).leftBytes = arenaBytes;
    }
    const [due] = this.#merge === undefined ? pickMerges(this.#runs, PICKER, false) : [];
    if (due !== undefined) this.#startMerge(due);
    this.#flush = progress(this.#flush, flushBytesPerSecond);
    this.#merge = progress(this.#merge, mergeBytesPerSecond);
  }

  #startMerge({ from, count }: MergePick): void {
    const inputs = this.#runs.slice(from, from + count);
    const [newest] = inputs;
    if (newest === undefined) return;
    for (const run of inputs) run.isBusy = true;
    const bytes = inputs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const job = { kind: 'merge', runs: [inputs.map(({ sizeBytes }) => ({ sizeBytes }))] };
    this.#meter.submit(job as unknown as Job, () => {
      const merged = runOf(Math.min(bytes, this.#options.storeBytes));
      this.#runs.splice(this.#runs.indexOf(newest), count, merged);
    });
    const running = this.#merge as Running | undefined;
    if (running !== undefined) Object.assign(running, { leftBytes: bytes, bytes });
  }
}

function runOf(sizeBytes: number): RunFigures {
  const entryCount = sizeBytes / 100;
  const gone = { tombstoneCount: 0, expiredCount: 0, shadowedCount: 0 };
  return { sizeBytes, entryCount, ...gone, isBusy: false };
}

function progress(running: Running | undefined, bytesPerSecond: number): Running | undefined {
  if (running === undefined) return undefined;
  running.leftBytes -= (bytesPerSecond * STEP_MS) / 1000;
  if (running.leftBytes > 0) return running;
  const output = { tables: [], bytesRead: running.bytes, bytesWritten: 0 };
  running.done({ ok: true, output });
  return undefined;
}
