/** A storm as a report. */
import type { TimeChart } from '../report/chart.js';
import { renderReport, type Section, type Tile } from '../report/report.js';
import { grouped, ms } from '../report/words.js';
import { imbalanceOf } from './shard-balance.js';
import {
  badCountOf,
  givenUpOf,
  type Latency,
  paceText,
  peakOf,
  type StormResult,
  seconds,
  verdictOf,
  workText,
  writesOf,
} from './storm-result.js';
import type { StormSlot, StormTimeline } from './storm-timeline.js';

/** An HTML document. `command` is what makes the storm again. */
export function stormReport(result: StormResult, version: string, command: string): string {
  const { timeline, shards, totals, options } = result;
  const hasErrors = Object.keys(totals.errors).length > 0;
  return renderReport({
    title: `stormkv storm: ${options.profile.name}`,
    subtitle: `${workText(result)}; ${paceText(result)}; stormkv ${version}`,
    verdict: { isGood: badCountOf(result) === 0, text: verdictOf(result) },
    tiles: tilesOf(result),
    sections: [
      arrivalsOf(timeline),
      latenciesOf(timeline),
      backlogOf(timeline),
      ...(hasErrors ? [failuresOf(timeline), errorsOf(result)] : []),
      ...(shards.length > 1 ? [shardRatesOf(timeline)] : []),
      ...(shards.length > 0 ? [shardsOf(result)] : []),
      latencyTableOf(result),
      verificationOf(result),
      METHOD,
    ],
    footer: `The same storm again: ${command}`,
  });
}

function tilesOf(result: StormResult): Tile[] {
  const { totals, writeLatency, readLatency, timeline, verification } = result;
  const latency = writeLatency ?? readLatency;
  const rate = grouped(result.measured.entriesPerSecond);
  const found = verification?.counts.found;
  return [
    {
      name: 'acknowledged',
      value: grouped(totals.acknowledged),
      note: `of ${grouped(writesOf(totals))} entries`,
    },
    {
      name: 'read back and right',
      value: found === undefined ? '–' : grouped(found),
      note: `${grouped(badCountOf(result))} lost or wrong`,
    },
    {
      name: 'rate',
      value: `${rate}/s`,
      note: `peak due ${grouped(peakOf(timeline.offeredPerSecond))}/s`,
    },
    { name: 'latency p99', value: ms(latency?.p99Ms), note: `p50 ${ms(latency?.p50Ms)}` },
    { name: 'longest', value: ms(latency?.maxMs), note: 'of a whole submission' },
    {
      name: 'given up',
      value: grouped(givenUpOf(result)),
      note: `${grouped(totals.retries)} retries`,
    },
  ];
}

function arrivalsOf(timeline: StormTimeline): Section {
  const rate = (count: (slot: StormSlot) => number) => perSecond(timeline, count);
  return chartOf(timeline, {
    title: 'Entries due, and entries acknowledged',
    description: 'Entries that were due and entries that were acknowledged, per second.',
    unit: 'per second',
    scale: 'linear',
    series: [
      { name: 'due', style: 'area', points: rate(({ offered }) => offered) },
      {
        name: timeline.totals.reads > 0 ? 'acknowledged or read' : 'acknowledged',
        style: 'line',
        points: rate(({ acknowledged, reads }) => acknowledged + reads),
      },
    ],
  });
}

function latenciesOf(timeline: StormTimeline): Section {
  const points = (value: (slot: StormSlot) => number | undefined) =>
    timeline.slots.map((slot, i) => [slotS(timeline, i), value(slot)] as const);
  return chartOf(timeline, {
    title: 'Latency, from the moment a submission was due until all of it was acknowledged',
    description: 'Median, 99th percentile and longest in milliseconds, on a logarithmic axis.',
    unit: 'ms',
    scale: 'log',
    series: [
      { name: 'p50', style: 'line', points: points(({ p50Ms }) => p50Ms) },
      { name: 'p99', style: 'line', points: points(({ p99Ms }) => p99Ms) },
      { name: 'longest', style: 'line', points: points(({ maxMs }) => maxMs) },
    ],
  });
}

function backlogOf(timeline: StormTimeline): Section {
  const points = timeline.slots.map(({ backlog }, i) => [slotS(timeline, i), backlog] as const);
  return chartOf(timeline, {
    title: 'Backlog',
    description: 'Entries that were sent or due and not yet answered.',
    unit: 'entries',
    scale: 'linear',
    series: [{ name: 'due and not settled', style: 'area', points }],
  });
}

function failuresOf(timeline: StormTimeline): Section {
  return chartOf(timeline, {
    title: 'Failed attempts',
    description: 'Attempts of entries that failed, per second; most of them are made again.',
    unit: 'per second',
    scale: 'linear',
    series: [
      {
        name: 'failed attempts',
        style: 'area',
        points: perSecond(timeline, ({ failed }) => failed),
      },
    ],
  });
}

function shardRatesOf(timeline: StormTimeline): Section {
  // Shards are looked at once a second, which is more than one slot.
  const points = (value: (slot: StormSlot) => number | undefined) =>
    timeline.slots.flatMap((slot, i) => {
      const rate = value(slot);
      return rate === undefined ? [] : [[slotS(timeline, i), rate] as const];
    });
  return chartOf(timeline, {
    title: 'Balance of the shards over time',
    description: 'Entries per second of the busiest and of the least busy shard.',
    unit: 'entries per second',
    scale: 'linear',
    series: [
      { name: 'busiest shard', style: 'line', points: points(({ shardMost }) => shardMost) },
      { name: 'least busy shard', style: 'line', points: points(({ shardLeast }) => shardLeast) },
    ],
  });
}

function shardsOf({ shards }: StormResult): Section {
  const imbalance = imbalanceOf(shards.map(({ entries }) => entries)).toFixed(2);
  return {
    kind: 'table',
    title: `Shards (the busiest has ${imbalance}× the mean)`,
    columns: [
      { name: 'shard', align: 'left' },
      { name: 'entries', align: 'right' },
      { name: 'share', align: 'right' },
      { name: 'refused', align: 'right' },
      { name: 'writes waited', align: 'right' },
      { name: 'worst pressure', align: 'left' },
      { name: 'restarts', align: 'right' },
    ],
    rows: shards.map((shard) => [
      shard.name,
      grouped(shard.entries),
      `${(shard.share * 100).toFixed(1)} %`,
      grouped(shard.refused),
      ms(shard.delayedMs),
      shard.pressure,
      grouped(shard.restarts),
    ]),
  };
}

function errorsOf({ totals }: StormResult): Section {
  const rows = Object.entries(totals.errors).toSorted((a, b) => b[1] - a[1]);
  return {
    kind: 'table',
    title: 'What clients were told when an attempt failed',
    columns: [
      { name: 'code', align: 'left' },
      { name: 'entries', align: 'right' },
    ],
    rows: rows.map(([code, count]) => [code, grouped(count)]),
  };
}

function latencyTableOf({ writeLatency, readLatency }: StormResult): Section {
  const row = (name: string, latency: Latency | undefined) => {
    if (latency === undefined) return [];
    const { count, meanMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = latency;
    return [[name, grouped(count), ...[meanMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs].map(ms)]];
  };
  const names = ['number', 'mean', 'p50', 'p90', 'p99', 'p99.9', 'longest'];
  return {
    kind: 'table',
    title: 'Latency of the whole storm',
    columns: [
      { name: 'of', align: 'left' },
      ...names.map((name) => ({ name, align: 'right' as const })),
    ],
    rows: [...row('submissions', writeLatency), ...row('reads', readLatency)],
  };
}

function verificationOf({ verification, verifyMs, options }: StormResult): Section {
  if (verification === undefined) {
    return { kind: 'text', title: 'Read back', paragraphs: ['Nothing was read back.'] };
  }
  const { counts, examples } = verification;
  const how = options.verify === 'sample' ? 'a sample' : 'every key';
  return {
    kind: 'table',
    title: `Read back: ${how}, in ${seconds(verifyMs)}`,
    columns: [
      { name: 'keys', align: 'right' },
      { name: 'what was found', align: 'left' },
    ],
    rows: [
      [grouped(counts.found), 'acknowledged, there and right'],
      [grouped(counts.lost), 'acknowledged and not there'],
      [grouped(counts.wrong), 'there with what must not be there'],
      [grouped(counts['unknown-applied']), 'outcome unknown, and there'],
      [grouped(counts['unknown-absent']), 'outcome unknown, and not there'],
      [grouped(counts.absent), 'never acknowledged, and not there'],
      ...examples.map((example) => ['', example]),
    ],
  };
}

const METHOD: Section = {
  kind: 'text',
  title: 'How this was measured',
  paragraphs: [
    'Submissions are made when they are due, whatever became of those before; with a number of ' +
      'callers instead, each waits for its answer before it goes on. The latency of a submission ' +
      'runs from the moment it was due until the last of its entries was acknowledged, repeated ' +
      'attempts included. So a pause of the server counts for everyone who had to wait for it, ' +
      'and so does a pause of the load generator.',
    'Keys and values follow from numbers and the seed; every value says which write of which run ' +
      'it comes from. What was acknowledged must be there with its value. A write whose outcome ' +
      'is not known may be there or not.',
  ],
};

function chartOf(
  timeline: StormTimeline,
  chart: Pick<TimeChart, 'title' | 'description' | 'unit' | 'scale' | 'series'>,
): TimeChart {
  const endS = (Math.max(1, timeline.slots.length) * timeline.slotMs) / 1000;
  return { kind: 'time-chart', ...chart, endS, shaded: [] };
}

function perSecond(timeline: StormTimeline, count: (slot: StormSlot) => number) {
  const factor = 1000 / timeline.slotMs;
  return timeline.slots.map((slot, i) => [slotS(timeline, i), count(slot) * factor] as const);
}

/** The middle of the slot. */
function slotS({ slotMs }: StormTimeline, index: number): number {
  return ((index + 0.5) * slotMs) / 1000;
}
