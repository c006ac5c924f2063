import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { answerAdmin } from '../../src/supervisor/admin-desk.js';
import { clusterSituation } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('admin-desk');

function failing(error: Error) {
  return answerAdmin(
    { kind: 'stats' },
    {
      situation: () => {
        throw error;
      },
    },
  );
}

test('answers with the situation of the cluster', async () => {
  const situation = clusterSituation([]);
  const answer = await answerAdmin({ kind: 'stats' }, { situation: () => situation });
  assert.equal(answer, { kind: 'stats', situation });
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

run();
