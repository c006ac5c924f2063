/** docs/BENCHMARKS.md and its charts, from what lies in bench/results. */
import type { CataloguedBench, Chart } from '../catalogue.js';
import { type Bar, barChart, shortNumber } from './bar-chart.js';
import type { BenchResult, Spread } from './rounds.js';

/** Those beside us; everything else that a bench runs is ours. */
const OTHERS = /^(redis|rocksdb|lmdb|classic-level|ack-only|pipe)/;

export interface Page {
  markdown: string;
  /** By file name, in docs/benchmarks. */
  charts: Map<string, string>;
}

export function benchmarksPage(
  catalogue: readonly CataloguedBench[],
  results: ReadonlyMap<string, BenchResult>,
): Page {
  const charts = new Map<string, string>();
  const sections = catalogue.flatMap((bench) => {
    const result = results.get(bench.name);
    return result === undefined ? [] : [sectionOf(bench, result, charts)];
  });
  const missing = catalogue.filter(({ name }) => !results.has(name)).map(({ name }) => name);
  const markdown = [
    '# Benchmarks',
    'Written by `npm run bench -- --render` from `bench/results`. Each figure is the median of the ' +
      'rounds, with its range; all contenders of a bench ran in turns, in the same run. Absolute ' +
      'figures move with the machine: compare within a table.',
    ...sections,
    ...(missing.length > 0 ? [`Not measured yet: ${missing.join(', ')}.`] : []),
  ].join('\n\n');
  return { markdown: `${markdown}\n`, charts };
}

function sectionOf(
  { name, title, about, charts, columns }: CataloguedBench,
  result: BenchResult,
  files: Map<string, string>,
): string {
  const { machine, settings, rounds, contenders } = result;
  const pictures = charts.flatMap((chart) => {
    const bars = barsOf(chart, contenders);
    if (bars.length === 0) return [];
    const file = `${name}-${chart.figure}.svg`;
    files.set(file, barChart(chart.title, chart.unit, bars));
    return [`![${chart.title}](benchmarks/${file})`];
  });
  const wanted = [...charts.map(({ figure }) => figure), ...columns];
  const told = Object.entries(settings).map(([key, value]) => `${key} ${value}`);
  const where =
    `${machine.processors} × ${machine.cpu}, ${Math.round(machine.memoryMiB / 1024)} GiB, Node ` +
    `${machine.node}, commit ${machine.commit}, ${machine.date.slice(0, 10)}; ${rounds} ` +
    `${rounds === 1 ? 'round' : 'rounds'}, load before: ${machine.loadAverage}`;
  return [
    `## ${title}`,
    about,
    ...pictures,
    tableOf(wanted, contenders),
    `\`${name}\`: ${told.join(', ')}. ${where}.`,
  ].join('\n\n');
}

function barsOf({ figure }: Chart, contenders: BenchResult['contenders']): Bar[] {
  return Object.entries(contenders).flatMap(([name, figures]) => {
    const value = figures[figure];
    if (value === undefined || typeof value === 'string') return [];
    return [{ name, value, isOurs: !OTHERS.test(name) }];
  });
}

function tableOf(wanted: string[], contenders: BenchResult['contenders']): string {
  const all = Object.values(contenders);
  const columns = wanted.filter((column) => all.some((figures) => figures[column] !== undefined));
  const rows = Object.entries(contenders).map(([name, figures]) => {
    const absent = figures['absent'];
    if (absent !== undefined) return `| ${name} | ${[`absent: ${absent}`].join(' | ')} |`;
    return `| ${name} | ${columns.map((column) => cellOf(figures[column])).join(' | ')} |`;
  });
  const head = `| | ${columns.join(' | ')} |`;
  return [head, `|---|${columns.map(() => '---:|').join('')}`, ...rows].join('\n');
}

function cellOf(value: Spread | string | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  const { median, min, max } = value;
  if (min === max) return shortNumber(median);
  return `${shortNumber(median)} (${shortNumber(min)} – ${shortNumber(max)})`;
}
