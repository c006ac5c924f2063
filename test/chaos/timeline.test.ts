import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { latencyOf, Timeline } from '../../src/chaos/timeline.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Timeline');

test('counts what happened in the slot in which it happened', () => {
  const timeline = new Timeline(1000);
  timeline.answered(1000, 2, 4);
  timeline.answered(1300, 2, 0);
  timeline.failed(1300, 'unknown', new StormError('UNAVAILABLE', 'Shard 3 died'));
  timeline.failed(1300, 'refused', new StormError('UNAVAILABLE', 'Shard 4 died'));
  assert.equal(
    timeline.slots.map(({ writes, reads }) => [writes, reads]),
    [
      [4, 0],
      [0, 1],
    ],
  );
  assert.equal([timeline.total.unknown, timeline.total.refused], [1, 1]);
  assert.equal([...timeline.errors], [['UNAVAILABLE: Shard # died', 2]]);
});

test('never has too many slots: neighbours are joined, and nothing is lost', () => {
  const timeline = new Timeline(0);
  for (let ms = 0; ms < 3_600_000; ms += 100) timeline.answered(ms, 1, 1);
  assert.ok(timeline.slots.length <= 960, `${timeline.slots.length} slots`);
  assert.ok(timeline.slotMs * timeline.slots.length >= 3_600_000);
  assert.is(
    timeline.slots.reduce((sum, { writes }) => sum + writes, 0),
    36_000,
  );
});

test('tells latencies to a tenth, and none where nothing was answered', () => {
  const timeline = new Timeline(0);
  assert.is(latencyOf(timeline.total, 0.5), undefined);
  for (let i = 1; i <= 1000; i++) timeline.answered(0, i, 1);
  for (const [share, expected] of [
    [0.5, 500],
    [0.99, 990],
    [1, 1000],
  ] as const) {
    const found = latencyOf(timeline.total, share) ?? 0;
    assert.ok(found >= expected && found <= expected * 1.1, `${share}: ${found}`);
  }
});

run();
