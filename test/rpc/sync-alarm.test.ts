import * as assert from 'uvu/assert';
import { SyncAlarm } from '../../src/rpc/sync-alarm.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('SyncAlarm');

test('is raised for everybody who does not know of it yet', () => {
  const memory = SyncAlarm.allocate();
  const shard = new SyncAlarm(memory);
  assert.not(shard.isRaised);
  new SyncAlarm(memory).raise();
  assert.ok(shard.isRaised);
  const nextLife = new SyncAlarm(memory, shard.failures);
  assert.not(nextLife.isRaised);
  shard.raise();
  assert.ok(nextLife.isRaised);
});

run();
