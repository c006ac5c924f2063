/**
 * Every bug here would lose or corrupt data, and most are ones that other stores have had. They are
 * planted in a copy of the compiled program, one at a time, and the named test must fail because of
 * it; without the bug the same test must pass. A bug that survives means a test that looks away.
 *
 * Of three commits in a row each plants another third of them; PLANTED_SHARE=all plants all.
 */
import { execFileSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { checkFit, removeStaleCopies, runWithEdits, type Verdict } from '../harness/mutants.js';
import { PLANTED_BUGS, type PlantedBug } from '../harness/planted-bugs.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Planted bug');
const WIDTH = 2;
const RUN_MS_MAX = 200_000;
/** Part of a title: plants only those bugs. */
const ONLY = process.env['PLANTED_BUG'] ?? '';
const THIRDS = 3;

interface Trial {
  title: string;
  start: () => Promise<Verdict>;
  judge: (verdict: Verdict) => void;
}

function trialOf({ title, edits, foundBy, because }: PlantedBug): Trial {
  return {
    title: `${title}: found by ${foundBy.test}`,
    start: () => untilFound(() => runWithEdits(edits, foundBy), isByChance(foundBy.test)),
    judge({ passed, output }) {
      const skipped = /skipped: .*/.exec(output);
      if (skipped !== null) {
        console.log(skipped[0]);
        return;
      }
      assert.not(passed, `the bug survives; the test said:\n${startOf(output)}`);
      const isFound = because.test(output);
      assert.ok(isFound, `the test fails, but for another reason:\n${startOf(output)}`);
    },
  };
}

/** A rig on real threads and a real disk meets a bug only when its timing is right. */
function isByChance(test: string): boolean {
  return test.startsWith('test/rigs/');
}

/** One run; of a test that finds by chance up to three, as long as it finds nothing. */
async function untilFound(plant: () => Promise<Verdict>, byChance: boolean): Promise<Verdict> {
  let verdict = await plant();
  for (let left = byChance ? 2 : 0; left > 0 && verdict.passed; left--) verdict = await plant();
  return verdict;
}

function startOf(output: string): string {
  return output.slice(0, 2000);
}

/** Each test once without a bug. */
function controls(bugs: readonly PlantedBug[]): Trial[] {
  const runs = new Map(bugs.map(({ foundBy }) => [JSON.stringify(foundBy), foundBy]));
  return [...runs.values()].map((foundBy) => ({
    title: `without any, ${foundBy.test} passes`,
    start: () => runWithEdits([], foundBy),
    judge: ({ passed, output }) => assert.ok(passed, startOf(output)),
  }));
}

/** Some run at a time, in order, ahead of the tests that wait for them. */
function startAll(trials: readonly Trial[]): Promise<Verdict>[] {
  const lanes: Promise<unknown>[] = Array.from({ length: WIDTH }, () => Promise.resolve());
  return trials.map(({ start }, i) => {
    const verdict = (lanes[i % WIDTH] ?? Promise.resolve()).then(start);
    lanes[i % WIDTH] = verdict.catch(() => {});
    return verdict;
  });
}

/** Which third this commit plants; undefined = all. */
function thirdOf(): number | undefined {
  if (ONLY !== '' || process.env['PLANTED_SHARE'] === 'all') return undefined;
  try {
    const count = execFileSync('git', ['rev-list', '--count', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return Number(count) % THIRDS;
  } catch {
    // Not a repository: there are no commits to take turns.
    return undefined;
  }
}

removeStaleCopies();
const third = thirdOf();
const bugs = PLANTED_BUGS.filter(
  ({ title }, i) => title.includes(ONLY) && (third === undefined || i % THIRDS === third),
);
assert.ok(bugs.length > 0, 'there is a bug to plant');
console.log(`RIG mutants {"planted":${bugs.length},"of":${PLANTED_BUGS.length}}`);
const trials = [...controls(bugs), ...bugs.map(trialOf)];
const verdicts = startAll(trials);
// Those whose turn it is not, too.
test('each fits the program in one place', () => {
  for (const { edits } of PLANTED_BUGS) checkFit(edits);
});
trials.forEach(({ title, judge }, i) => {
  test(
    title,
    async () => {
      const verdict = await verdicts[i];
      assert.ok(verdict !== undefined);
      judge(verdict);
    },
    RUN_MS_MAX,
  );
});

run();
