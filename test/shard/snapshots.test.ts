import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { Snapshots } from '../../src/shard/snapshots.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Snapshots');
const LIMITS = { countMax: 3, idleMsMax: 100, ageMsMax: 1000 };

test('have ids of their own, from the first one on', () => {
  const snapshots = new Snapshots(LIMITS, 500);
  const ids = [1, 1, 2].map((sequence) => snapshots.open(sequence, 0).id);
  assert.equal(ids, [500, 501, 502]);
  snapshots.close(501);
  assert.is(snapshots.open(3, 0).id, 503, 'no id comes twice');
});

test('tell the sequences that must be honoured, ascending by number, each once', () => {
  const snapshots = new Snapshots({ ...LIMITS, countMax: 10 }, 1);
  for (const sequence of [100, 9, 10, 9, 2 ** 40]) snapshots.open(sequence, 0);
  assert.equal(snapshots.sequences(), [9, 10, 100, 2 ** 40]);
  assert.is(snapshots.count, 5);
  snapshots.close(2);
  assert.equal(snapshots.sequences(), [9, 10, 100, 2 ** 40], 'another one has it too');
  snapshots.close(4);
  assert.equal(snapshots.sequences(), [10, 100, 2 ** 40]);
});

test('end when nobody has used them for a while', () => {
  const snapshots = new Snapshots(LIMITS, 1);
  const { id } = snapshots.open(1, 0);
  assert.is(snapshots.use(id, 99)?.sequence, 1);
  assert.is(snapshots.use(id, 198)?.sequence, 1, 'use keeps it open');
  assert.is(snapshots.use(id, 298), undefined);
  assert.equal(snapshots.sequences(), []);
});

test('end at their age cap, however busy', () => {
  const snapshots = new Snapshots(LIMITS, 1);
  const { id } = snapshots.open(1, 0);
  for (let now = 50; now < 1000; now += 50) assert.ok(snapshots.use(id, now) !== undefined);
  assert.is(snapshots.use(id, 1000), undefined);
});

test('are refused beyond their number with a time to try again', () => {
  const snapshots = new Snapshots(LIMITS, 1);
  for (let i = 0; i < 3; i++) snapshots.open(i, 0);
  try {
    snapshots.open(9, 50);
    assert.unreachable();
  } catch (error) {
    if (!(error instanceof StormError)) throw error;
    assert.is(error.code, 'RESOURCE_EXHAUSTED');
    assert.ok((error.retryAfterMs ?? 0) > 0);
    assert.match(error.message, /3 snapshots open/);
  }
  assert.is(snapshots.open(9, 100).sequence, 9, 'the idle ones made room');
  assert.is(snapshots.count, 1);
});

test('that are closed, or never were, are no error to close again', () => {
  const snapshots = new Snapshots(LIMITS, 1);
  const { id } = snapshots.open(1, 0);
  snapshots.close(id);
  snapshots.close(id);
  snapshots.close(12_345);
  assert.is(snapshots.use(id, 1), undefined);
});

run();
