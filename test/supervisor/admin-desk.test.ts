import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import type { Victim } from '../../src/rpc/admin-operations.js';
import { answerAdmin } from '../../src/supervisor/admin-desk.js';
import { clusterStats } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('admin-desk');

const REPORT = { applied: [], needRestart: [], securityChanged: false, securityError: '' };
const QUIET = { isChaosAllowed: false, killWorker: async () => {}, reload: () => REPORT };

function failing(error: Error) {
  return answerAdmin(
    { kind: 'stats' },
    {
      ...QUIET,
      adminStats: () => {
        throw error;
      },
    },
  );
}

test('answers with the situation of the cluster', async () => {
  const stats = clusterStats([]);
  const answer = await answerAdmin({ kind: 'stats' }, { ...QUIET, adminStats: () => stats });
  assert.equal(answer, { kind: 'stats', stats });
});

test('answers with what went wrong, and does not reject', async () => {
  assert.equal(await failing(new StormError('UNAVAILABLE', 'the disk is away')), {
    kind: 'failed',
    code: 'UNAVAILABLE',
    message: 'the disk is away',
  });
  assert.equal(await failing(new Error('EIO')), {
    kind: 'failed',
    code: 'INTERNAL',
    message: 'EIO',
  });
});

test('has the configuration read again, and passes on its faults', async () => {
  const adminStats = () => clusterStats([]);
  const report = { ...REPORT, applied: ['writeBucket.rate'] };
  const good = { ...QUIET, adminStats, reload: () => report };
  assert.equal(await answerAdmin({ kind: 'reload' }, good), { kind: 'reload', report });
  const bad = {
    ...good,
    reload: () => {
      throw new StormError('INVALID_ARGUMENT', 'kv.config.json has 2 faults');
    },
  };
  const answer = await answerAdmin({ kind: 'reload' }, bad);
  assert.ok(answer.kind === 'failed' && answer.code === 'INVALID_ARGUMENT');
});

test('kills a worker only where chaos is allowed, and says how to allow it', async () => {
  const killed: Victim[] = [];
  const source = {
    ...QUIET,
    adminStats: () => clusterStats([]),
    killWorker: async (victim: Victim) => {
      killed.push(victim);
      if (victim.kind === 'shard') throw new StormError('INVALID_ARGUMENT', 'There is no shard 9');
    },
  };
  const kill = (victim: Victim, isChaosAllowed: boolean) =>
    answerAdmin({ kind: 'kill', victim }, { ...source, isChaosAllowed });
  const refusal = await kill({ kind: 'merger' }, false);
  assert.ok(refusal.kind === 'failed' && refusal.code === 'FAILED_PRECONDITION');
  assert.match(refusal.message, /STORMKV_ADMIN_CHAOS=true/);
  assert.equal(killed, []);
  assert.equal(await kill({ kind: 'merger' }, true), { kind: 'kill' });
  const answer = await kill({ kind: 'shard', shard: 9 }, true);
  assert.is(answer.kind === 'failed' && answer.message, 'There is no shard 9');
  assert.equal(killed, [{ kind: 'merger' }, { kind: 'shard', shard: 9 }]);
});

run();
