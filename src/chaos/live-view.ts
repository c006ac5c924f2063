/** The run on a terminal: a few lines that change. In files and pipes: a line per round. */
import { grouped, ms } from '../report/words.js';
import type { ChaosView } from './run-chaos.js';
import { latencyOf } from './timeline.js';

export interface LiveView {
  update(view: ChaosView): void;
  round(view: ChaosView): void;
}

const CLEAR_LINE = '\x1b[2K';

/** `say` gets whole lines for stderr. */
export function liveView(
  say: (line: string) => void,
  isTerminal: boolean,
  monotonicMs: () => number,
): LiveView {
  const rate = rateMeter(monotonicMs);
  if (!isTerminal) {
    return { update: () => {}, round: (view) => say(linesOf(view, rate(view)).join('  ')) };
  }
  let shown = 0;
  return {
    update(view) {
      const lines = linesOf(view, rate(view));
      const up = shown > 0 ? `\x1b[${shown}A` : '';
      shown = lines.length;
      say(up + lines.map((line) => CLEAR_LINE + line).join('\n'));
    },
    round: () => {},
  };
}

/** Acknowledged writes per second since the last call. */
function rateMeter(monotonicMs: () => number): (view: ChaosView) => number {
  let [writes, atMs] = [0, monotonicMs()];
  return ({ timeline }) => {
    const nowMs = monotonicMs();
    const rate = ((timeline.total.writes - writes) * 1000) / Math.max(1, nowMs - atMs);
    [writes, atMs] = [timeline.total.writes, nowMs];
    return rate;
  };
}

/** Each short enough for a narrow terminal. */
function linesOf(view: ChaosView, rate: number): string[] {
  const { total } = view.timeline;
  const { round, kills, faults, recovering, violations } = view;
  const state = recovering > 0 ? `recovering: ${recovering} shards` : view.phase;
  return [
    `round ${round}  ${kills} kills, ${faults} faults in all  ${state}`,
    `${grouped(rate)} writes/s  ${grouped(total.writes)} acknowledged  ` +
      `p99 ${ms(latencyOf(total, 0.99))}`,
    `${grouped(total.refused)} refused, ${grouped(total.unknown)} unknown  ` +
      (violations === 0 ? 'no violation' : `${grouped(violations)} VIOLATIONS`),
  ];
}
