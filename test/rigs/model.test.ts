/**
 * The engine against a sorted map, at full size: lists of random operations (writes, batches,
 * conditions, expiry, reads, scans over snapshots, deletion by prefix, flushes, merges, clean ends,
 * killed processes, power losses) under many sets of options. One difference is a failure, and the
 * seed that found it is printed with the command that repeats it.
 *
 *   MODEL_SEEDS=100        so many seeds for each set of options
 *   MODEL_OPERATIONS=1000  so many operations per seed
 *   MODEL_OPTIONS=lz4      only sets whose name has this text
 *   MODEL_SEED=7           only this seed
 */
import * as assert from 'uvu/assert';
import { messageOf } from '../../src/base/errors.js';
import { MODEL_OPTIONS } from '../harness/model-options.js';
import { ModelRun, type Tally } from '../harness/model-run.js';
import { suite } from '../harness/suite.js';

const { test, run, after } = suite('Model');

const SEEDS = Number(process.env['MODEL_SEEDS'] ?? 3);
const OPERATIONS = Number(process.env['MODEL_OPERATIONS'] ?? 10_000);
const ONLY_SEED = process.env['MODEL_SEED'];
const ONLY_OPTIONS = process.env['MODEL_OPTIONS'] ?? '';
/** Fewer operations are too few to reach everything. */
const FULL = 5_000;
const DEADLINE_MS = 500_000 * Math.max(1, SEEDS / 2);

const startMs = performance.now();
const totals: Partial<Tally> = {};
let seedCount = 0;

function oneSeed(name: string, seed: number): void {
  try {
    const tally = new ModelRun(MODEL_OPTIONS[name] ?? {}, seed).run(OPERATIONS);
    seedCount++;
    for (const key of Object.keys(tally) as (keyof Tally)[]) {
      totals[key] = (totals[key] ?? 0) + tally[key];
    }
    if (OPERATIONS >= FULL) checkReach(tally);
  } catch (error) {
    const replay = `MODEL_SEED=${seed} MODEL_OPTIONS='${name}' MODEL_OPERATIONS=${OPERATIONS}`;
    const why = `With ${name}, seed ${seed}, ${messageOf(error)}`;
    throw new Error(`${why}\nRepeat: ${replay} node ${commandFile()}`, { cause: error });
  }
}

/** A test that reaches nothing finds nothing. */
function checkReach(tally: Tally): void {
  for (const [name, count] of Object.entries(tally)) {
    if (name !== 'refused') assert.ok(count > 0, `no ${name} at all`);
  }
  assert.ok(tally.flushes >= 10 && tally.merges >= 3, `${tally.flushes} and ${tally.merges}`);
  assert.ok(tally.refused < tally.writes / 100, `${tally.refused} writes were refused`);
}

function commandFile(): string {
  return process.argv[1]?.replace(`${process.cwd()}/`, '') ?? '';
}

Object.keys(MODEL_OPTIONS).forEach((name, set) => {
  if (!name.includes(ONLY_OPTIONS)) return;
  test(
    `no difference from a sorted map, with ${name}`,
    () => {
      const first = set * 1_000_000 + 1;
      const seeds = Array.from({ length: SEEDS }, (_, i) => first + i);
      for (const seed of ONLY_SEED === undefined ? seeds : [Number(ONLY_SEED)]) {
        oneSeed(name, seed);
      }
    },
    DEADLINE_MS,
  );
});

after(() => {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const counts = Object.entries(totals).map(([name, count]) => `${count} ${name}`);
  console.log(`\nmodel: ${seedCount} seeds in ${seconds} s: ${counts.join(', ')}`);
  console.log(`RIG model ${JSON.stringify({ seeds: seedCount, ...totals })}`);
});

run();
