/** The result of a run, for people and for programs. */
import { textTable } from '../cli/text-table.js';
import { counted, grouped, ms } from '../report/words.js';
import { FAULTS, type FaultKind } from './faults.js';
import type { ChaosResult } from './run-chaos.js';
import { type FaultEvent, latencyOf } from './timeline.js';

const EXAMPLES_MAX = 20;

/** Faults of one kind, and how long it took until every shard served again. */
export interface FaultSum {
  kind: FaultKind;
  count: number;
  medianMs: number;
  longestMs: number;
}

export function faultSums(faults: readonly FaultEvent[]): FaultSum[] {
  const kinds = [...new Set(faults.map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const times = faults
      .filter((fault) => fault.kind === kind)
      .map(({ recoveredMs }) => recoveredMs ?? Number.POSITIVE_INFINITY)
      .sort((a, b) => a - b);
    const medianMs = times[Math.floor(times.length / 2)] ?? 0;
    return { kind, count: times.length, medianMs, longestMs: times.at(-1) ?? 0 };
  });
}

/** Everything, for `--json`. Durations in whole milliseconds. */
export function jsonOf(result: ChaosResult): object {
  const { timeline, violations, elapsedMs, judgingMs, ...rest } = result;
  const { total } = timeline;
  return {
    ...rest,
    elapsedMs: Math.round(elapsedMs),
    judgingMs: Math.round(judgingMs),
    reads: total.reads,
    refused: total.refused,
    unknown: total.unknown,
    latencyMs: {
      p50: latencyOf(total, 0.5) ?? null,
      p99: latencyOf(total, 0.99) ?? null,
      p999: latencyOf(total, 0.999) ?? null,
    },
    faults: faultSums(timeline.faults).map((sum) => ({
      ...sum,
      medianMs: Math.round(sum.medianMs),
      longestMs: Math.round(sum.longestMs),
    })),
    errors: Object.fromEntries(timeline.errors),
    violations: violations.length,
    examples: violations.slice(0, EXAMPLES_MAX),
  };
}

export function formatResult(result: ChaosResult): string {
  const { timeline, violations } = result;
  const { total } = timeline;
  const seconds = (result.elapsedMs / 1000).toFixed(1);
  const rows = [
    ['run', `${seconds} s, ${result.shards} shards, seed ${result.seed}`],
    ['acknowledged', `${grouped(total.writes)} writes, all checked`],
    [
      'judged',
      `${grouped(result.operations)} operations in ` +
        counted(result.histories, 'history', 'histories'),
    ],
    ['refused', `${grouped(total.refused)} calls, surely not applied`],
    ['unknown', `${grouped(total.unknown)} writes, perhaps applied`],
    ['latency', `p50 ${ms(latencyOf(total, 0.5))}, p99 ${ms(latencyOf(total, 0.99))}`],
    ['kills', `${result.kills}, ${timeline.faults.length} faults in all`],
    ['violations', grouped(violations.length)],
  ];
  const heads = ['fault', 'times', 'all serve again: median', 'longest'];
  const faults = faultSums(timeline.faults).map((sum) => [
    FAULTS[sum.kind],
    grouped(sum.count),
    ms(sum.medianMs),
    ms(sum.longestMs),
  ]);
  const parts = [textTable(rows)];
  if (faults.length > 0) {
    parts.push('', textTable([heads, ...faults], ['left', 'right', 'right', 'right']));
  }
  if (violations.length > 0) {
    const shown = violations.slice(0, EXAMPLES_MAX);
    parts.push('', ...shown.map(({ invariant, text }) => `${invariant}: ${text}`));
  }
  parts.push('', verdictOf(result), '');
  return parts.join('\n');
}

/** One sentence. */
export function verdictOf({ violations, isInterrupted, kills }: ChaosResult): string {
  const count = violations.length;
  if (count > 0) return `FAILED: ${counted(count, 'violation', 'violations')} of a promise.`;
  const what = `every promise was kept through ${counted(kills, 'kill', 'kills')}`;
  return isInterrupted ? `Interrupted; until then ${what}.` : `${what}.`.replace('e', 'E');
}
