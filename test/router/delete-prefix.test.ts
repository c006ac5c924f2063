import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { deletePageBytes } from '../../src/router/delete-prefix.js';
import { suite } from '../harness/suite.js';
import { TEST_LIMITS } from './fake-cluster.js';
import { deletePrefix, type Rig, rig, set, settleAll, value } from './operations-rig.js';

const { test, run } = suite('delete by prefix');

function filled(count: number): Rig {
  const house = rig();
  for (let i = 0; i < count; i++) set(house, `a/${i}`, 'v');
  set(house, 'b', 'stays');
  set(house, 'a', 'stays');
  return house;
}

test('counts without deleting, then deletes what it counted, and no more', async () => {
  const house = filled(300);
  const dry = deletePrefix(house, 'a/', true);
  await settleAll(house);
  assert.equal([dry.error, dry.value], [undefined, 300]);
  assert.is(value(house, 'a/7'), 'v');
  const real = deletePrefix(house, 'a/', false);
  await settleAll(house);
  assert.equal([real.error, real.value], [undefined, 300]);
  assert.equal(
    [value(house, 'a/7'), value(house, 'a'), value(house, 'b')],
    [undefined, 'stays', 'stays'],
  );
  const again = deletePrefix(house, 'a/', false);
  await settleAll(house);
  assert.is(again.value, 0);
});

test('refuses an empty prefix and one that is too long', () => {
  const house = filled(1);
  for (const prefix of ['', 'p'.repeat(TEST_LIMITS.keyBytesMax + 1)]) {
    const answer = deletePrefix(house, prefix, false);
    assert.equal([answer.times, answer.error?.code], [1, 'INVALID_ARGUMENT']);
  }
});

test('a failure says how many had been deleted, and whether more may have been', async () => {
  const house = filled(300);
  const answer = deletePrefix(house, 'a/', false);
  house.cluster.settle();
  await Promise.resolve();
  house.cluster.shard(0).failWith = new StormError('UNAVAILABLE', 'poisoned', {
    outcome: 'unknown',
  });
  await settleAll(house);
  assert.is(answer.times, 1);
  assert.is(answer.error?.code, 'UNAVAILABLE');
  assert.ok((answer.value ?? 0) > 0 && (answer.value ?? 0) < 300);
  assert.match(answer.error?.message ?? '', new RegExp(`${answer.value} keys were deleted before`));
  const left = [...Array(300).keys()].filter((i) =>
    house.cluster.shards.some((s) => s.data.has(`a/${i}`)),
  );
  assert.is(left.length, 300 - (answer.value ?? 0));
});

test('a page of deletes always fits into a batch', () => {
  const limits = { ...TEST_LIMITS, keyBytesMax: 4096, batchBytesMax: 4 * 1024 * 1024 };
  assert.is(deletePageBytes({ ...limits, batchEntriesMax: 10_000 }), 10_000);
  assert.is(deletePageBytes({ ...limits, batchEntriesMax: 100_000 }), 16 * 1024);
  assert.is(deletePageBytes({ ...limits, batchEntriesMax: 1 }), 1);
  assert.is(deletePageBytes({ ...limits, batchEntriesMax: 10_000, batchBytesMax: 4200 }), 19);
});

run();
