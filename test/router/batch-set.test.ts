import * as assert from 'uvu/assert';
import { TTL_MS_MAX } from '../../src/base/entry-run.js';
import { StormError } from '../../src/base/errors.js';
import { VersionConflict } from '../../src/base/version-conflict.js';
import { suite } from '../harness/suite.js';
import { TEST_LIMITS } from './fake-cluster.js';
import { keyOn, rig, runOf, sendBatch, set, value } from './operations-rig.js';

const { test, run } = suite('BatchSet');
const A = keyOn(0, 1);
const A2 = keyOn(0, 2);
const B = keyOn(1, 3);

test('writes puts, deletes and expiring puts to their shards, one frame each', () => {
  const house = rig();
  set(house, A2, 'old');
  const answer = sendBatch(
    house,
    runOf([
      [A, 'a'],
      [B, 'b', 5000],
      [A2, undefined],
    ]),
  );
  assert.is(answer.times, 0);
  house.cluster.settle();
  assert.equal(answer, { error: undefined, value: { written: 3, errors: [] }, times: 1 });
  assert.equal([value(house, A), value(house, B), value(house, A2)], ['a', 'b', undefined]);
  const [first, second] = house.cluster.shards;
  assert.equal([first?.writesServed, second?.writesServed], [2, 1]);
  assert.is(second?.data.get(B)?.expiresAtMs, (second?.nowMs ?? 0) + 5000);
});

test('keeps the order of entries with the same key', () => {
  const house = rig();
  sendBatch(
    house,
    runOf([
      [A, '1'],
      [B, 'x'],
      [A, '2'],
      [A, undefined],
      [A, '3'],
    ]),
  );
  house.cluster.settle();
  assert.is(value(house, A), '3');
});

test('an empty batch is written at once', () => {
  const answer = sendBatch(rig(), runOf([]));
  assert.equal(answer, { error: undefined, value: { written: 0, errors: [] }, times: 1 });
});

test("a wrong entry keeps its shard's part from being written, and no other part", () => {
  const house = rig();
  const long = 'v'.repeat(TEST_LIMITS.valueBytesMax + 1);
  const answer = sendBatch(
    house,
    runOf([
      [B, 'b'],
      [A, 'a'],
      [A2, long],
    ]),
  );
  house.cluster.settle();
  assert.is(answer.value?.written, 1);
  const [other, culprit] = answer.value?.errors ?? [];
  assert.equal([other?.index, other?.error.code], [1, 'ABORTED']);
  assert.match(other?.error.message ?? '', /because of entry 2/);
  assert.equal([culprit?.index, culprit?.error.code], [2, 'INVALID_ARGUMENT']);
  assert.equal([value(house, A), value(house, B)], [undefined, 'b']);
});

test('names empty keys, long keys and keys that are not UTF-8', () => {
  for (const key of ['', 'k'.repeat(TEST_LIMITS.keyBytesMax + 1), Uint8Array.of(0xff)]) {
    const house = rig({ shardCount: 1 });
    const answer = sendBatch(
      house,
      runOf([
        ['x', 'v'],
        [key, 'v'],
      ]),
    );
    assert.is(answer.value?.written, 0);
    assert.equal(
      answer.value?.errors.map(({ index, error }) => [index, error.code]),
      [
        [0, 'ABORTED'],
        [1, 'INVALID_ARGUMENT'],
      ],
    );
  }
});

test('refuses a malformed run, too many entries and a passed deadline as a whole', () => {
  const house = rig();
  const many = Array.from({ length: TEST_LIMITS.batchEntriesMax + 1 }, (_, i): [string, string] => [
    `k${i}`,
    '',
  ]);
  const whole: [Uint8Array, number, string, RegExp][] = [
    [new Uint8Array(0), Infinity, 'INVALID_ARGUMENT', /Malformed entry run/],
    [Uint8Array.of(9), Infinity, 'INVALID_ARGUMENT', /format/],
    [runOf([[A, 'a']]).slice(0, -1), Infinity, 'INVALID_ARGUMENT', /ends within/],
    [runOf([[A, 'a', TTL_MS_MAX + 1]]), Infinity, 'INVALID_ARGUMENT', /time to live/],
    [runOf(many), Infinity, 'INVALID_ARGUMENT', /limits.batchEntriesMax/],
    [runOf([[A, 'a']]), 0, 'DEADLINE_EXCEEDED', /deadline/],
  ];
  for (const [bytes, timeoutMs, code, pattern] of whole) {
    const answer = sendBatch(house, bytes, [], timeoutMs);
    assert.equal([answer.times, answer.error?.code], [1, code]);
    assert.match(answer.error?.message ?? '', pattern);
    assert.is(answer.error?.outcome, 'not-applied');
  }
  house.cluster.settle();
  assert.is(house.cluster.shard(0).data.size + house.cluster.shard(1).data.size, 0);
});

test('a part that is too long for its shard is refused, others are written', () => {
  const house = rig();
  const wide = 'v'.repeat(TEST_LIMITS.valueBytesMax);
  const answer = sendBatch(
    house,
    runOf([
      [A, wide],
      [A2, wide],
      [keyOn(0, 9), wide],
      [B, 'b'],
    ]),
  );
  house.cluster.settle();
  assert.is(answer.value?.written, 1);
  assert.equal(
    answer.value?.errors.map(({ index }) => index),
    [0, 1, 2],
  );
  assert.match(answer.value?.errors[0]?.error.message ?? '', /limits.batchBytesMax.*in parts/);
});

test('conditions hold for a whole part or keep it out, with the version now', () => {
  const house = rig();
  const version = set(house, A, 'old').value ?? 0;
  const entries = runOf([
    [B, 'b'],
    [A, 'new'],
    [A2, 'x'],
  ]);
  const wrong = sendBatch(house, entries, [
    { index: 1, version: version + 1 },
    { index: 2, version: 0 },
  ]);
  house.cluster.settle();
  assert.is(wrong.value?.written, 1);
  const [conflict, other] = wrong.value?.errors ?? [];
  assert.is(conflict?.index, 1);
  const error = conflict?.error;
  assert.ok(error instanceof VersionConflict, 'the refusal tells the version');
  assert.is(error.version, version);
  assert.equal([other?.index, other?.error.code], [2, 'ABORTED']);
  assert.equal([value(house, A), value(house, A2)], ['old', undefined]);

  const right = sendBatch(house, entries, [
    { index: 1, version },
    { index: 2, version: 0 },
  ]);
  house.cluster.settle();
  assert.equal(right.value, { written: 3, errors: [] });
  assert.is(value(house, A), 'new');
});

test('refuses conditions that name no entry, fall back or have no version', () => {
  const house = rig();
  const bytes = runOf([
    [A, 'a'],
    [B, 'b'],
  ]);
  for (const conditions of [
    [{ index: 2, version: 1 }],
    [{ index: -1, version: 1 }],
    [{ index: 0, version: -1 }],
    [{ index: 0, version: 0.5 }],
    [
      { index: 1, version: 1 },
      { index: 1, version: 1 },
    ],
  ]) {
    const answer = sendBatch(house, bytes, conditions);
    assert.equal([answer.times, answer.error?.code], [1, 'INVALID_ARGUMENT']);
  }
});

test('tells unknown outcomes from writes that were never sent', () => {
  const house = rig();
  house.cluster.shard(0).isHeld = true;
  const answer = sendBatch(
    house,
    runOf([
      [A, 'a'],
      [B, 'b'],
    ]),
  );
  house.cluster.settle();
  assert.is(answer.times, 0);
  house.cluster.router.shardDown(0, 'it died');
  assert.is(answer.value?.written, 1);
  assert.equal(
    answer.value?.errors.map(({ index, error }) => [index, error.code, error.outcome]),
    [[0, 'UNAVAILABLE', 'unknown']],
  );
  const later = sendBatch(
    house,
    runOf([
      [A, 'a'],
      [B, 'b'],
    ]),
  );
  house.cluster.settle();
  assert.equal(
    later.value?.errors.map(({ index, error }) => [index, error.code, error.outcome]),
    [[0, 'UNAVAILABLE', 'not-applied']],
  );
});

test('a deadline leaves what has not been answered unknown', () => {
  const house = rig();
  house.cluster.shard(0).isHeld = true;
  const answer = sendBatch(
    house,
    runOf([
      [A, 'a'],
      [B, 'b'],
    ]),
    [],
    50,
  );
  house.cluster.settle();
  house.clock.nowMs += 50;
  house.cluster.router.sweep();
  assert.is(answer.value?.written, 1);
  const [late] = answer.value?.errors ?? [];
  assert.equal([late?.error.code, late?.error.outcome], ['DEADLINE_EXCEEDED', 'unknown']);
  house.cluster.shard(0).isHeld = false;
  house.cluster.settle();
  assert.is(answer.times, 1);
});

test('a full lane and a refusing shard are told per entry, with their hints', () => {
  const house = rig();
  house.cluster.shard(0).isHeld = true;
  const wide = 'v'.repeat(500);
  while (
    sendBatch(
      house,
      runOf([
        [A, wide],
        [A2, wide],
      ]),
    ).times === 0
  );
  const busy = sendBatch(
    house,
    runOf([
      [A, wide],
      [B, 'b'],
      [A2, wide],
    ]),
  );
  house.cluster.shard(1).failWith = new StormError('RESOURCE_EXHAUSTED', 'disk full', {
    retryAfterMs: 7,
  });
  house.cluster.settle();
  assert.equal(
    busy.value?.errors.map(({ error }) => [error.code, error.outcome, error.retryAfterMs]),
    [
      ['RESOURCE_EXHAUSTED', 'not-applied', TEST_LIMITS.busyRetryAfterMs],
      ['RESOURCE_EXHAUSTED', 'not-applied', 7],
      ['RESOURCE_EXHAUSTED', 'not-applied', TEST_LIMITS.busyRetryAfterMs],
    ],
  );
});

run();
