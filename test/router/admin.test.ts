import * as assert from 'uvu/assert';
import type { StormError } from '../../src/base/errors.js';
import { Admin } from '../../src/router/admin.js';
import { SupervisorCalls } from '../../src/router/supervisor-calls.js';
import type { ClusterStats } from '../../src/rpc/admin-operations.js';
import { clusterStats, shardSituation } from '../harness/fake-admin.js';
import { ManualClock } from '../harness/manual-clock.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Admin');

function makeRig() {
  const supervisor = new SupervisorCalls(new ManualClock(), () => {});
  const outcomes: [StormError | undefined, ClusterStats | undefined][] = [];
  const admin = new Admin(supervisor);
  admin.stats(Infinity, (...outcome) => outcomes.push(outcome));
  return { supervisor, outcomes };
}

test('passes on the figures of the main thread', () => {
  const { supervisor, outcomes } = makeRig();
  const expected = clusterStats([shardSituation(0), shardSituation(1)]);
  supervisor.answered(1, { kind: 'stats', stats: expected });
  const [error, stats] = outcomes[0] ?? [];
  assert.is(error, undefined);
  assert.is(stats, expected);
});

test('passes on why there are no figures', () => {
  const { supervisor, outcomes } = makeRig();
  supervisor.answered(1, { kind: 'failed', code: 'INTERNAL', message: 'no disk' });
  assert.is(outcomes[0]?.[0]?.message, 'no disk');
  assert.is(outcomes[0]?.[1], undefined);
});

test('passes on whom to kill, and how that went', () => {
  const asked: unknown[] = [];
  const supervisor = new SupervisorCalls(new ManualClock(), (_, question) => asked.push(question));
  const admin = new Admin(supervisor);
  const outcomes: (string | undefined)[] = [];
  const victim = { kind: 'shard', shard: 2 } as const;
  for (let i = 0; i < 2; i++) {
    admin.killWorker(victim, Infinity, (error) => outcomes.push(error?.message));
  }
  supervisor.answered(1, { kind: 'kill' });
  supervisor.answered(2, { kind: 'failed', code: 'FAILED_PRECONDITION', message: 'chaos is off' });
  assert.equal(asked, [
    { kind: 'kill', victim },
    { kind: 'kill', victim },
  ]);
  assert.equal(outcomes, [undefined, 'chaos is off']);
});

run();
