/**
 * Which sorted runs to merge next: a pure function over their figures, newest first. Runs hold
 * disjoint spans of sequence numbers, so only neighbours may be merged; several stretches may be
 * merged at the same time. The rules, with what they are for (docs/adr/0008-compaction.md):
 *
 * 1. Space: what the newer runs and the gone entries of the oldest one may give back is measured
 *    against what surely stays. Beyond a share of it everything is merged into the oldest run. The
 *    share is larger while flushes come one after the other than when it is quiet.
 * 2. Like sizes: a stretch is merged when each run in it is no larger than all the newer ones of
 *    the stretch together. Every merge then at least doubles what it merges, so an entry is
 *    rewritten a logarithmic number of times.
 * 3. Too many runs: the cheapest neighbours are merged whatever their sizes, so that the number of
 *    runs is bounded in any case.
 */

/** A sorted run as the picker sees it; dead-tables.ts has the tables one by one. */
export interface RunFigures {
  sizeBytes: number;
  entryCount: number;
  /** Deletes, save for those that an open snapshot may keep. */
  tombstoneCount: number;
  /** Entries that have expired by now, as far as the tables' earliest and latest expiry tell. */
  expiredCount: number;
  /** Versions that were kept for snapshots which are closed by now. */
  shadowedCount: number;
  /** A merge that is under way reads it. */
  isBusy: boolean;
}

export interface PickerOptions {
  /** How many runs of like size a merge takes at least. */
  fanIn: number;
  /** Rule 1: garbage per 100 bytes that stay, while flushes come one after the other. */
  garbagePercentBusy: number;
  /** The same when it is quiet. */
  garbagePercentQuiet: number;
}

/** `count` neighbours, the newest of them at `from`. */
export interface MergePick {
  from: number;
  count: number;
  because: 'space' | 'like-sizes' | 'too-many-runs';
}

/** What merging is behind: the runs that merges under way and due read, and take away. */
export interface CompactionDebt {
  bytes: number;
  runs: number;
}

/** While flushes go on, the writes that cause them want the processors and the disk. */
const SHARE_PERCENT_GENTLE = 50;
/** So many times the fan-in in runs of debt, and merges hurry. */
const HURRY_FACTOR = 3;
/** Runs are of like size up to this factor: flushes of one MemTable size vary a little. */
const SLACK = 1.25;
/** So many times the fan-in are too many runs. */
const RUNS_MAX_FACTOR = 4;

/** All merges that are due, on disjoint stretches of runs that are not busy. */
export function pickMerges(
  runs: readonly RunFigures[],
  options: PickerOptions,
  isQuiet: boolean,
): MergePick[] {
  const isTaken = runs.map(({ isBusy }) => isBusy);
  const picks: MergePick[] = [];
  const take = (pick: MergePick | undefined): void => {
    if (pick === undefined) return;
    picks.push(pick);
    isTaken.fill(true, pick.from, pick.from + pick.count);
  };
  take(pickForSpace(runs, isTaken, options, isQuiet));
  for (let from = 0; from < runs.length; from++) {
    const count = likeStretch(runs, isTaken, from);
    if (count >= options.fanIn) take({ from, count, because: 'like-sizes' });
  }
  const left = picks.reduce((sum, { count }) => sum - count + 1, runs.length);
  if (left > RUNS_MAX_FACTOR * options.fanIn) take(cheapest(runs, isTaken, options.fanIn));
  return picks;
}

/** Grows while merges cannot keep up with flushes; a pure function, cheap enough for each flush. */
export function compactionDebt(
  runs: readonly RunFigures[],
  options: PickerOptions,
): CompactionDebt {
  const debt: CompactionDebt = { bytes: 0, runs: 0 };
  runs.forEach((run, i) => {
    if (!run.isBusy) return;
    debt.bytes += run.sizeBytes;
    // Of each stretch that is being merged one run stays.
    if (runs[i - 1]?.isBusy === true) debt.runs++;
  });
  for (const { from, count } of pickMerges(runs, options, false)) {
    debt.bytes += bytesOf(runs.slice(from, from + count));
    debt.runs += count - 1;
  }
  return debt;
}

/**
 * The share of its time that a merge works while flushes go on: gentle as long as debt is no more
 * than one merge, all of it before there is so much that writes must be slowed down.
 */
export function mergeSharePercent(debt: CompactionDebt, fanIn: number): number {
  const gentle = fanIn;
  const hurry = HURRY_FACTOR * fanIn;
  const part = Math.min(1, Math.max(0, (debt.runs - gentle) / (hurry - gentle)));
  return Math.round(SHARE_PERCENT_GENTLE + part * (100 - SHARE_PERCENT_GENTLE));
}

/** Everything from the oldest run up to the next one that is taken, if that frees enough. */
function pickForSpace(
  runs: readonly RunFigures[],
  isTaken: readonly boolean[],
  options: PickerOptions,
  isQuiet: boolean,
): MergePick | undefined {
  const from = isTaken.lastIndexOf(true) + 1;
  const stretch = runs.slice(from);
  const percent = isQuiet ? options.garbagePercentQuiet : options.garbagePercentBusy;
  // While flushes go on, few small runs are not worth a merge: like sizes will come.
  if (stretch.length < (isQuiet ? 1 : options.fanIn)) return undefined;
  const garbage = garbageBytes(stretch);
  const stays = bytesOf(stretch) - garbage;
  if (garbage === 0 || garbage * 100 < percent * stays) return undefined;
  return { from, count: stretch.length, because: 'space' };
}

/**
 * The most that merging all of `runs` can free, the last one being the oldest of the shard: every
 * entry of a newer run may replace one of the oldest, every tombstone hide one.
 */
function garbageBytes(runs: readonly RunFigures[]): number {
  const oldest = runs.at(-1);
  if (oldest === undefined) return 0;
  const newer = runs.slice(0, -1);
  const entryBytes = oldest.sizeBytes / Math.max(1, oldest.entryCount);
  const gone = (run: RunFigures): number => run.tombstoneCount + run.expiredCount;
  const hidden = runs.reduce((sum, run) => sum + gone(run), oldest.shadowedCount) * entryBytes;
  return bytesOf(newer) + Math.min(oldest.sizeBytes, hidden);
}

/** How many runs from `from` on, none of them taken, are no larger than those before together. */
function likeStretch(
  runs: readonly RunFigures[],
  isTaken: readonly boolean[],
  from: number,
): number {
  let sum = 0;
  let end = from;
  for (; end < runs.length && isTaken[end] === false; end++) {
    const sizeBytes = runs[end]?.sizeBytes ?? 0;
    if (end > from && sizeBytes > sum * SLACK) break;
    sum += sizeBytes;
  }
  return end - from;
}

/** The `count` neighbours with the fewest bytes, the newest such; undefined when all are taken. */
function cheapest(
  runs: readonly RunFigures[],
  isTaken: readonly boolean[],
  count: number,
): MergePick | undefined {
  let best: MergePick | undefined;
  let bestBytes = Number.POSITIVE_INFINITY;
  for (let from = 0; from + count <= runs.length; from++) {
    if (isTaken.slice(from, from + count).includes(true)) continue;
    const bytes = bytesOf(runs.slice(from, from + count));
    if (bytes >= bestBytes) continue;
    bestBytes = bytes;
    best = { from, count, because: 'too-many-runs' };
  }
  return best;
}

function bytesOf(runs: readonly RunFigures[]): number {
  return runs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
