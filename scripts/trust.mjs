#!/usr/bin/env node
// The long runs of the reliability rigs, part by part, at low priority. What is done is kept in
// docs/reliability.json with the commit of each part, so a run goes on where the last one ended;
// Ctrl-C loses the part at hand and nothing else. Figures go into docs/RELIABILITY.md.
// Usage: npm run trust -- [--rig NAME]… [--from N] [--to M] [--hours H] [--again] [--report]
//   --rig NAME      only these; default: all in turn, a part of each
//   --from, --to    range within a rig: seeds, moments, bits … (see RIGS)
//   --hours H       begins no part after so many hours
//   --again         also parts that are done
//   --report        only writes the figures
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const root = resolve(import.meta.dirname ?? '.', '..');
const dist = process.env.TEST_DIST ?? 'dist';
const STATE = join(root, 'docs/reliability.json');
const PAGE = join(root, 'docs/RELIABILITY.md');
const [BEGIN, END] = ['<!-- figures: begin -->', '<!-- figures: end -->'];

/** Ranges are cut into parts of `step`; `env` says how a test is told which part to run. */
const RIGS = [
  {
    name: 'simulation',
    test: 'simulation',
    ...{ unit: 'seeds', from: 1, to: 10_000, step: 100 },
    env: (from, to) => ({ SIM_FROM: from, SIM_SEEDS: to - from + 1, SIM_SECONDS: 36_000 }),
    figures: ['seeds', 'operations', 'kills', 'processKills', 'powerLosses', 'diskErrors'],
    anchor: 'FoundationDB: tens of thousands of simulations a night, on a cluster',
    trials: 'seeds',
  },
  {
    name: 'crash-states',
    test: 'crash-states',
    ...{ unit: 'moments', from: 0, to: 4_999, step: 100 },
    env: (from, to) => ({
      RIG_CRASH_DEPTH: 3,
      RIG_CRASH_FROM: from,
      RIG_CRASH_TO: to + 1,
      RIG_CRASH_SECONDS: 36_000,
    }),
    figures: ['states', 'moments', 'operations'],
    anchor: 'LevelDB: 24 resets; Pebble: every k-th operation',
  },
  {
    name: 'damage',
    test: 'damage',
    ...{ unit: 'bits', from: 0, to: 532_479, step: 32_768 },
    env: (from, to) => ({
      RIG_DAMAGE_FROM: from,
      RIG_DAMAGE_TO: to + 1,
      RIG_DAMAGE_LENGTHS: from === 0 ? 'all' : 'some',
    }),
    figures: ['damages', 'right', 'corruption', 'refused'],
    anchor: 'no LSM store publishes a full sweep',
  },
  {
    name: 'nth-call',
    test: 'nth-call',
    ...{ unit: 'workloads', from: 0, to: 59, step: 5 },
    env: (from, to) => ({
      RIG_NTH_WORKLOADS: 'all',
      RIG_NTH_FROM: from,
      RIG_NTH_TO: to + 1,
    }),
    figures: ['workloads', 'calls', 'injections'],
    anchor: 'SQLite: every call, once and for ever',
  },
  {
    name: 'process-chaos',
    test: 'chaos',
    ...{ unit: 'runs', from: 1, to: 20, step: 1 },
    env: (from) => ({ RIG_SEED: from * 1000, RIG_KILLS: 50, RIG_HISTORIES: 15 }),
    figures: ['kills', 'faults', 'acknowledged'],
    anchor: 'RocksDB: about 6 kills per change, 30 a night',
    trials: 'kills',
  },
  {
    name: 'mutants',
    test: 'planted-bugs',
    ...{ unit: 'runs', from: 1, to: 1, step: 1 },
    env: () => ({ PLANTED_SHARE: 'all' }),
    figures: ['planted'],
    anchor: 'etcd: 17 bugs of its past, reproducible',
  },
  {
    name: 'fuzz',
    test: '../fuzz/fuzz',
    ...{ unit: 'inputs', from: 0, to: 9_999_999, step: 500_000 },
    env: (from, to) => ({ FUZZ_FROM: from, FUZZ_COUNT: to - from + 1 }),
    figures: ['inputs', 'accepted', 'rejected'],
    anchor: 'SQLite: fuzzed without end',
  },
  {
    name: 'model',
    test: 'model',
    ...{ unit: 'runs', from: 1, to: 1, step: 1 },
    env: () => ({ MODEL_SEEDS: 24 }),
    figures: ['seeds', 'operations'],
    anchor: 'LevelDB, RocksDB: random operations against a map',
  },
];

const { values: options } = parseArgs({
  options: {
    rig: { type: 'string', multiple: true },
    from: { type: 'string' },
    to: { type: 'string' },
    hours: { type: 'string' },
    again: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
  },
});

setPriority(constants.priority.PRIORITY_LOW);
const chosen = RIGS.filter(({ name }) => options.rig === undefined || options.rig.includes(name));
if (chosen.length === 0) {
  console.error(`There is no such rig. There are: ${RIGS.map(({ name }) => name).join(', ')}`);
  process.exit(1);
}
const state = existsSync(STATE) ? JSON.parse(readFileSync(STATE, 'utf8')) : { parts: [] };
let child;
let isStopping = false;
process.on('SIGINT', () => {
  isStopping = true;
  child?.kill('SIGTERM');
});

let failures = 0;
if (!options.report) await runAll();
writeFigures();
process.exit(failures > 0 ? 1 : 0);

/** One part of each rig in turn, until all are done or the time is up. */
async function runAll() {
  const endMs = options.hours === undefined ? Infinity : Number(options.hours) * 3_600_000;
  const startMs = performance.now();
  const queues = chosen.map((rig) => ({ rig, parts: partsOf(rig) }));
  while (queues.some(({ parts }) => parts.length > 0)) {
    for (const { rig, parts } of queues) {
      const part = parts.shift();
      if (part === undefined) continue;
      if (isStopping || performance.now() - startMs > endMs) return;
      await runPart(rig, part, parts);
    }
  }
}

function partsOf(rig) {
  const from = Number(options.from ?? rig.from);
  const to = Number(options.to ?? rig.to);
  const parts = [];
  for (let at = from; at <= to; at += rig.step) {
    const part = { from: at, to: Math.min(to, at + rig.step - 1) };
    const isDone = state.parts.some(
      (one) => one.rig === rig.name && one.passed && one.from <= part.from && one.to >= part.to,
    );
    if (!isDone || options.again) parts.push(part);
  }
  return parts;
}

async function runPart(rig, { from, to }, rest) {
  const startMs = performance.now();
  const result = await runTest(rig, rig.env(from, to));
  if (isStopping) return;
  const seconds = Math.round((performance.now() - startMs) / 1000);
  const passed = result.code === 0;
  if (!passed) failures++;
  const figures = sumOf(rig, result.output);
  state.parts = state.parts.filter(
    (one) => one.rig !== rig.name || one.from !== from || one.to !== to,
  );
  state.parts.push({ rig: rig.name, from, to, commit: commit(), passed, seconds, figures });
  save();
  const verdict = passed ? 'ok' : 'FAILED';
  console.log(`${verdict}  ${rig.name} ${rig.unit} ${from} to ${to}, ${seconds} s`);
  if (!passed) console.log(result.output.slice(-4000));
  // The rig says how far its range really goes.
  const end = figures.of;
  if (end !== undefined) while ((rest.at(-1)?.from ?? -1) >= end) rest.pop();
}

function runTest({ test }, env) {
  const file = join(root, dist, `test/rigs/${test}.test.js`);
  const texts = Object.fromEntries(Object.entries(env).map(([k, v]) => [k, String(v)]));
  return new Promise((done) => {
    child = spawn(process.execPath, ['--enable-source-maps', file], {
      cwd: root,
      env: { ...process.env, FORCE_COLOR: '0', ...texts },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => done({ code, output }));
  });
}

/** Of all lines `RIG name {…}` of the rig, number by number. */
function sumOf({ name }, output) {
  const sum = {};
  for (const [, rig, json] of output.matchAll(/RIG (\S+) (\{.*\})/g)) {
    if (rig !== name) continue;
    for (const [key, value] of Object.entries(JSON.parse(json))) {
      if (typeof value !== 'number') continue;
      sum[key] = key === 'of' ? value : (sum[key] ?? 0) + value;
    }
  }
  return sum;
}

function writeFigures() {
  const lines = [
    '| rig | done | figures of good parts | parts that failed | bound | commits | anchor |',
    '|---|---|---|---|---|---|---|',
    ...RIGS.map(rowOf),
  ];
  const page = readFileSync(PAGE, 'utf8');
  const [start, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (start < 0 || end < start) throw new Error('docs/RELIABILITY.md has lost its marks');
  const text = `${page.slice(0, start + BEGIN.length)}\n${lines.join('\n')}\n${page.slice(end)}`;
  if (text !== page) writeFileSync(PAGE, text);
}

function rowOf(rig) {
  const parts = state.parts.filter((one) => one.rig === rig.name);
  const good = parts.filter(({ passed }) => passed);
  const total = (key) => good.reduce((sum, { figures }) => sum + (figures[key] ?? 0), 0);
  const shown = rig.figures.map((key) => `${total(key).toLocaleString('en')} ${key}`).join(', ');
  const trials = rig.trials === undefined ? 0 : total(rig.trials);
  const commits = [...new Set(parts.map((part) => part.commit))].slice(-3).join(' ');
  const failed = parts.length - good.length;
  const bound =
    trials > 0 ? `3/${trials} = ${(3 / trials).toPrecision(2)} per trial` : 'enumerated';
  const size = `${good.length} of ${Math.ceil((rig.to - rig.from + 1) / rig.step)} parts`;
  const isBound = parts.length > 0 && failed === 0;
  const cells = [rig.name, size, shown, failed, isBound ? bound : '', commits, rig.anchor];
  return `| ${cells.join(' | ')} |`;
}

/** Whole or not at all. */
function save() {
  writeFileSync(`${STATE}.tmp`, `${JSON.stringify(state, undefined, 1)}\n`);
  renameSync(`${STATE}.tmp`, STATE);
}

function commit() {
  return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    encoding: 'utf8',
    cwd: root,
  }).trim();
}
