/**
 * The whole service by seed: storms, kills, disk faults, power losses, slow peers; see test/sim.
 * Runs as many of the seeds as fit into its time and says how many. A seed that fails is named,
 * with the commit and the command that replays it.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.js';
import { runSeeds } from '../sim/run-seeds.js';
import { simulate } from '../sim/simulation.js';

const { test, run } = suite('Simulation');
const FROM = Number(process.env['SIM_FROM'] ?? 1);
const SEEDS = Number(process.env['SIM_SEEDS'] ?? 500);
const SECONDS_MAX = Number(process.env['SIM_SECONDS'] ?? 120);
const OPERATIONS = Number(process.env['SIM_OPERATIONS'] ?? 5000);
const MAIN = fileURLToPath(new URL('../sim/main.js', import.meta.url));
const REPLAY_OPERATIONS = 1000;

test('a seed gives exactly the same run again, also in another process', async () => {
  for (const seed of [3, 9, 12]) {
    const first = await simulate(seed, { operations: REPLAY_OPERATIONS });
    const again = await simulate(seed, { operations: REPLAY_OPERATIONS });
    assert.equal(again, first);
    const args = [MAIN, '--seed', String(seed), '--operations', String(REPLAY_OPERATIONS)];
    const elsewhere: unknown = JSON.parse(execFileSync(process.execPath, args).toString());
    assert.equal(elsewhere, JSON.parse(JSON.stringify(first)));
  }
});

test('neighbouring seeds give other runs', async () => {
  const digests = new Set<string>();
  for (let seed = 1; seed <= 5; seed++) {
    digests.add((await simulate(seed, { operations: 200 })).digest);
  }
  assert.is(digests.size, 5);
});

test(
  'nothing that was answered turns out untrue, and what is healed serves again',
  async () => {
    const total = await runSeeds(FROM, FROM + SEEDS - 1, {
      operations: OPERATIONS,
      secondsMax: SECONDS_MAX,
    });
    assert.equal(total.failures, []);
    if (total.seeds < SEEDS) console.log(`${total.seeds} of ${SEEDS} seeds fitted into the time`);
    assert.ok(total.seeds > 0);
  },
  SECONDS_MAX * 1000 + 120_000,
);

run();
