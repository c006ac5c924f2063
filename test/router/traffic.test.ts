import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { Call } from '../../src/router/gates.js';
import { Traffic } from '../../src/router/traffic.js';
import { RouterStats } from '../../src/rpc/router-stats.js';
import { OPEN_TRAFFIC, TrafficMemory } from '../../src/rpc/traffic.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Traffic');
const newCall = () => new Call('Set', 'write', { name: 'ada' }, 1);

function makeRouters() {
  const clock = { nowMs: 50_000 };
  const memory = TrafficMemory.allocate();
  const settings = OPEN_TRAFFIC;
  const make = () => new Traffic({ settings, memory, seed: 5, nowMs: () => clock.nowMs });
  return { clock, routers: [make(), make()] as const };
}

test('two routers share one bucket and one breaker', () => {
  const { routers } = makeRouters();
  const settings = {
    ...OPEN_TRAFFIC,
    buckets: { ...OPEN_TRAFFIC.buckets, write: { burst: 10, rate: 1 } },
    breaker: { ...OPEN_TRAFFIC.breaker, scopes: ['write'] as const, requests: 4 },
  };
  for (const router of routers) router.configure(settings);
  const [one, other] = routers;
  for (let i = 0; i < 5; i++) assert.is(one.gates.enter(newCall()), undefined);
  for (let i = 0; i < 5; i++) assert.is(other.gates.enter(newCall()), undefined);
  assert.is(one.gates.enter(newCall())?.code, 'RESOURCE_EXHAUSTED');
  assert.is(other.gates.enter(newCall())?.code, 'RESOURCE_EXHAUSTED');
  const fault = new StormError('INTERNAL', 'x');
  for (const router of routers) for (let i = 0; i < 2; i++) router.gates.leave(newCall(), fault);
  assert.is(one.gates.enter(newCall())?.code, 'UNAVAILABLE');
  assert.is(other.gates.enter(newCall())?.code, 'UNAVAILABLE');
});

test('publishes how many calls were refused, and why', () => {
  const { routers } = makeRouters();
  const [one] = routers;
  const buckets = { ...OPEN_TRAFFIC.buckets, caller: { burst: 1, rate: 1 } };
  one.configure({ ...OPEN_TRAFFIC, buckets });
  for (let i = 0; i < 4; i++) one.gates.enter(newCall());
  const stats = new RouterStats(RouterStats.allocate());
  one.publish(stats);
  assert.is(stats.get('limitRefusalsTotal'), 3);
  assert.is(stats.get('breakerRefusalsTotal'), 0);
});

run();
