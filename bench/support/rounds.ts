/**
 * Rounds of a bench: every contender runs in a process of its own, one after the other, round after
 * round, so that what disturbs the machine disturbs all of them alike. A contender prints its
 * figures as one line of JSON, the last one of its output.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine, type Machine } from './machine.js';

export type Figures = Record<string, number | string>;

export interface Bench {
  name: string;
  /** Numbers that flags may change: `--entries 2000000`. */
  settings: Record<string, number>;
  /** Unless told otherwise, 3; a long run may do with one. */
  rounds?: number;
  /** A figure that those who come later in the round get as a setting: as many entries, say. */
  passOn?: string;
  /** Each is given a fresh folder on the disk, removed afterwards. */
  contenders: Record<string, (settings: Record<string, number>, dir: string) => Promise<Figures>>;
}

/** A figure without its range says too much. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** What a bench prints, and what lies in bench/results. */
export interface BenchResult {
  bench: string;
  machine: Machine;
  settings: Record<string, number>;
  rounds: number;
  contenders: Record<string, Record<string, Spread | string>>;
}

const ROUNDS = 3;

/** The main program of a bench. `file` is its own path, for starting it again as a contender. */
export async function runBench(bench: Bench, file: string): Promise<void> {
  const values: Record<string, string | undefined> = parseArgs({
    options: optionsOf(bench),
  }).values;
  const settings = { ...bench.settings };
  for (const name of Object.keys(settings)) {
    if (values[name] !== undefined) settings[name] = Number(values[name]);
  }
  const parentDir = values['place'] ?? process.cwd();
  const contender = values['contender'];
  if (contender !== undefined) {
    await beContender(bench, contender, settings, parentDir);
    return;
  }
  const chosen = values['only']?.split(',');
  const names = Object.keys(bench.contenders).filter((name) => chosen?.includes(name) ?? true);
  const rounds = Number(values['rounds'] ?? bench.rounds ?? ROUNDS);
  const machine = describeMachine();
  const results = new Map<string, Figures[]>(names.map((name) => [name, []]));
  const progress = new Progress(bench.name, names.length * rounds);
  for (let round = 1; round <= rounds; round++) {
    const ofRound = { ...settings };
    for (const name of names) {
      progress.next(`round ${round} of ${rounds}, ${name}`);
      const figures = await runContender(file, name, ofRound, parentDir);
      results.get(name)?.push(figures);
      const passed = bench.passOn === undefined ? undefined : figures[bench.passOn];
      if (bench.passOn !== undefined && typeof passed === 'number') ofRound[bench.passOn] = passed;
    }
  }
  const contenders = Object.fromEntries(
    [...results].map(([name, figures]) => [name, summarize(figures)]),
  );
  const result: BenchResult = { bench: bench.name, machine, settings, rounds, contenders };
  console.log(JSON.stringify(result, null, 2));
}

/** Tells what runs, and how long the rest will take by what was seen so far. */
class Progress {
  readonly #name: string;
  readonly #runs: number;
  readonly #started = performance.now();
  #done = -1;

  constructor(name: string, runs: number) {
    this.#name = name;
    this.#runs = runs;
  }

  next(what: string): void {
    this.#done++;
    const perRun = (performance.now() - this.#started) / 1000 / this.#done;
    const left = Math.ceil((this.#runs - this.#done) * perRun);
    const when = this.#done === 0 ? '' : `, about ${left} s left`;
    process.stderr.write(`${this.#name}: ${what}${when}\n`);
  }
}

/**
 * `place`: where the stores lie; not the system's temporary folder, which may be memory. Beware of
 * calling a flag --dir, --debug or --target: the loader of mmap-io takes them for its own.
 */
function optionsOf(bench: Bench): Record<string, { type: 'string' }> {
  const names = ['rounds', 'only', 'contender', 'place', ...Object.keys(bench.settings)];
  return Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
}

async function beContender(
  bench: Bench,
  name: string,
  settings: Record<string, number>,
  parentDir: string,
): Promise<void> {
  const run = bench.contenders[name];
  if (run === undefined) throw new Error(`No contender is called ${name}`);
  const dir = mkdtempSync(join(parentDir, '.bench-'));
  const clean = (): void => rmSync(dir, { recursive: true, force: true });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      clean();
      process.exit(1);
    });
  }
  try {
    const figures = await run(settings, dir);
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  } finally {
    clean();
  }
}

function runContender(
  file: string,
  name: string,
  settings: Record<string, number>,
  dir: string,
): Promise<Figures> {
  const flags = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);
  const args = [...process.execArgv, file, '--contender', name, '--place', dir, ...flags];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const last = output.trim().split('\n').at(-1) ?? '';
      if (code === 0 && last !== '') resolve(JSON.parse(last) as Figures);
      else reject(new Error(`${name} ended with ${signal ?? code}:\n${output}`));
    });
  });
}

function summarize(rounds: Figures[]): Record<string, Spread | string> {
  const summary: Record<string, Spread | string> = {};
  for (const key of new Set(rounds.flatMap((figures) => Object.keys(figures)))) {
    const values = rounds.map((figures) => figures[key]);
    const numbers = values.filter((value) => typeof value === 'number').sort((a, b) => a - b);
    const [min, max] = [numbers[0], numbers.at(-1)];
    const median = numbers[Math.floor(numbers.length / 2)];
    if (min === undefined || max === undefined || median === undefined) {
      summary[key] = String(values.find((value) => value !== undefined));
    } else {
      summary[key] = { median, min, max };
    }
  }
  return summary;
}

/** Three digits are as many as a shared machine deserves. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
