/**
 * Which sorted runs to merge next: a pure function over their sizes, newest first. Runs hold
 * disjoint spans of sequence numbers, so only neighbours may be merged.
 *
 * A stretch is taken when each run in it is no larger than all the newer ones of the stretch
 * together: every merge then at least doubles what it merges, an entry is rewritten a logarithmic
 * number of times, and the number of runs stays logarithmic too. Beyond `runsMax` the newest ones
 * are merged whatever their sizes, so that the number of files is bounded in any case.
 */
export type Pick =
  | { kind: 'none' }
  | { kind: 'merge'; from: number; count: number; because: 'like-sizes' | 'too-many-runs' };

const NONE: Pick = { kind: 'none' };
/** Runs are of like size up to this factor: flushes of one MemTable size vary a little. */
const SLACK = 1.25;

export function pickMerge(runBytes: readonly number[], fanIn: number): Pick {
  const runsMax = 4 * fanIn;
  for (let from = 0; from + fanIn <= runBytes.length; from++) {
    const count = stretchFrom(runBytes, from);
    if (count >= fanIn) return { kind: 'merge', from, count, because: 'like-sizes' };
  }
  if (runBytes.length <= runsMax) return NONE;
  return { kind: 'merge', from: 0, count: fanIn, because: 'too-many-runs' };
}

function stretchFrom(runBytes: readonly number[], from: number): number {
  let sum = runBytes[from] ?? 0;
  let end = from + 1;
  while (end < runBytes.length && (runBytes[end] ?? 0) <= sum * SLACK) {
    sum += runBytes[end] ?? 0;
    end++;
  }
  return end - from;
}
