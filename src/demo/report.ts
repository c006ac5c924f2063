/** What the demo found, as text for people and as an object for programs. */
import { textTable } from '../cli/text-table.js';
import type { ReadBack } from './read-back.js';
import type { Recovery } from './server-session.js';

export interface Kill {
  /** Answers that were acknowledged when the signal was sent. */
  acknowledged: number;
  recovery: Recovery;
}

export interface DemoReport extends ReadBack {
  title: string;
  questions: number;
  patients: number;
  shards: number;
  seed: number;
  submitted: number;
  acknowledged: number;
  /** Attempts that failed and were made again. */
  retries: number;
  kills: Kill[];
  stormMs: number;
  readMs: number;
}

/** True when every acknowledged answer was found. */
export function isIntact({ lost, wrong, found, acknowledged }: DemoReport): boolean {
  return lost === 0 && wrong === 0 && found === acknowledged;
}

export function formatReport(report: DemoReport): string {
  const rows = [
    ['questionnaire', `${report.title} (${report.questions} questions)`],
    ['patients', `${number(report.patients)}, on ${report.shards} shards, seed ${report.seed}`],
    ['submitted', number(report.submitted)],
    [
      'acknowledged',
      `${number(report.acknowledged)}, ${rate(report.acknowledged, report.stormMs)}`,
    ],
    ['retried', `${number(report.retries)} calls that failed or had no known outcome`],
    ['found', `${number(report.found)}, ${rate(report.found, report.readMs)}`],
    ['lost', number(report.lost)],
    ['wrong', number(report.wrong)],
  ];
  const parts = [textTable(rows)];
  if (report.kills.length > 0) parts.push('', killTable(report));
  if (report.examples.length > 0) parts.push('', ...report.examples);
  parts.push('', verdict(report), '');
  return parts.join('\n');
}

function killTable({ kills, acknowledged }: DemoReport): string {
  const heads = ['SIGKILL', 'after acknowledged', 'ready again', 'in the server', 'recovered'];
  const rows = kills.map((kill, i) => [
    `${i + 1}${kill.acknowledged < acknowledged ? '' : ' (storm was over)'}`,
    number(kill.acknowledged),
    `${number(kill.recovery.downMs)} ms`,
    `${number(kill.recovery.startedMs)} ms`,
    `${number(kill.recovery.recoveredRecords)} records`,
  ]);
  return textTable([heads, ...rows], ['left', 'right', 'right', 'right', 'right']);
}

function verdict(report: DemoReport): string {
  if (isIntact(report)) return 'Every acknowledged answer was found.';
  return `FAILED: of the acknowledged answers ${report.lost} are lost; ${report.wrong} are wrong.`;
}

function rate(count: number, ms: number): string {
  return `${number((count * 1000) / Math.max(1, ms))}/s`;
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
