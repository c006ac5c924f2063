import * as assert from 'uvu/assert';
import { TTL_MS_MAX } from '../../src/base/entry-run.js';
import { StormError } from '../../src/base/errors.js';
import { VersionConflict } from '../../src/base/version-conflict.js';
import { suite } from '../harness/suite.js';
import { del, expire, rig, set, ttl, value } from './operations-rig.js';

const { test, run } = suite('conditions and expiry of one key');

test('set and delete hold to the version that they name', () => {
  const house = rig();
  const first = set(house, 'k', '1', { ifVersion: 0 });
  assert.is(first.error, undefined);
  const again = set(house, 'k', '2', { ifVersion: 0 });
  assert.instance(again.error, VersionConflict);
  assert.equal([again.error?.code, again.error?.outcome], ['ABORTED', 'not-applied']);
  assert.is((again.error as VersionConflict).version, first.value);
  const second = set(house, 'k', '2', { ifVersion: first.value });
  assert.ok((second.value ?? 0) > (first.value ?? 0));
  assert.instance(del(house, 'k', first.value).error, VersionConflict);
  assert.is(value(house, 'k'), '2');
  assert.is(del(house, 'k', second.value).error, undefined);
  const gone = set(house, 'k', '3', { ifVersion: second.value });
  assert.is((gone.error as VersionConflict).version, 0);
  assert.match(gone.error?.message ?? '', /has no value now/);
});

test('refuses versions and durations that cannot be', () => {
  const house = rig();
  for (const ifVersion of [-1, 0.5, 2 ** 53, Number.NaN]) {
    assert.is(set(house, 'k', 'v', { ifVersion }).error?.code, 'INVALID_ARGUMENT');
    assert.is(del(house, 'k', ifVersion).error?.code, 'INVALID_ARGUMENT');
  }
  for (const ttlMs of [-1, 0.5, TTL_MS_MAX + 1, Number.NaN]) {
    assert.is(set(house, 'k', 'v', { ttlMs }).error?.code, 'INVALID_ARGUMENT');
    assert.is(expire(house, 'k', ttlMs).error?.code, 'INVALID_ARGUMENT');
  }
  assert.is(ttl(house, '').error?.code, 'INVALID_ARGUMENT');
  assert.is(value(house, 'k'), undefined);
});

test('a value expires after its time, which can be asked, changed and taken away', () => {
  const house = rig({ shardCount: 1 });
  const shard = house.cluster.shard(0);
  set(house, 'k', 'v', { ttlMs: 1000 });
  shard.nowMs += 400;
  assert.equal(ttl(house, 'k').value, { sequence: 1, remainingMs: 600 });
  assert.is(expire(house, 'k', 5000).value, 2);
  shard.nowMs += 4999;
  assert.equal(ttl(house, 'k').value, { sequence: 2, remainingMs: 1 });
  assert.is(expire(house, 'k', 0).value, 3);
  assert.equal(ttl(house, 'k').value, { sequence: 3, remainingMs: 0 });
  shard.nowMs += 1_000_000;
  assert.is(value(house, 'k'), 'v');
  set(house, 'k', 'v', { ttlMs: 1, ifVersion: 3 });
  shard.nowMs += 1;
  assert.is(value(house, 'k'), undefined);
  assert.equal([ttl(house, 'k').times, ttl(house, 'k').value], [1, undefined]);
  assert.equal([expire(house, 'k', 1).error, expire(house, 'k', 1).value], [undefined, 0]);
});

test('failures of the shard come through, writes with their outcome', () => {
  const house = rig({ shardCount: 1 });
  const failure = new StormError('UNAVAILABLE', 'poisoned', { outcome: 'unknown' });
  house.cluster.shard(0).failWith = failure;
  assert.is(set(house, 'k', 'v', { ifVersion: 0 }).error?.outcome, 'unknown');
  assert.is(expire(house, 'k', 5).error?.code, 'UNAVAILABLE');
  assert.is(ttl(house, 'k').error?.code, 'UNAVAILABLE');
  house.cluster.router.shardDown(0, 'it died');
  assert.is(expire(house, 'k', 5).error?.outcome, 'not-applied');
  assert.is(ttl(house, 'k').error?.code, 'UNAVAILABLE');
});

run();
