import * as assert from 'uvu/assert';
import { BucketGate } from '../../src/router/bucket-gate.js';
import { Call } from '../../src/router/gates.js';
import { TokenBuckets } from '../../src/router/token-buckets.js';
import {
  type CallClass,
  OPEN_TRAFFIC,
  TrafficMemory,
  type TrafficSettings,
} from '../../src/rpc/traffic.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('BucketGate');
const ADA = { name: 'ada' };
const BOB = { name: 'bob' };

function makeRig(
  buckets: Partial<TrafficSettings['buckets']>,
  quotas: TrafficSettings['quotas'] = [],
) {
  const settings = { ...OPEN_TRAFFIC, buckets: { ...OPEN_TRAFFIC.buckets, ...buckets }, quotas };
  const clock = { nowMs: 1000 };
  const memory = new TrafficMemory(TrafficMemory.allocate());
  const gate = new BucketGate(new TokenBuckets(memory, 1), settings, () => clock.nowMs);
  const enter = (kind: CallClass, entries: number, caller = ADA) =>
    gate.enter(new Call('X', kind, caller, entries));
  return { settings, clock, gate, enter };
}

test('without limits lets everything in and does not ask for entries to be counted', () => {
  const { gate, enter } = makeRig({});
  assert.is(gate.countsEntries, false);
  for (let i = 0; i < 1000; i++) assert.is(enter('write', 1e6), undefined);
});

test('refuses with the limit, whose it is, and when to come back', () => {
  const { gate, enter, clock } = makeRig({ write: { burst: 10, rate: 100 } });
  assert.is(gate.countsEntries, true);
  assert.is(enter('write', 10), undefined);
  const refusal = enter('write', 5);
  assert.is(refusal?.code, 'RESOURCE_EXHAUSTED');
  assert.is(refusal?.outcome, 'not-applied');
  assert.is(refusal?.retryAfterMs, 50);
  assert.match(refusal?.message ?? '', /100 entries per second, 10 at once.*writeBucket.*50 ms/);
  assert.is(enter('read', 1000), undefined, 'another class');
  clock.nowMs += 50;
  assert.is(enter('write', 5), undefined);
  assert.is(gate.refusedTotal, 1);
});

test('each caller has its own bucket, and one that asks too much takes nothing from others', () => {
  const { enter } = makeRig({
    caller: { burst: 10, rate: 10 },
    global: { burst: 20, rate: 1 },
  });
  assert.is(enter('read', 10), undefined);
  for (let i = 0; i < 100; i++) assert.is(enter('read', 10)?.code, 'RESOURCE_EXHAUSTED');
  assert.is(enter('read', 10, BOB), undefined);
});

test('what a later bucket refuses the earlier ones get back', () => {
  const { enter, clock } = makeRig({
    caller: { burst: 10, rate: 0.001 },
    read: { burst: 5, rate: 1000 },
  });
  assert.is(enter('read', 5), undefined);
  for (let i = 0; i < 100; i++) assert.match(enter('read', 5)?.message ?? '', /readBucket/);
  clock.nowMs += 5;
  assert.is(enter('read', 5), undefined, "the caller's five tokens are still there");
});

test('a quota is its caller’s alone, of its class alone, and in place of what all may', () => {
  const quota = { caller: 'ada', kind: 'scan', burst: 3, rate: 1 } as const;
  const { enter } = makeRig({ caller: { burst: 1, rate: 1 } }, [quota]);
  assert.is(enter('scan', 3), undefined);
  assert.match(enter('scan', 1)?.message ?? '', /caller ada, scan/);
  for (let i = 0; i < 10; i++) assert.is(enter('write', 100), undefined);
  assert.is(enter('scan', 1, BOB), undefined);
  assert.match(enter('scan', 1, BOB)?.message ?? '', /each caller/);
});

test('a scan pays when its pages are there, and rests as long as it owes', () => {
  const { gate, enter } = makeRig({ scan: { burst: 100, rate: 1000 } });
  const call = new Call('Scan', 'scan', ADA, 0);
  assert.is(gate.enter(call), undefined);
  assert.is(gate.charge(call, 60), 0);
  assert.is(gate.charge(call, 60), 21);
  assert.is(enter('scan', 0)?.retryAfterMs, 21, 'no other begins while it owes');
});

test('limits can change while calls come', () => {
  const { gate, enter, settings, clock } = makeRig({ write: { burst: 10, rate: 10 } });
  assert.is(enter('write', 10), undefined);
  assert.is(enter('write', 1)?.retryAfterMs, 100);
  const write = { burst: 1000, rate: 1000 };
  gate.configure({ ...settings, buckets: { ...settings.buckets, write } });
  clock.nowMs += 10;
  assert.is(enter('write', 1), undefined);
  gate.configure(OPEN_TRAFFIC);
  for (let i = 0; i < 100; i++) assert.is(enter('write', 1e6), undefined);
});

run();
