#!/usr/bin/env node
// Runs every compiled test file in a process of its own, a few at a time, and sums up.
// Usage: node scripts/run-tests.mjs [--all] [FILTER …]
//   --all   build first and check format and lint; each counts as one more test
//   FILTER  a part of the path of a test file
// Ends with the line "N passed, N failed"; exit 1 when a test failed or none was found.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const FILE_DEADLINE_MS = Number(process.env.TEST_FILE_DEADLINE_MS ?? 600_000);
const root = resolve(import.meta.dirname ?? '.', '..');
const testDir = join(root, process.env.TEST_DIST ?? 'dist', 'test');
const { values: options, positionals: filters } = parseArgs({
  options: { all: { type: 'boolean', default: false } },
  allowPositionals: true,
});

let passed = 0;
let failed = 0;
let skipped = 0;
if (options.all && !runStep('build', ['scripts/build.mjs'])) finish();
// A finding of the linter does not keep the tests from running.
if (options.all)
  runStep('format and lint', ['node_modules/@biomejs/biome/bin/biome', 'ci', '--colors=off']);

const files = findTests();
const queue = [...files];
const width = Math.max(1, Math.min(2, availableParallelism()));
await Promise.all(Array.from({ length: width }, runNext));

if (files.length === 0) {
  console.error(
    `No test file under ${relative(root, testDir)} matches. Build first: npm run build`,
  );
  failed = 1;
}
finish();

function finish() {
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

function runStep(name, args) {
  const started = performance.now();
  const child = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  const isGood = child.status === 0;
  if (isGood) passed++;
  else failed++;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${isGood ? 'ok   ' : 'FAIL '} ${name}  ${seconds} s`);
  if (!isGood) console.log(`${child.stdout}${child.stderr}${child.error ?? ''}`);
  return isGood;
}

function findTests() {
  if (!existsSync(testDir)) return [];
  return readdirSync(testDir, { recursive: true })
    .filter((name) => name.endsWith('.test.js'))
    .filter((name) => filters.length === 0 || filters.some((part) => name.includes(part)))
    .sort((a, b) => weightOf(b) - weightOf(a) || (a < b ? -1 : 1))
    .map((name) => join(testDir, name));
}

/** The rigs take longest: begun first, they leave no core idle at the end. */
function weightOf(name) {
  return name.startsWith('rigs') ? 1 : 0;
}

async function runNext() {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) await runFile(file);
}

function runFile(file) {
  return new Promise((done) => {
    const started = performance.now();
    const child = spawn(process.execPath, ['--enable-source-maps', file], {
      cwd: root,
      env: { ...process.env, FORCE_COLOR: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    let late = false;
    const watchdog = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, FILE_DEADLINE_MS);
    child.on('close', (code, signal) => {
      clearTimeout(watchdog);
      report(file, { code, signal, late, output, ms: performance.now() - started });
      done();
    });
  });
}

function report(file, { code, signal, late, output, ms }) {
  const total = sum(output, /Total:\s+(\d+)/g);
  const good = sum(output, /Passed:\s+(\d+)/g);
  const skips = sum(output, /Skipped:\s+(\d+)/g);
  // A file that dies or reports no test counts as one failure more.
  const broken = code === 0 && total > 0 ? 0 : Math.max(1, total - good - skips);
  passed += good;
  skipped += skips;
  failed += broken;
  const name = relative(testDir, file);
  const seconds = (ms / 1000).toFixed(1);
  if (broken === 0) {
    console.log(`ok    ${name}  ${good} tests, ${seconds} s`);
    return;
  }
  const why = late ? 'deadline passed' : signal ? `killed by ${signal}` : `exit ${code}`;
  console.log(`FAIL  ${name}  ${why}, ${seconds} s\n${output}`);
}

function sum(text, pattern) {
  let n = 0;
  for (const match of text.matchAll(pattern)) n += Number(match[1]);
  return n;
}
