/**
 * A store without bytes: runs of key numbers, flushed and merged as a picker says, in simulated
 * time. One entry stands for many; what a merge keeps is found by merging, so
 * overwrites, deletes and expiry count as they fall. One merge thread, whose time goes to the
 * smallest merge under way, as the desk and the parts of large merges have it.
 */
import type { MergePick, RunFigures } from '../../src/shard/compaction-picker.js';

export const PUT_BYTES = 84;
export const DELETE_BYTES = 20;
const STEP_SECONDS = 0.05;

export interface Speeds {
  /** Entries to a MemTable. */
  memTableEntries: number;
  /** Entries that the merge thread reads in a second. */
  mergeEntries: number;
  /** At so many runs writes stop until there are fewer. */
  runsStop: number;
}

export interface Candidate {
  pick(runs: readonly RunFigures[], isQuiet: boolean): MergePick[];
}

/** Entries ascending by key, each key once. */
interface Run {
  readonly keys: Int32Array;
  /** Seconds at which each expires; Infinity = never; −1 = a delete. */
  readonly ends: Float64Array;
  readonly bytes: number;
  isBusy: boolean;
}

interface Merge {
  readonly inputs: Run[];
  left: number;
  readonly entries: number;
}

export interface Tally {
  flushedBytes: number;
  mergedBytes: number;
  bytesMax: number;
  runsMax: number;
  stalledSeconds: number;
}

/** A merge of more MemTables is cut into parts; one of a kind is under way at a time. */
const LARGE_MEM_TABLES = 8;
const QUIET_SECONDS = 10;

export class SimulatedStore {
  tally: Tally = emptyTally();
  seconds = 0;
  readonly #candidate: Candidate;
  readonly #speeds: Speeds;
  #runs: Run[] = [];
  readonly #merges = new Set<Merge>();
  #memTable = new Map<number, number>();
  #flushedAt = 0;

  constructor(candidate: Candidate, speeds: Speeds) {
    this.#candidate = candidate;
    this.#speeds = speeds;
  }

  get bytes(): number {
    return this.#runs.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get runs(): number {
    return this.#runs.length;
  }

  /** What the live entries of all tables would take in one run. */
  get liveBytes(): number {
    const live = mergeRuns(this.#runs, this.seconds, true);
    return live.bytes;
  }

  /** Writes what `next` draws, until it returns −1, at `rate` entries a second. */
  write(rate: number, next: () => number, endsIn: number): void {
    let due = 0;
    for (let draws = true; draws; ) {
      this.#step();
      if (this.#runs.length >= this.#speeds.runsStop) {
        this.tally.stalledSeconds += STEP_SECONDS;
        continue;
      }
      for (due += rate * STEP_SECONDS; due >= 1; due--) {
        const key = next();
        draws = key >= 0;
        if (!draws) break;
        this.#memTable.set(key, endsIn < 0 ? -1 : this.seconds + endsIn);
        if (this.#memTable.size >= this.#speeds.memTableEntries) this.flush();
      }
    }
  }

  idle(seconds: number): void {
    for (const end = this.seconds + seconds; this.seconds < end; ) this.#step();
  }

  flush(): void {
    if (this.#memTable.size === 0) return;
    const keys = Int32Array.from(this.#memTable.keys()).sort();
    const ends = Float64Array.from(keys, (key) => this.#memTable.get(key) ?? 0);
    this.#memTable = new Map();
    const run = newRun(keys, ends);
    this.tally.flushedBytes += run.bytes;
    this.#runs.unshift(run);
    this.#flushedAt = this.seconds;
    this.#note();
  }

  #step(): void {
    this.seconds += STEP_SECONDS;
    this.#dropExpired();
    this.#startDue();
    let budget = this.#speeds.mergeEntries * STEP_SECONDS;
    while (budget > 0 && this.#merges.size > 0) {
      const [smallest] = [...this.#merges].sort((a, b) => a.entries - b.entries);
      if (smallest === undefined) break;
      const part = Math.min(budget, smallest.left);
      smallest.left -= part;
      budget -= part;
      if (smallest.left <= 0) this.#finish(smallest);
    }
    this.#note();
  }

  #startDue(): void {
    const figures = this.#runs.map((run) => figuresOf(run, this.seconds));
    const isQuiet = this.seconds - this.#flushedAt >= QUIET_SECONDS;
    for (const { from, count } of this.#candidate.pick(figures, isQuiet)) {
      const inputs = this.#runs.slice(from, from + count);
      const entries = inputs.reduce((sum, { keys }) => sum + keys.length, 0);
      const isLarge = (n: number): boolean => n > LARGE_MEM_TABLES * this.#speeds.memTableEntries;
      if ([...this.#merges].some((merge) => isLarge(merge.entries) === isLarge(entries))) continue;
      for (const run of inputs) run.isBusy = true;
      this.#merges.add({ inputs, entries, left: entries });
    }
  }

  #finish(merge: Merge): void {
    this.#merges.delete(merge);
    const { inputs } = merge;
    const [newest] = inputs;
    const at = newest === undefined ? -1 : this.#runs.indexOf(newest);
    const isBottom = at + inputs.length === this.#runs.length;
    const output = mergeRuns(inputs, this.seconds, isBottom);
    this.tally.mergedBytes += output.bytes;
    this.#runs.splice(at, inputs.length, ...(output.keys.length > 0 ? [output] : []));
  }

  /** The oldest runs, as long as nothing in them counts. */
  #dropExpired(): void {
    for (;;) {
      const oldest = this.#runs.at(-1);
      if (oldest === undefined || oldest.isBusy) return;
      if (oldest.ends.some((end) => end > this.seconds)) return;
      this.#runs.pop();
    }
  }

  #note(): void {
    let bytes = this.bytes;
    // What merges under way have written takes space as well.
    for (const { inputs, left, entries } of this.#merges) {
      const read = inputs.reduce((sum, run) => sum + run.bytes, 0);
      bytes += read * (1 - left / Math.max(1, entries));
    }
    this.tally.bytesMax = Math.max(this.tally.bytesMax, bytes);
    this.tally.runsMax = Math.max(this.tally.runsMax, this.#runs.length);
  }
}

export function emptyTally(): Tally {
  return { flushedBytes: 0, mergedBytes: 0, bytesMax: 0, runsMax: 0, stalledSeconds: 0 };
}

function newRun(keys: Int32Array, ends: Float64Array): Run {
  let bytes = 0;
  for (const end of ends) bytes += end < 0 ? DELETE_BYTES : PUT_BYTES;
  return { keys, ends, bytes, isBusy: false };
}

/** The latest and the earliest expiry are what the picker may know. */
function figuresOf({ keys, ends, bytes, isBusy }: Run, now: number): RunFigures {
  let tombstoneCount = 0;
  let expiredCount = 0;
  for (const end of ends) {
    if (end < 0) tombstoneCount++;
    else if (end <= now) expiredCount++;
  }
  const gone = { tombstoneCount, expiredCount, shadowedCount: 0 };
  return { sizeBytes: bytes, entryCount: keys.length, ...gone, isBusy };
}

/** `runs` newest first: of each key the newest entry stays, at the bottom only if it counts. */
function mergeRuns(runs: readonly Run[], now: number, isBottom: boolean): Run {
  const total = runs.reduce((sum, { keys }) => sum + keys.length, 0);
  const keys = new Int32Array(total);
  const ends = new Float64Array(total);
  const at = new Int32Array(runs.length);
  let count = 0;
  for (;;) {
    let least = Number.POSITIVE_INFINITY;
    let end = 0;
    runs.forEach((run, i) => {
      const key = run.keys[at[i] ?? 0];
      if (key === undefined || key >= least) return;
      least = key;
      end = run.ends[at[i] ?? 0] ?? 0;
    });
    if (least === Number.POSITIVE_INFINITY) break;
    runs.forEach((run, i) => {
      const here = at[i] ?? 0;
      if (run.keys[here] === least) at[i] = here + 1;
    });
    const isGone = end <= now;
    if (isGone && isBottom) continue;
    keys[count] = least;
    ends[count++] = isGone ? -1 : end;
  }
  return newRun(keys.slice(0, count), ends.slice(0, count));
}
