/** What a storm found, for programs (also as JSON) and as text for people. */
import type { RecordableHistogram } from 'node:perf_hooks';
import { textTable } from '../cli/text-table.js';
import { counted, grouped, ms } from '../report/words.js';
import type { WorkSizes } from './make-work.js';
import { imbalanceOf, type ShardShare } from './shard-balance.js';
import type { StormOptions } from './storm-options.js';
import type { StormTimeline, StormTotals } from './storm-timeline.js';
import type { Verification } from './verify.js';

/** From the moment a submission (or a read) was due until its last answer. */
export interface Latency {
  count: number;
  meanMs: number;
  p50Ms: number;
  p90Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
}

export interface StormResult {
  options: StormOptions;
  /** Of the submissions, from a sample. */
  sizes: WorkSizes;
  /** As planned. */
  durationMs: number;
  /** Until everything was settled. */
  stormMs: number;
  isInterrupted: boolean;
  totals: StormTotals;
  /** Without the warm-up and what came after the planned end: entries and reads, settled. */
  measured: { seconds: number; entriesPerSecond: number };
  /** Undefined where there were none; without the warm-up. */
  writeLatency: Latency | undefined;
  readLatency: Latency | undefined;
  timeline: StormTimeline;
  /** Empty when the servers give out no figures. */
  shards: ShardShare[];
  verification: Verification | undefined;
  verifyMs: number;
}

/** Acknowledged and not there, or there and wrong; also what reads in mid-storm met. */
export function badCountOf({ verification, totals }: StormResult): number {
  const { lost = 0, wrong = 0 } = verification?.counts ?? {};
  return lost + wrong + totals.readsWrong;
}

/** Writes and reads that never succeeded. */
export function givenUpOf({ totals }: StormResult): number {
  return totals.refused + totals.unknown + totals.readsFailed;
}

/** Undefined for an empty histogram of microseconds. */
export function latencyOf(histogram: RecordableHistogram): Latency | undefined {
  if (histogram.count === 0) return undefined;
  const at = (share: number) => histogram.percentile(share) / 1000;
  return {
    count: histogram.count,
    meanMs: histogram.mean / 1000,
    p50Ms: at(50),
    p90Ms: at(90),
    p99Ms: at(99),
    p999Ms: at(99.9),
    maxMs: histogram.max / 1000,
  };
}

/** For programs; names are stable. */
export function jsonOf(result: StormResult): object {
  const { options, sizes, totals, measured, verification, timeline } = result;
  const { profile, pace, door, seed, threads, verify } = options;
  return {
    profile: profile.name,
    door,
    seed,
    threads,
    pace: pace.kind,
    sizes,
    plannedMs: result.durationMs,
    stormMs: result.stormMs,
    interrupted: result.isInterrupted,
    ...totals,
    givenUp: givenUpOf(result),
    measured,
    writeLatency: result.writeLatency,
    readLatency: result.readLatency,
    peakOfferedPerSecond: peakOf(timeline.offeredPerSecond),
    shards: result.shards,
    shardImbalance: imbalanceOf(result.shards.map(({ entries }) => entries)),
    verification: { mode: verify, ...verification?.counts, examples: verification?.examples ?? [] },
    verifyMs: result.verifyMs,
    intact: badCountOf(result) === 0,
    timeline: { slotMs: timeline.slotMs, slots: timeline.slots },
  };
}

export function peakOf(values: readonly number[]): number {
  return values.reduce((max, value) => Math.max(max, value), 0);
}

export function formatResult(result: StormResult): string {
  const rows: string[][] = [
    ['storm', workText(result)],
    ['load', paceText(result)],
    ['acknowledged', acknowledgedText(result)],
    ...(result.writeLatency === undefined ? [] : [['latency', latencyText(result.writeLatency)]]),
    ...(result.readLatency === undefined ? [] : [['of reads', latencyText(result.readLatency)]]),
    ['failed', failedText(result)],
    ...(result.shards.length === 0 ? [] : [['shards', balanceText(result.shards)]]),
    ['read back', verificationText(result)],
  ];
  const examples = result.verification?.examples ?? [];
  const parts = [textTable(rows), ...(examples.length > 0 ? ['', ...examples] : [])];
  return [...parts, '', verdictOf(result), ''].join('\n');
}

export function verdictOf(result: StormResult): string {
  const bad = badCountOf(result);
  if (bad > 0) return `FAILED: ${counted(bad, 'entry is', 'entries are')} lost or wrong.`;
  const { verification, options, totals, isInterrupted } = result;
  const start = isInterrupted ? 'Interrupted; until then ' : '';
  const givenUp = givenUpOf(result);
  const but = givenUp > 0 ? ` ${counted(givenUp, 'call was', 'calls were')} given up.` : '';
  if (verification === undefined) {
    return `${start}${grouped(totals.acknowledged)} entries were acknowledged, none read back.${but}`;
  }
  const { found } = verification.counts;
  const what =
    options.verify === 'all'
      ? `everything that was acknowledged is there and right (${counted(found, 'key', 'keys')}).`
      : `a sample of what was acknowledged is there and right (${counted(found, 'key', 'keys')}).`;
  return `${start}${start === '' ? `${what.charAt(0).toUpperCase()}${what.slice(1)}` : what}${but}`;
}

export function workText({ options, sizes }: StormResult): string {
  const { profile, door, seed } = options;
  const what =
    profile.name === 'epro'
      ? `${profile.form.title} (${counted(profile.form.questions.length, 'question', 'questions')})`
      : `${decimal(sizes.entriesPerSubmission.mean)} entries of ${valueText(sizes)}`;
  return `${profile.name}: ${what}, by ${door}, seed ${seed}`;
}

function valueText({ keyBytes, valueBytes }: WorkSizes): string {
  return `${decimal(keyBytes.mean)} + ${decimal(valueBytes.mean)} bytes`;
}

export function paceText({ options, totals, timeline, stormMs }: StormResult): string {
  const { pace } = options;
  const submissions = counted(totals.submissions, 'submission', 'submissions');
  const took = `settled in ${seconds(stormMs)}`;
  if (pace.kind === 'callers') return `${counted(pace.count, 'caller', 'callers')}, ${submissions}`;
  const peak = `up to ${grouped(peakOf(timeline.offeredPerSecond))} entries/s due`;
  return `${submissions}, ${peak}, ${took}`;
}

function acknowledgedText({ totals, measured }: StormResult): string {
  const reads = totals.reads > 0 ? ` and ${grouped(totals.reads)} reads` : '';
  const rate = `${grouped(measured.entriesPerSecond)}/s`;
  return `${grouped(totals.acknowledged)} of ${grouped(writesOf(totals))} entries${reads}, ${rate}`;
}

/** Entries of submissions that were begun. */
export function writesOf({ offered, reads, readsFailed }: StormTotals): number {
  return offered - reads - readsFailed;
}

export function latencyText({ p50Ms, p99Ms, p999Ms, maxMs }: Latency): string {
  return `p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}, p99.9 ${ms(p999Ms)}, longest ${ms(maxMs)}`;
}

function failedText({ totals }: StormResult): string {
  const { errors, retries, refused, unknown, readsFailed } = totals;
  const codes = Object.entries(errors).map(([code, count]) => `${grouped(count)} ${code}`);
  if (codes.length === 0) return 'nothing';
  const left = refused + unknown + readsFailed;
  const end = left === 0 ? 'none given up' : `${grouped(left)} given up`;
  return `${codes.join(', ')}; ${counted(retries, 'retry', 'retries')}, ${end}`;
}

export function balanceText(shards: readonly ShardShare[]): string {
  const imbalance = imbalanceOf(shards.map(({ entries }) => entries));
  const worst = shards.toSorted((a, b) => b.share - a.share).slice(0, 4);
  const shares = worst.map(({ name, share }) => `${name}: ${(share * 100).toFixed(1)} %`);
  const more = shards.length > worst.length ? ' …' : '';
  return `${shares.join(', ')}${more}; the busiest has ${imbalance.toFixed(2)}× the mean`;
}

function verificationText(result: StormResult): string {
  const { verification, verifyMs, options } = result;
  if (verification === undefined) return 'nothing (--verify none)';
  const { counts } = verification;
  const parts = [
    `${grouped(counts.found)} found`,
    `${grouped(counts.lost)} lost`,
    `${grouped(counts.wrong)} wrong`,
  ];
  const unknown = counts['unknown-applied'] + counts['unknown-absent'];
  if (unknown > 0) {
    parts.push(`${grouped(unknown)} unknown (${grouped(counts['unknown-applied'])} applied)`);
  }
  const how = options.verify === 'sample' ? 'a sample, ' : '';
  return `${how}${parts.join(', ')}, in ${seconds(verifyMs)}`;
}

export function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

function decimal(value: number): string {
  return Number.isInteger(value) ? grouped(value) : value.toFixed(1);
}
