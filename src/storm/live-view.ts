/** The storm on a terminal: a few lines that change. In files and pipes: a line now and then. */
import { grouped, ms } from '../report/words.js';
import type { StormView } from './run-storm.js';
import { imbalanceOf } from './shard-balance.js';

const CLEAR_LINE = '\x1b[2K';
const LINE_EVERY_MS = 5000;
const SHARDS_SHOWN_MAX = 8;

/** `say` gets whole lines for stderr. */
export function stormLiveView(
  say: (line: string) => void,
  isTerminal: boolean,
  columns: () => number,
): (view: StormView) => void {
  if (!isTerminal) return plainView(say);
  let shown = 0;
  return (view) => {
    const lines = linesOf(view).map(
      (line) => CLEAR_LINE + [...line].slice(0, columns() - 1).join(''),
    );
    const up = shown > 0 ? `\x1b[${shown}A` : '';
    shown = lines.length;
    say(up + lines.join('\n'));
  };
}

function plainView(say: (line: string) => void): (view: StormView) => void {
  let [saidMs, saidPhase] = [Number.NEGATIVE_INFINITY, ''];
  return (view) => {
    if (view.phase === saidPhase && view.elapsedMs - saidMs < LINE_EVERY_MS) return;
    [saidMs, saidPhase] = [view.elapsedMs, view.phase];
    const [first = '', ...rest] = linesOf(view);
    say(view.phase === 'reading back' ? first : [first, ...rest.slice(0, 2)].join('  '));
  };
}

/** As many in every phase, so that they can be written over. */
export function linesOf(view: StormView): string[] {
  const { timeline, shards } = view;
  const { totals, latest } = timeline;
  return [
    phaseText(view),
    `${grouped(acknowledgedRate(view))}/s  ${grouped(totals.acknowledged)} acknowledged` +
      (totals.reads > 0 ? `, ${grouped(totals.reads)} read` : '') +
      `  backlog ${grouped(timeline.backlog)}`,
    `latency p50 ${ms(latest?.p50Ms)}  p99 ${ms(latest?.p99Ms)}  longest ${ms(latest?.maxMs)}`,
    shardsText(shards.shares.map(({ share }) => share)),
    errorsText(view),
  ];
}

function phaseText({ phase, elapsedMs, durationMs, read, toRead }: StormView): string {
  const seconds = Math.floor(elapsedMs / 1000);
  if (phase === 'reading back') return `reading back: ${grouped(read)} of ${grouped(toRead)} keys`;
  if (phase === 'settling') return `settling: ${seconds} s`;
  return `storm: ${seconds} of ${Math.round(durationMs / 1000)} s`;
}

/** Of the last whole second. */
function acknowledgedRate({ timeline, phase }: StormView): number {
  if (phase === 'reading back') return 0;
  const last = timeline.slots.slice(-3, -1);
  const sum = last.reduce((total, { acknowledged, reads }) => total + acknowledged + reads, 0);
  return last.length === 0 ? 0 : (sum * 1000) / (last.length * timeline.slotMs);
}

function shardsText(shares: readonly number[]): string {
  if (shares.length === 0) return 'shards: no figures from the server';
  const shown = shares.slice(0, SHARDS_SHOWN_MAX).map((share) => `${Math.round(share * 100)} %`);
  const more = shares.length > shown.length ? ' …' : '';
  const imbalance = imbalanceOf(shares).toFixed(2);
  return `shards ${shown.join(' ')}${more}  busiest ${imbalance}× the mean`;
}

function errorsText({ timeline }: StormView): string {
  const codes = Object.entries(timeline.totals.errors).toSorted((a, b) => b[1] - a[1]);
  if (codes.length === 0) return 'no errors';
  const texts = codes.slice(0, 3).map(([code, count]) => `${grouped(count)} ${code}`);
  return `errors: ${texts.join(', ')}, ${grouped(timeline.totals.retries)} retries`;
}
