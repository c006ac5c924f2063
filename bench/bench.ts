/**
 * Runs benches and keeps what they say: npm run bench -- [NAME …] [--rounds N] [--seconds N] …
 *
 *   NAME       a bench of the catalogue; all of them if not given
 *   --json     prints the results as they are kept, not as a table
 *   --render   writes docs/BENCHMARKS.md and its charts from bench/results, runs nothing
 *   --list     what there is
 * Other flags are settings of the bench. Results go to bench/results/NAME.json.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CATALOGUE } from './catalogue.js';
import { shortNumber } from './support/bar-chart.js';
import { benchmarksPage } from './support/benchmarks-page.js';
import type { BenchResult } from './support/rounds.js';

const RESULTS = 'bench/results';
const CHARTS = 'docs/benchmarks';
const SWITCHES = ['--json', '--render', '--list'];

const args = process.argv.slice(2);
const has = (flag: string): boolean => args.includes(flag);
const firstFlag = args.findIndex((arg) => arg.startsWith('--'));
const names = firstFlag < 0 ? args : args.slice(0, firstFlag);
const settings = args.slice(names.length).filter((arg) => !SWITCHES.includes(arg));

async function main(): Promise<void> {
  if (has('--list')) {
    for (const { name, about } of CATALOGUE) console.log(`${name.padEnd(16)}${about}`);
    return;
  }
  if (has('--render')) {
    render();
    return;
  }
  const unknown = names.filter((name) => !CATALOGUE.some((bench) => bench.name === name));
  if (unknown.length > 0) throw new Error(`No bench is called ${unknown.join(', ')}: see --list`);
  const chosen = names.length > 0 ? names : CATALOGUE.map(({ name }) => name);
  mkdirSync(RESULTS, { recursive: true });
  for (const name of chosen) {
    const text = await outputOf(name);
    writeFileSync(`${RESULTS}/${name}.json`, text);
    if (has('--json')) process.stdout.write(text);
    else print(JSON.parse(text) as BenchResult);
  }
}

function outputOf(name: string): Promise<string> {
  const script = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...settings], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${name} ended with ${code}`));
    });
  });
}

function print({ bench, machine, settings: used, rounds, contenders }: BenchResult): void {
  const told = Object.entries(used).map(([key, value]) => `${key} ${value}`);
  console.log(`\n${bench}: ${told.join(', ')}; ${rounds} rounds`);
  const { processors, cpu, node, commit, loadAverage } = machine;
  console.log(`${processors} × ${cpu}, Node ${node}, commit ${commit}, load ${loadAverage}`);
  for (const [name, figures] of Object.entries(contenders)) {
    console.log(`  ${name}`);
    for (const [figure, value] of Object.entries(figures)) {
      const range =
        typeof value === 'string'
          ? value
          : `${shortNumber(value.median)}  (${shortNumber(value.min)} – ${shortNumber(value.max)})`;
      console.log(`    ${figure.padEnd(28)}${range}`);
    }
  }
}

function render(): void {
  const results = new Map<string, BenchResult>();
  mkdirSync(RESULTS, { recursive: true });
  for (const file of readdirSync(RESULTS).filter((name) => name.endsWith('.json'))) {
    const result = JSON.parse(readFileSync(`${RESULTS}/${file}`, 'utf8')) as BenchResult;
    results.set(result.bench, result);
  }
  const { markdown, charts } = benchmarksPage(CATALOGUE, results);
  rmSync(CHARTS, { recursive: true, force: true });
  mkdirSync(CHARTS, { recursive: true });
  for (const [file, svg] of charts) writeFileSync(`${CHARTS}/${file}`, svg);
  writeFileSync('docs/BENCHMARKS.md', markdown);
}

await main();
