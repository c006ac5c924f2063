/**
 * `stormkv chaos` on a server of its own: kills, lost power, full disks and failed syncs under
 * load, and the question whether any order of the calls explains what every client was told. Then
 * the same on servers with a planted bug, which it must find.
 *
 * For long runs:
 * RIG_KILLS, RIG_HISTORIES: at least so many of each. RIG_SEED: of the first run; each run of
 * RIG_RUN_HISTORIES histories has the next seed, so that a long run can be continued.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/base/system-clock.js';
import { attackOwn, type Setting } from '../../src/chaos/attack.js';
import { jsonOf } from '../../src/chaos/chaos-result.js';
import type { FaultKind } from '../../src/chaos/faults.js';
import type { ChaosResult } from '../../src/chaos/run-chaos.js';
import { type Edit, removeStaleCopies, withEditedBuild } from '../harness/mutants.js';
import { PLANTED_BUGS } from '../harness/planted-bugs.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('Chaos');
const KILLS = Number(process.env['RIG_KILLS'] ?? 30);
const HISTORIES = Number(process.env['RIG_HISTORIES'] ?? 20);
const RUN_HISTORIES = Number(process.env['RIG_RUN_HISTORIES'] ?? 20);
const SEED = Number(process.env['RIG_SEED'] ?? Date.now() % 1_000_000);
const OPERATIONS = 5000;
const HAS_COMPILER = spawnSync('cc', ['--version']).status === 0;

function setting(changes: Partial<Setting>): Setting {
  let histories = 0;
  return {
    seed: SEED,
    kills: Number.POSITIVE_INFINITY,
    durationMs: Number.POSITIVE_INFINITY,
    operations: OPERATIONS,
    faultsPerHistory: 2,
    clients: 32,
    clock: systemClock,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    isInterrupted: () => histories >= RUN_HISTORIES,
    onView: () => {},
    onRound: ({ round }) => {
      histories = round;
    },
    ...changes,
  };
}

function attack(changes: Partial<Setting>, script?: string): Promise<ChaosResult> {
  const says: string[] = [];
  const result = withTempDir((dir) => {
    const world = { dir, shardCount: 3, env: process.env, say: (line: string) => says.push(line) };
    return attackOwn(
      { ...world, ...(script === undefined ? {} : { script }) },
      'rig',
      setting(changes),
    );
  });
  return result.then((found) => {
    if (says.length > 0) console.log(says.join('\n'));
    return found;
  });
}

function textsOf({ violations, seed }: ChaosResult): string[] {
  return violations.map(({ invariant, text }) => `${invariant}: ${text} (seed ${seed})`);
}

test(
  `breaks no promise in ${KILLS} kills and ${HISTORIES} histories of ${OPERATIONS} operations`,
  async () => {
    const sum = {
      runs: 0,
      kills: 0,
      faults: 0,
      histories: 0,
      operations: 0,
      acknowledged: 0,
      unknown: 0,
    };
    const kinds: Record<string, number> = {};
    let [ms, judgingMs] = [0, 0];
    for (let seed = SEED; sum.kills < KILLS || sum.histories < HISTORIES; seed++) {
      const result = await attack({ seed });
      assert.equal(textsOf(result).slice(0, 10), []);
      const { timeline, histories, kills, operations, acknowledged } = result;
      sum.runs++;
      sum.kills += kills;
      sum.faults += timeline.faults.length;
      sum.histories += histories;
      sum.operations += operations;
      sum.acknowledged += acknowledged;
      sum.unknown += timeline.total.unknown;
      for (const { kind } of timeline.faults) kinds[kind] = (kinds[kind] ?? 0) + 1;
      ms += result.elapsedMs;
      judgingMs += result.judgingMs;
      const longest = (jsonOf(result) as { faults: object[] }).faults;
      console.log(JSON.stringify({ seed, kills, histories, longest }));
    }
    const lost = 0;
    const bound = { lostPerKillAtMost: Number((3 / sum.kills).toPrecision(2)) };
    const { runs, kills, faults, acknowledged, unknown, histories, operations } = sum;
    const share = { seed: SEED, runs, seconds: Math.round(ms / 1000) };
    const counts = { kills, faults, kinds, acknowledged, unknown, lost };
    console.log(`RIG process-chaos ${JSON.stringify({ ...share, ...counts, ...bound })}`);
    const judging = { judgingMs: Math.round(judgingMs), undecided: 0, violations: 0 };
    console.log(
      `RIG linearizability ${JSON.stringify({ ...share, histories, operations, ...judging })}`,
    );
    assert.ok(operations >= HISTORIES * OPERATIONS, `${operations} operations`);
    assert.ok(acknowledged > operations / 4, `${acknowledged} acknowledged`);
    assert.ok(unknown > kills / 4, 'the kills hit writes in flight');
  },
  Math.max(300_000, KILLS * 20_000),
);

interface Planted {
  title: string;
  edits: readonly Edit[];
  only?: readonly FaultKind[];
  because: RegExp;
}

const ACK_BEFORE_SYNC = PLANTED_BUGS.find(({ title }) => title === 'acknowledging before the sync');

/** The sync comes some turns later, so that a power loss surely finds something in between. */
const LATE_SYNC = (ACK_BEFORE_SYNC?.edits ?? []).map((edit) => ({
  ...edit,
  replace: edit.replace.replace(
    'this.#wal.requestSync();',
    'if (Math.random() < 0.1) this.#wal.requestSync();',
  ),
}));

const PLANTED: readonly Planted[] = [
  {
    title: 'acknowledges before the sync',
    edits: LATE_SYNC,
    only: ['power-loss'],
    because: /^(lost|order|version|resurrected): /,
  },
  {
    title: 'answers stale reads at times',
    edits: [
      {
        file: 'src/shard/mem-table-stack.js',
        find: 'if (active !== undefined && active.entryCount > 0)',
        replace: 'if (active !== undefined && active.entryCount > 0 && Math.random() < 0.99)',
      },
    ],
    because: /^(lost|order|resurrected|version|torn-batch): /,
  },
];

removeStaleCopies();

for (const { title, edits, only, because } of PLANTED) {
  test(
    `finds a server that ${title}`,
    () =>
      withEditedBuild(edits, async (build) => {
        assert.ok(edits.length > 0);
        if (only !== undefined && !HAS_COMPILER) {
          console.log('Skipped: power cannot be lost without a C compiler');
          return;
        }
        let violations = 0;
        const result = await attack(
          {
            operations: 1000,
            only,
            isInterrupted: () => violations > 0,
            onRound: (view) => {
              violations = view.violations;
            },
            durationMs: 60_000,
          },
          join(build, 'src/cli/stormkv.js'),
        );
        const texts = textsOf(result);
        const { kills, histories, elapsedMs } = result;
        const found = { violations: texts.length, kills, histories, ms: Math.round(elapsedMs) };
        console.log(JSON.stringify({ planted: title, ...found, first: texts[0] }));
        assert.ok(texts.length > 0, 'the bug was not found');
        assert.match(texts[0] ?? '', because);
      }),
    120_000,
  );
}

run();
