/** What the demo found, as text for people and as an object for programs. */
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
  const { kills, stormMs, readMs } = report;
  const inMidStorm = kills.filter((kill) => kill.acknowledged < report.acknowledged).length;
  const rows: [string, string][] = [
    ['questionnaire', `${report.title} (${report.questions} questions)`],
    ['patients', `${number(report.patients)}, on ${report.shards} shards, seed ${report.seed}`],
    ['submitted', number(report.submitted)],
    ['acknowledged', `${number(report.acknowledged)}, ${rate(report.acknowledged, stormMs)}`],
    ['retried', `${number(report.retries)} calls that failed or had no known outcome`],
    ['found', `${number(report.found)}, ${rate(report.found, readMs)}`],
    ['lost', number(report.lost)],
    ['wrong', number(report.wrong)],
    ['kills', `${kills.length} × SIGKILL, ${inMidStorm} of them in mid-storm`],
  ];
  kills.forEach(({ acknowledged, recovery }, i) => {
    const { downMs, startedMs, recoveredRecords } = recovery;
    rows.push([
      `recovery ${i + 1}`,
      `${number(downMs)} ms from the kill to ready (${number(startedMs)} ms in the server, ` +
        `${number(recoveredRecords)} records), after ${number(acknowledged)} acknowledged`,
    ]);
  });
  const lines = rows.map(([name, value]) => `${name.padEnd(14)} ${value}`);
  for (const example of report.examples) lines.push(`  ${example}`);
  lines.push('', verdict(report));
  return `${lines.join('\n')}\n`;
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
