/** What is merged next, and what a year of it costs. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  compactionDebt,
  type MergePick,
  pickMerges,
  type RunFigures,
} from '../../src/shard/compaction-picker.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('pickMerges');

/** Rule 1 off: what the other rules do alone. */
const NEVER = 1e9;

function sized(sizeBytes: number, change: Partial<RunFigures> = {}): RunFigures {
  const entryCount = sizeBytes;
  const gone = { tombstoneCount: 0, expiredCount: 0, shadowedCount: 0 };
  return { sizeBytes, entryCount, ...gone, isBusy: false, ...change };
}

/** `12*` is a busy run of 12 bytes, `12-3` has 3 tombstones, `12~3` 3 expired entries. */
function runsOf(text: string): RunFigures[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [, size, tombstones = 0, expired = 0, star] =
        /^(\d+)(?:-(\d+))?(?:~(\d+))?(\*)?$/.exec(word) ?? [];
      return sized(Number(size), {
        tombstoneCount: Number(tombstones),
        expiredCount: Number(expired),
        isBusy: star === '*',
      });
    });
}

function told(picks: MergePick[]): string {
  const each = picks.map(({ from, count, because }) => `${from}+${count} ${because}`);
  return each.length === 0 ? 'none' : each.join(', ');
}

/** Runs newest first, fan-in → what is picked by size and number. */
const BY_SIZE: readonly [runs: string, fanIn: number, picked: string][] = [
  ['', 4, 'none'],
  ['10', 4, 'none'],
  ['10 10 10', 4, 'none'],
  ['10 10 10 10', 4, '0+4 like-sizes'],
  ['10 10 10 10 10', 4, '0+5 like-sizes'],
  ['10 10', 2, '0+2 like-sizes'],
  // A little more than what is newer still counts as like it.
  ['8 10', 2, '0+2 like-sizes'],
  ['8 11', 2, 'none'],
  // A large run behind small ones waits until they have grown.
  ['10 10 10 1000', 4, 'none'],
  ['10 10 10 30', 4, '0+4 like-sizes'],
  ['10 10 1000', 3, 'none'],
  // A stretch behind others that are out of proportion.
  ['1 100 100 100', 3, '1+3 like-sizes'],
  ['1 5 30 30 30 200', 3, '2+3 like-sizes'],
  // As long as the runs are like all before them together, they come along.
  ['10 10 20 40 80 1000', 2, '0+5 like-sizes'],
  // Several stretches at once.
  ['1 1 1 100 100 100', 3, '0+3 like-sizes, 3+3 like-sizes'],
  // What a merge reads already is left alone, and parts the others.
  ['10* 10* 10* 10*', 4, 'none'],
  ['10 10 10* 10 10', 2, '0+2 like-sizes, 3+2 like-sizes'],
  ['10 10 10* 10 10', 3, 'none'],
  ['10 10 10 10* 10*', 3, '0+3 like-sizes'],
  // Growing faster than that: nothing, until there are more than 4 × fan-in; then the cheapest.
  ['1 2 4 8 16 32 64 128', 2, 'none'],
  ['1 2 4 8 16 32 64 128 256', 2, '0+2 too-many-runs'],
  ['9* 1 2 4 8 16 32 64 128 256', 2, '1+2 too-many-runs'],
  ['1* 9 27 81 200* 1 2 4 8 16', 2, '5+2 too-many-runs'],
  // A large run takes along what is smaller, whatever its order.
  ['9 99 7 77 5 55 3 33 1 11', 2, '1+9 like-sizes'],
  // Runs without bytes.
  ['0 0', 2, '0+2 like-sizes'],
  ['0 10', 2, 'none'],
];

for (const [runs, fanIn, picked] of BY_SIZE) {
  test(`of [${runs}] with ${fanIn} picks ${picked}`, () => {
    const options = { fanIn, garbagePercentBusy: NEVER, garbagePercentQuiet: NEVER };
    assert.is(told(pickMerges(runsOf(runs), options, false)), picked);
  });
}

/** Fan-in 3, garbage 100 % while busy and 40 % when quiet: runs → picked while busy, when quiet. */
const BY_SPACE: readonly [runs: string, busy: string, quiet: string][] = [
  ['100', 'none', 'none'],
  // Newer runs may replace as much as they hold.
  ['39 100', 'none', 'none'],
  ['40 100', 'none', '0+2 space'],
  ['5 35 100', 'none', '0+3 space'],
  ['10 89 100', 'none', '0+3 space'],
  ['10 90 100', '0+3 space', '0+3 space'],
  // A tombstone may hide an entry of the oldest run, and is garbage there itself.
  ['5-20 100', 'none', 'none'],
  ['5-25 100', 'none', '0+2 space'],
  ['2 4-46 100', 'none', '0+3 space'],
  ['2 4-47 100', '0+3 space', '0+3 space'],
  ['5-500 100', 'none', '0+2 space'],
  ['100-28', 'none', 'none'],
  ['100-29', 'none', '0+1 space'],
  // So is an expired entry.
  ['100~28', 'none', 'none'],
  ['100-14~15', 'none', '0+1 space'],
  ['20~20 100', 'none', '0+2 space'],
  ['100~100', 'none', '0+1 space'],
  // Only what is free as far as the oldest run.
  ['200 200* 100', 'none', 'none'],
  ['200 200* 40 100', 'none', '2+2 space'],
  ['200 200 100*', 'none', 'none'],
  ['20 20 20 100*', '0+3 like-sizes', '0+3 like-sizes'],
  // Newer like sizes besides a merge to the bottom that is under way.
  ['20 20 20 400* 500*', '0+3 like-sizes', '0+3 like-sizes'],
  ['0', 'none', 'none'],
];

for (const [runs, busy, quiet] of BY_SPACE) {
  test(`for space of [${runs}] picks ${busy} while busy, ${quiet} when quiet`, () => {
    const options = { fanIn: 3, garbagePercentBusy: 100, garbagePercentQuiet: 40 };
    assert.is(told(pickMerges(runsOf(runs), options, false)), busy);
    assert.is(told(pickMerges(runsOf(runs), options, true)), quiet);
  });
}

test('counts what closed snapshots have left behind in the oldest run', () => {
  const options = { fanIn: 3, garbagePercentBusy: 100, garbagePercentQuiet: 40 };
  const left = sized(100, { shadowedCount: 30 });
  assert.is(told(pickMerges([left], options, true)), '0+1 space');
  assert.is(told(pickMerges([left, sized(1000)], options, true)), 'none');
});

const arbitraryRuns = fc.array(
  fc.record({
    sizeBytes: fc.nat(1e9),
    entryCount: fc.nat(1e7),
    tombstoneCount: fc.nat(1e6),
    expiredCount: fc.nat(1e6),
    shadowedCount: fc.nat(1e6),
    isBusy: fc.boolean(),
  }),
  { maxLength: 60 },
);

test('picks disjoint stretches of free neighbours, whatever the runs', () => {
  const share = fc.integer({ min: 1, max: 400 });
  fc.assert(
    fc.property(
      arbitraryRuns,
      fc.integer({ min: 2, max: 16 }),
      share,
      share,
      fc.boolean(),
      (runs, fanIn, garbagePercentBusy, garbagePercentQuiet, isQuiet) => {
        const options = { fanIn, garbagePercentBusy, garbagePercentQuiet };
        const isTaken = runs.map(({ isBusy }) => isBusy);
        const picks = pickMerges(runs, options, isQuiet);
        for (const { from, count, because } of picks) {
          assert.ok(from >= 0 && count >= (because === 'space' ? 1 : fanIn));
          assert.ok(from + count <= runs.length);
          assert.not(isTaken.slice(from, from + count).includes(true));
          isTaken.fill(true, from, from + count);
        }
        const left = picks.reduce((sum, { count }) => sum - count + 1, runs.length);
        const isFree = runs.every(({ isBusy }) => !isBusy);
        if (isFree && picks.length === 0) assert.ok(left <= 4 * fanIn, 'never left alone');
      },
    ),
  );
});

test('has no end of merges to offer for runs that do not change but by merging', () => {
  fc.assert(
    fc.property(arbitraryRuns, fc.integer({ min: 2, max: 8 }), (given, fanIn) => {
      const options = { fanIn, garbagePercentBusy: 100, garbagePercentQuiet: 35 };
      const runs = given.map((each) => ({ ...each, isBusy: false }));
      for (let round = 0; ; round++) {
        assert.ok(round <= 2 * given.length + 2, 'it comes to rest');
        const [pick] = pickMerges(runs, options, true);
        if (pick === undefined) return;
        const inputs = runs.slice(pick.from, pick.from + pick.count);
        runs.splice(pick.from, pick.count, mergedRun(inputs, pick.from + pick.count < runs.length));
      }
    }),
  );
});

/** Nothing replaced anything; what is gone goes where nothing older is left. */
function mergedRun(inputs: readonly RunFigures[], hasOlder: boolean): RunFigures {
  const sum = (value: (each: RunFigures) => number): number =>
    inputs.reduce((total, each) => total + value(each), 0);
  return sized(
    sum(({ sizeBytes }) => sizeBytes),
    {
      entryCount: sum(({ entryCount }) => entryCount),
      tombstoneCount: hasOlder ? sum((each) => each.tombstoneCount + each.expiredCount) : 0,
    },
  );
}

/** Runs → bytes and runs that merges are behind, with fan-in 3 and 100 % garbage. */
const DEBTS: readonly [runs: string, bytes: number, count: number][] = [
  ['', 0, 0],
  ['10 100 1000', 0, 0],
  ['10 10 10 1000', 30, 2],
  ['10* 10* 10* 1000', 30, 2],
  ['10 10 10 10* 10* 10* 1000', 60, 4],
  ['1 500 600 1000', 2101, 3],
  ['10 10 10 600* 1000*', 1630, 3],
  // A run that is rewritten alone has to be read, and does not go away.
  ['1000*', 1000, 0],
];

for (const [runs, bytes, count] of DEBTS) {
  test(`with [${runs}] is behind by ${count} runs, ${bytes} bytes`, () => {
    const options = { fanIn: 3, garbagePercentBusy: 100, garbagePercentQuiet: 40 };
    assert.equal(compactionDebt(runsOf(runs), options), { bytes, runs: count });
  });
}

interface Costs {
  runsMax: number;
  /** Bytes written by merges per byte flushed. */
  amplification: number;
}

/** Flushes one after another, each followed by all merges that are due; nothing is replaced. */
function simulate(flushes: number, fanIn: number, garbage: number, sizeOf: () => number): Costs {
  const options = { fanIn, garbagePercentBusy: garbage, garbagePercentQuiet: garbage };
  const runs: RunFigures[] = [];
  let flushed = 0;
  let written = 0;
  let runsMax = 0;
  for (let i = 0; i < flushes; i++) {
    const size = sizeOf();
    flushed += size;
    runs.unshift(sized(size));
    for (;;) {
      const [pick] = pickMerges(runs, options, false);
      if (pick === undefined) break;
      const merged = mergedRun(runs.slice(pick.from, pick.from + pick.count), false);
      written += merged.sizeBytes;
      runs.splice(pick.from, pick.count, merged);
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
      for (const garbage of [NEVER, 100]) {
        const { runsMax, amplification } = simulate(10_000, fanIn, garbage, sizeOf);
        const told = `${name}, ${garbage} %: ${runsMax} runs, ${amplification.toFixed(2)} times`;
        assert.ok(runsMax <= 4 * fanIn, told);
        // Each merge at least doubles what it merges, or there would be no like sizes.
        assert.ok(amplification <= Math.log2(10_000) + 1, told);
      }
    }
  });
}

test('costs fewer rewrites the more runs it may leave', () => {
  const amplifications = [2, 4, 8].map(
    (fanIn) => simulate(10_000, fanIn, NEVER, () => 100).amplification,
  );
  const [two = 0, four = 0, eight = 0] = amplifications;
  assert.ok(two > four && four > eight, amplifications.join(' > '));
});

run();
