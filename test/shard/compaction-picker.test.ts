/** What is merged next, and what a year of it costs. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type Pick, pickMerge } from '../../src/shard/compaction-picker.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('pickMerge');

/** Sizes newest first, fan-in → what is picked. */
const GOLDEN: readonly [sizes: number[], fanIn: number, picked: string][] = [
  [[], 4, 'none'],
  [[10], 4, 'none'],
  [[10, 10, 10], 4, 'none'],
  [[10, 10, 10, 10], 4, '0+4 like-sizes'],
  [[10, 10, 10, 10, 10], 4, '0+5 like-sizes'],
  [[10, 10], 2, '0+2 like-sizes'],
  // A little more than what is newer still counts as like it.
  [[8, 10], 2, '0+2 like-sizes'],
  [[8, 11], 2, 'none'],
  // A large run behind small ones waits until they have grown.
  [[10, 10, 10, 1000], 4, 'none'],
  [[10, 10, 10, 30], 4, '0+4 like-sizes'],
  [[10, 10, 1000], 3, 'none'],
  // A stretch behind others that are out of proportion.
  [[1, 100, 100, 100], 3, '1+3 like-sizes'],
  [[1, 5, 30, 30, 30, 200], 3, '2+3 like-sizes'],
  // As long as the runs are like all before them together, they come along.
  [[10, 10, 20, 40, 80, 1000], 2, '0+5 like-sizes'],
  // Growing faster than that: nothing, until there are more than 4 × fan-in.
  [[1, 2, 4, 8, 16, 32, 64, 128], 2, 'none'],
  [[1, 2, 4, 8, 16, 32, 64, 128, 256], 2, '0+2 too-many-runs'],
  // Runs without bytes.
  [[0, 0], 2, '0+2 like-sizes'],
  [[0, 10], 2, 'none'],
];

function told(pick: Pick): string {
  return pick.kind === 'none' ? 'none' : `${pick.from}+${pick.count} ${pick.because}`;
}

for (const [sizes, fanIn, picked] of GOLDEN) {
  test(`of [${sizes.join(' ')}] with ${fanIn} picks ${picked}`, () => {
    assert.is(told(pickMerge(sizes, fanIn)), picked);
  });
}

test('picks neighbours, at least as many as the fan-in, whatever the sizes', () => {
  const sizes = fc.array(fc.nat(1e9), { maxLength: 60 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 2, max: 16 }), (runs, fanIn) => {
      const pick = pickMerge(runs, fanIn);
      if (pick.kind === 'none') {
        assert.ok(runs.length <= 4 * fanIn, 'too many are never left alone');
        return;
      }
      assert.ok(pick.from >= 0 && pick.from + pick.count <= runs.length);
      assert.ok(pick.count >= fanIn);
    }),
  );
});

interface Costs {
  runsMax: number;
  /** Bytes written by merges per byte flushed. */
  amplification: number;
}

/** Flushes one after another, each followed by all merges that are due. */
function simulate(flushes: number, fanIn: number, sizeOf: () => number): Costs {
  const runs: number[] = [];
  let flushed = 0;
  let written = 0;
  let runsMax = 0;
  for (let i = 0; i < flushes; i++) {
    const size = sizeOf();
    flushed += size;
    runs.unshift(size);
    for (let pick = pickMerge(runs, fanIn); pick.kind === 'merge'; pick = pickMerge(runs, fanIn)) {
      const inputs = runs.slice(pick.from, pick.from + pick.count);
      const output = inputs.reduce((sum, each) => sum + each, 0);
      written += output;
      runs.splice(pick.from, pick.count, output);
    }
    runsMax = Math.max(runsMax, runs.length);
  }
  return { runsMax, amplification: written / flushed };
}

for (const fanIn of [2, 3, 4, 8]) {
  test(`keeps runs few and rewriting logarithmic over 10,000 flushes, with ${fanIn}`, () => {
    const random = new SeededRandom(fanIn);
    const loads: Record<string, () => number> = {
      even: () => 100,
      varying: () => 60 + random.nextInt(80),
      wild: () => 1 + Math.floor(1000 * random.float() ** 8),
      alternating: () => (random.chance(0.5) ? 1 : 1000),
    };
    for (const [name, sizeOf] of Object.entries(loads)) {
      const { runsMax, amplification } = simulate(10_000, fanIn, sizeOf);
      const told = `${name}: ${runsMax} runs, ${amplification.toFixed(2)} times`;
      assert.ok(runsMax <= 4 * fanIn, told);
      // Each merge at least doubles what it merges, or there would be no like sizes.
      assert.ok(amplification <= Math.log2(10_000) + 1, told);
    }
  });
}

test('costs fewer rewrites the more runs it may leave', () => {
  const amplifications = [2, 4, 8].map((fanIn) => simulate(10_000, fanIn, () => 100).amplification);
  const [two = 0, four = 0, eight = 0] = amplifications;
  assert.ok(two > four && four > eight, amplifications.join(' > '));
});

run();
