import * as assert from 'uvu/assert';
import { readinessOf } from '../../src/router/readiness.js';
import type { RouterStatus, ShardStatus } from '../../src/router/router-types.js';
import { PRESSURE_STATES, ShardStats } from '../../src/rpc/shard-stats.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('readinessOf');
const UP: ShardStatus = { shard: 0, state: 'up', reason: '' };

function statusOf(shards: ShardStatus[], draining = false): RouterStatus {
  const ready = !draining && shards.every(({ state }) => state === 'up');
  return { ready, draining, inFlight: 7, shards };
}

test('has no reasons while all is well', () => {
  const stats = [new ShardStats(ShardStats.allocate())];
  const expected = { ready: true, draining: false, reasons: [], warnings: [], shards: [UP] };
  assert.equal(readinessOf(statusOf([UP]), stats), expected);
});

test('names every reason: a stop, a recovery, a death, a refusal', () => {
  const shards: ShardStatus[] = [
    UP,
    { shard: 1, state: 'down', reason: 'starting' },
    { shard: 2, state: 'down', reason: 'its thread exited' },
    { shard: 3, state: 'refused', reason: 'MANIFEST is damaged' },
  ];
  assert.equal(readinessOf(statusOf(shards, true), []).reasons, [
    'the server is stopping',
    'shard 1 recovers its data',
    'shard 2 is down and will be back: its thread exited',
    'shard 3 does not serve its data: MANIFEST is damaged',
  ]);
});

test('stays ready where writes are refused, and warns', () => {
  const stats = [0, 1].map(() => new ShardStats(ShardStats.allocate()));
  stats[1]?.set('pressureState', PRESSURE_STATES.indexOf('refusing'));
  const { ready, warnings } = readinessOf(statusOf([UP, { ...UP, shard: 1 }]), stats);
  assert.is(ready, true);
  assert.is(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^shard 1 refuses writes.*disk full/);
});

run();
