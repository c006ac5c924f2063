/** A chaos run as a report. */
import type { Span } from '../report/chart.js';
import { renderReport, type Section, type Tile } from '../report/report.js';
import { counted, grouped, ms } from '../report/words.js';
import { faultSums, verdictOf } from './chaos-result.js';
import { FAULT_KINDS, FAULTS } from './faults.js';
import type { ChaosResult } from './run-chaos.js';
import { type FaultEvent, latencyOf, type Slot, type Timeline } from './timeline.js';

const EXAMPLES_MAX = 50;
const ERRORS_MAX = 12;

/** An HTML document. */
export function chaosReport(result: ChaosResult, version: string): string {
  const { violations, seed, shards, timeline } = result;
  const count = violations.length;
  return renderReport({
    title: 'stormkv chaos',
    subtitle: `stormkv ${version}, ${shards} shards, seed ${seed}, ${seconds(result.elapsedMs)}`,
    verdict: { isGood: count === 0, text: verdictOf(result) },
    tiles: tilesOf(result),
    sections: [
      ...(count > 0 ? [violationsOf(result)] : []),
      throughputOf(timeline),
      lanesOf(timeline),
      latenciesOf(timeline),
      faultsOf(timeline),
      ...(timeline.errors.size > 0 ? [errorsOf(timeline)] : []),
      METHOD,
    ],
    footer:
      'The same faults and operations again: ' +
      `stormkv chaos --shards ${shards} --seed ${seed} --kills ${result.kills}`,
  });
}

function tilesOf({ kills, operations, timeline, histories, violations }: ChaosResult): Tile[] {
  const { total, faults } = timeline;
  return [
    { name: 'violations', value: grouped(violations.length) },
    { name: 'kills', value: grouped(kills), note: `${grouped(faults.length)} faults in all` },
    { name: 'acknowledged', value: grouped(total.writes), note: 'writes, all checked' },
    {
      name: 'operations judged',
      value: grouped(operations),
      note: counted(histories, 'history', 'histories'),
    },
    { name: 'unknown outcomes', value: grouped(total.unknown), note: 'perhaps applied' },
    {
      name: 'latency p99',
      value: ms(latencyOf(total, 0.99)),
      note: `p50 ${ms(latencyOf(total, 0.5))}`,
    },
  ];
}

function throughputOf(timeline: Timeline): Section {
  const perSecond = 1000 / timeline.slotMs;
  const rate = (count: (slot: Slot) => number) =>
    timeline.slots.map((slot, i) => [slotS(timeline, i), count(slot) * perSecond] as const);
  return {
    kind: 'time-chart',
    title: 'Throughput',
    description: 'Acknowledged writes, reads and failed calls per second; recoveries are shaded.',
    unit: 'per second',
    scale: 'linear',
    endS: endS(timeline),
    series: [
      { name: 'acknowledged writes', style: 'area', points: rate(({ writes }) => writes) },
      { name: 'reads', style: 'line', points: rate(({ reads }) => reads) },
      {
        name: 'refused or unknown',
        style: 'line',
        points: rate(({ refused, unknown }) => refused + unknown),
      },
    ],
    shaded: timeline.faults.map(spanOf),
    shadedName: 'from a fault until every shard serves',
  };
}

function lanesOf(timeline: Timeline): Section {
  const lanes = FAULT_KINDS.map((kind) => {
    const faults = timeline.faults.filter((fault) => fault.kind === kind);
    return { name: `${FAULTS[kind]} (${faults.length})`, spans: faults.map(spanOf) };
  });
  return {
    kind: 'lane-chart',
    title: 'Faults, and how long until every shard served again',
    description: 'One row for each kind of fault; a bar is as long as the recovery took.',
    endS: endS(timeline),
    lanes: lanes.filter(({ spans }) => spans.length > 0),
  };
}

function latenciesOf(timeline: Timeline): Section {
  const points = (share: number) =>
    timeline.slots.map((slot, i) => [slotS(timeline, i), latencyOf(slot, share)] as const);
  return {
    kind: 'time-chart',
    title: 'Latency of answered calls',
    description: 'Median and 99th percentile in milliseconds, on a logarithmic axis.',
    unit: 'ms',
    scale: 'log',
    endS: endS(timeline),
    series: [
      { name: 'p50', style: 'line', points: points(0.5) },
      { name: 'p99', style: 'line', points: points(0.99) },
    ],
    shaded: timeline.faults.map(spanOf),
  };
}

function faultsOf({ faults }: Timeline): Section {
  return {
    kind: 'table',
    title: 'Recoveries',
    columns: [
      { name: 'fault', align: 'left' },
      { name: 'times', align: 'right' },
      { name: 'median', align: 'right' },
      { name: 'longest', align: 'right' },
    ],
    rows: faultSums(faults).map((sum) => [
      FAULTS[sum.kind],
      grouped(sum.count),
      ms(sum.medianMs),
      ms(sum.longestMs),
    ]),
  };
}

function errorsOf({ errors }: Timeline): Section {
  const rows = [...errors].sort((a, b) => b[1] - a[1]).slice(0, ERRORS_MAX);
  return {
    kind: 'table',
    title: 'What clients were told when a call failed',
    columns: [
      { name: 'error', align: 'left' },
      { name: 'times', align: 'right' },
    ],
    rows: rows.map(([text, count]) => [text, grouped(count)]),
  };
}

function violationsOf({ violations }: ChaosResult): Section {
  return {
    kind: 'table',
    title: 'Violations',
    columns: [
      { name: 'promise', align: 'left' },
      { name: 'what was seen', align: 'left' },
    ],
    rows: violations.slice(0, EXAMPLES_MAX).map(({ invariant, text }) => [invariant, text]),
  };
}

const METHOD: Section = {
  kind: 'text',
  title: 'What was checked',
  paragraphs: [
    'Clients set, deleted, read and scanned keys over gRPC, also with conditions and in batches, ' +
      'and put down when each call began and ended and what it was told. Every value says which ' +
      'write it comes from.',
    'For each key a search looks for one order of the calls that explains every answer; a call ' +
      'without an answer may have taken effect at any time, or never. A search that is given up ' +
      'counts as a violation. Batches of one tag must show as a whole, versions must rise, and ' +
      'refused writes must never be seen.',
  ],
};

function spanOf({ kind, atMs, recoveredMs }: FaultEvent): Span {
  const toS = recoveredMs === undefined ? undefined : (atMs + recoveredMs) / 1000;
  const took = recoveredMs === undefined ? 'never served again' : `served after ${ms(recoveredMs)}`;
  return { fromS: atMs / 1000, toS, title: `${seconds(atMs)}: ${FAULTS[kind]}; all ${took}` };
}

/** The middle of the slot. */
function slotS({ slotMs }: Timeline, index: number): number {
  return ((index + 0.5) * slotMs) / 1000;
}

function endS({ slots, slotMs }: Timeline): number {
  return (Math.max(1, slots.length) * slotMs) / 1000;
}

function seconds(value: number): string {
  return `${(value / 1000).toFixed(1)} s`;
}
