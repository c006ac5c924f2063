import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.js';
import { TEST_LIMITS } from './fake-cluster.js';
import { type Answer, keyOn, rig, sendGets, set } from './operations-rig.js';

const { test, run } = suite('batch get');
const A = keyOn(0, 1);
const B = keyOn(1, 2);

function texts(answer: Answer<readonly ({ value: Buffer; sequence: number } | undefined)[]>) {
  return answer.value?.map((result) => result && `${result.value}@${result.sequence}`);
}

test('answers in the order of the keys, with versions, twice where asked twice', () => {
  const house = rig();
  set(house, A, 'a');
  set(house, B, 'b');
  set(house, B, 'b2');
  const answer = sendGets(house, [B, 'absent', A, B]);
  house.cluster.settle();
  assert.equal([answer.times, answer.error], [1, undefined]);
  assert.equal(texts(answer), ['b2@2', undefined, 'a@1', 'b2@2']);
});

test('no keys are answered at once', () => {
  assert.equal(sendGets(rig(), []), { error: undefined, value: [], times: 1 });
});

test('puts values together that come in several frames and asks in several', () => {
  const house = rig({ limits: { batchBytesMax: 100_000 } });
  for (const shard of house.cluster.shards) shard.pageEntriesMax = 3;
  const keys = Array.from({ length: 60 }, (_, i) => `key-${i}-${'x'.repeat(40)}`);
  for (const key of keys) set(house, key, `of ${key}`);
  const answer = sendGets(house, keys);
  house.cluster.settle();
  assert.equal(
    answer.value?.map((result) => result?.value.toString()),
    keys.map((key) => `of ${key}`),
  );
  assert.is(house.cluster.router.status().inFlight, 0);
});

test('refuses too many keys, wrong keys and a passed deadline', () => {
  const house = rig();
  const many = Array.from({ length: TEST_LIMITS.batchEntriesMax + 1 }, (_, i) => `k${i}`);
  assert.is(sendGets(house, many).error?.code, 'INVALID_ARGUMENT');
  for (const key of ['', 'k'.repeat(TEST_LIMITS.keyBytesMax + 1), Uint8Array.of(0xff)]) {
    const answer = sendGets(house, ['fine', key]);
    assert.is(answer.error?.code, 'INVALID_ARGUMENT');
    assert.match(answer.error?.message ?? '', /^Key 1: /);
  }
  assert.is(sendGets(house, [A], 0).error?.code, 'DEADLINE_EXCEEDED');
});

test('values of more bytes than the limit are refused, not gathered', () => {
  const house = rig();
  const wide = 'v'.repeat(TEST_LIMITS.valueBytesMax);
  const keys = [1, 2, 3, 4].map((n) => keyOn(n % 2, n));
  for (const key of keys) set(house, key, wide);
  const answer = sendGets(house, keys);
  house.cluster.settle();
  assert.equal([answer.times, answer.error?.code], [1, 'INVALID_ARGUMENT']);
  assert.match(answer.error?.message ?? '', /fewer keys/);
});

test('one shard that fails fails the call, once', () => {
  const house = rig();
  house.cluster.shard(0).isHeld = true;
  house.cluster.shard(1).isHeld = true;
  const answer = sendGets(house, [A, B]);
  house.cluster.router.flush();
  house.cluster.router.shardDown(0, 'it died');
  house.cluster.router.shardDown(1, 'it died too');
  assert.equal([answer.times, answer.error?.code], [1, 'UNAVAILABLE']);
  assert.is(answer.error?.outcome, 'not-applied');
  const later = sendGets(house, [A]);
  assert.is(later.error?.code, 'UNAVAILABLE');
});

run();
