import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import { KvClient } from '../../src/cli/kv-client.js';
import { suite } from '../harness/suite.js';
import { type StoreRig, withStore } from './cli-rig.js';

const { test, run } = suite('KvClient');

function withClient(body: (client: KvClient, rig: StoreRig) => Promise<void>): () => Promise<void> {
  return () =>
    withStore(async (rig) => {
      const client = new KvClient(rig.target, 5000, systemClock.wallMs);
      try {
        await body(client, rig);
      } finally {
        client.close();
      }
    });
}

async function failureOf(promise: Promise<unknown>): Promise<StormError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof StormError) return error;
    throw error;
  }
  throw new Error('The call succeeded');
}

test(
  'stores, reads and removes any bytes under any text',
  withClient(async (client) => {
    const value = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i & 0xff));
    for (const key of ['k', '{p}/ü/頭', 'x'.repeat(3000)]) {
      await client.set(key, value);
      assert.equal(await client.get(key), value);
      await client.delete(key);
      assert.is(await client.get(key), undefined);
    }
    await client.set('empty', Buffer.alloc(0));
    assert.is((await client.get('empty'))?.length, 0);
  }),
);

test(
  'tells versions where asked, writes batches, has workers killed',
  withClient(async (client) => {
    const value = Buffer.from('v');
    const version = await client.setVersioned('k', value);
    assert.is(version, (await client.getVersioned('k'))?.version);
    const entries = [
      { key: '{t}/1', value },
      { key: '{t}/2', value },
    ];
    assert.equal(await client.batchSet(entries), { written: 2, errors: [] });
    await client.killWorker({ kind: 'SHARD', shard: 1 });
  }),
);

test(
  'failures keep their code, message, outcome and hint',
  withClient(async (client, rig) => {
    rig.failure = new StormError('RESOURCE_EXHAUSTED', 'The lane is full', { retryAfterMs: 20 });
    const full = await failureOf(client.set('k', Buffer.from('v')));
    assert.equal(
      [full.code, full.message, full.outcome, full.retryAfterMs],
      ['RESOURCE_EXHAUSTED', 'The lane is full', 'not-applied', 20],
    );
    rig.failure = new StormError('UNAVAILABLE', 'The shard died', { outcome: 'unknown' });
    assert.is((await failureOf(client.delete('k'))).outcome, 'unknown');
  }),
);

test('a write to nobody has an unknown outcome; the target must be HOST:PORT', async () => {
  const client = new KvClient('127.0.0.1:1', 5000, systemClock.wallMs);
  const failure = await failureOf(client.set('k', Buffer.from('v')));
  client.close();
  assert.equal([failure.code, failure.outcome], ['UNAVAILABLE', 'unknown']);
  assert.throws(() => new KvClient('nowhere', 1, systemClock.wallMs), /must be HOST:PORT/);
});

run();
