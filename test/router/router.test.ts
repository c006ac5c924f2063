import * as assert from 'uvu/assert';
import type { StormError } from '../../src/base/errors.js';
import { StormError as StormFailure } from '../../src/base/errors.js';
import { slotOfKey } from '../../src/base/slot.js';
import { tryWriteValue, tryWriteWritten } from '../../src/rpc/messages.js';
import { suite } from '../harness/suite.js';
import { FakeCluster, type FakeClusterOptions, TEST_LIMITS } from './fake-cluster.js';

const { test, run } = suite('Router');

interface Answer {
  error: StormError | undefined;
  value: Buffer | undefined;
  sequence: number;
  /** How many times the call was answered. */
  times: number;
}

class ManualClock {
  nowMs = 1000;
  wallMs = () => this.nowMs;
  monotonicMs = () => this.nowMs;
}

function manual(options: Partial<FakeClusterOptions> = {}) {
  const clock = new ManualClock();
  const cluster = new FakeCluster({ mode: 'manual', clock, ...options });
  return { cluster, clock, router: cluster.router };
}

function pending(): Answer {
  return { error: undefined, value: undefined, sequence: -1, times: 0 };
}

function set(
  cluster: FakeCluster,
  key: string | Buffer,
  value = 'v',
  timeoutMs = Infinity,
): Answer {
  const answer = pending();
  cluster.router.set(Buffer.from(key), Buffer.from(value), timeoutMs, (error, sequence) => {
    Object.assign(answer, { error, sequence, times: answer.times + 1 });
  });
  return answer;
}

function del(cluster: FakeCluster, key: string): Answer {
  const answer = pending();
  cluster.router.delete(Buffer.from(key), Infinity, (error, sequence) => {
    Object.assign(answer, { error, sequence, times: answer.times + 1 });
  });
  return answer;
}

function get(cluster: FakeCluster, key: string | Buffer, timeoutMs = Infinity): Answer {
  const answer = pending();
  cluster.router.get(Buffer.from(key), timeoutMs, (error, value, sequence) => {
    Object.assign(answer, { error, value, sequence, times: answer.times + 1 });
  });
  return answer;
}

/** A key that belongs to the shard, of two. */
function keyOf(shard: number, n = 0): string {
  for (let i = 0; ; i++) {
    const key = Buffer.from(`k${n}-${i}`);
    if (slotOfKey(key, 0, key.length) % 2 === shard) return key.toString();
  }
}

function assertRefused(answer: Answer, code: string, outcome: string, pattern: RegExp): void {
  assert.is(answer.times, 1);
  assert.is(answer.error?.code, code, answer.error?.message);
  assert.is(answer.error?.outcome, outcome);
  assert.match(answer.error?.message ?? '', pattern);
}

test('sets, gets and deletes through the shard that owns the slot', () => {
  const { cluster } = manual();
  const a = set(cluster, keyOf(0), 'zero');
  const b = set(cluster, keyOf(1), 'one');
  cluster.settle();
  assert.equal([a.error, a.sequence, a.times], [undefined, 1, 1]);
  assert.equal([b.error, b.sequence, b.times], [undefined, 1, 1]);
  assert.equal([...cluster.shard(0).data.keys()], [keyOf(0)]);
  assert.equal([...cluster.shard(1).data.keys()], [keyOf(1)]);

  const found = get(cluster, keyOf(0));
  const missing = get(cluster, 'nobody');
  cluster.settle();
  assert.is(found.value?.toString(), 'zero');
  assert.is(found.sequence, 1);
  assert.equal([missing.error, missing.value, missing.times], [undefined, undefined, 1]);

  const gone = del(cluster, keyOf(0));
  cluster.settle();
  assert.is(gone.sequence, 2);
  const after = get(cluster, keyOf(0));
  cluster.settle();
  assert.is(after.value, undefined);
  assert.is(cluster.router.status().inFlight, 0);
});

test('sends keys with the same hash tag to the same shard', () => {
  const { cluster } = manual();
  for (let i = 0; i < 20; i++) set(cluster, `{patient-17}/q${i}`);
  cluster.settle();
  const counts = [cluster.shard(0).data.size, cluster.shard(1).data.size].sort((a, b) => a - b);
  assert.equal(counts, [0, 20]);
});

test('copies key and value before it returns, and hands out a copy of what is read', () => {
  const { cluster } = manual();
  const key = Buffer.from('key');
  const value = Buffer.from('value');
  cluster.router.set(key, value, Infinity, () => {});
  key.fill(0);
  value.fill(0);
  cluster.settle();
  const first = get(cluster, 'key');
  cluster.settle();
  const others = Array.from({ length: 40 }, () => get(cluster, 'key'));
  cluster.settle();
  for (const answer of [first, ...others]) assert.is(answer.value?.toString(), 'value');
  others[0]?.value?.fill(0);
  assert.is(first.value?.toString(), 'value');
});

test('refuses bad keys and values by limit and size, on both sides of each limit', () => {
  const { cluster } = manual();
  const { keyBytesMax, valueBytesMax } = TEST_LIMITS;
  const refused: [Answer, RegExp][] = [
    [set(cluster, ''), /must not be empty/],
    [get(cluster, ''), /must not be empty/],
    [del(cluster, ''), /must not be empty/],
    [set(cluster, 'k'.repeat(keyBytesMax + 1)), /64 bytes \(limits.keyBytesMax\): it has 65/],
    [get(cluster, 'k'.repeat(keyBytesMax + 1)), /limits.keyBytesMax/],
    [set(cluster, 'k', 'v'.repeat(valueBytesMax + 1)), /512 bytes .*: it has 513/],
    [set(cluster, Buffer.from([0x6b, 0xff])), /UTF-8/],
    [get(cluster, Buffer.from([0xc3])), /UTF-8/],
    [set(cluster, Buffer.from([0xed, 0xa0, 0x80])), /UTF-8/],
  ];
  for (const [answer, pattern] of refused) {
    assertRefused(answer, 'INVALID_ARGUMENT', 'not-applied', pattern);
  }
  const taken = [
    set(cluster, 'k'.repeat(keyBytesMax)),
    set(cluster, 'k', 'v'.repeat(valueBytesMax)),
    set(cluster, 'empty', ''),
    set(cluster, 'a\0b'),
    set(cluster, 'ключ-鍵-🔑'),
  ];
  cluster.settle();
  for (const answer of taken) assert.is(answer.error, undefined);
  const empty = get(cluster, 'empty');
  cluster.settle();
  assert.is(empty.value?.length, 0);
});

test('a full lane refuses with a hint and nothing applied, then serves again', () => {
  const { cluster, router } = manual({ limits: { inFlightMax: 1000 } });
  const answers = Array.from({ length: 60 }, (_, n) => set(cluster, keyOf(0, n), 'v'.repeat(100)));
  const refused = answers.filter(({ times }) => times === 1);
  assert.ok(refused.length > 0);
  for (const answer of refused) {
    assertRefused(answer, 'RESOURCE_EXHAUSTED', 'not-applied', /lane to shard 0 is full/);
    assert.is(answer.error?.retryAfterMs, 25);
  }
  assert.is(router.status().inFlight, 60 - refused.length);
  assert.is(set(cluster, keyOf(1)).times, 0, 'the other shard still has room');
  cluster.settle();
  assert.ok(answers.every(({ times }) => times === 1));
  assert.is(cluster.shard(0).data.size, 60 - refused.length);
  const again = set(cluster, keyOf(0));
  cluster.settle();
  assert.is(again.error, undefined);
});

test('a full table refuses with a hint', () => {
  const { cluster } = manual({ limits: { inFlightMax: 3 } });
  for (let i = 0; i < 3; i++) assert.is(get(cluster, `k${i}`).times, 0);
  const refused = set(cluster, 'k4');
  assertRefused(refused, 'RESOURCE_EXHAUSTED', 'not-applied', /3 calls are in flight/);
  cluster.settle();
  assert.is(set(cluster, 'k4').times, 0);
});

test('rings each shard once for all frames of one turn', () => {
  const { cluster } = manual();
  for (let n = 0; n < 10; n++) set(cluster, keyOf(n % 2, n));
  assert.is(cluster.tasks.length, 1);
  cluster.settle();
  set(cluster, keyOf(0));
  assert.is(cluster.tasks.length, 1);
});

test('a deadline answers once, unknown for writes; the late reply frees its place', () => {
  const { cluster, clock, router } = manual({ limits: { inFlightMax: 2 } });
  const write = set(cluster, 'w', 'v', 50);
  const read = get(cluster, 'w', 60);
  clock.nowMs += 49;
  router.sweep();
  assert.equal([write.times, read.times], [0, 0]);
  clock.nowMs += 1;
  router.sweep();
  assertRefused(write, 'DEADLINE_EXCEEDED', 'unknown', /may or may not have been applied/);
  assert.is(read.times, 0);
  clock.nowMs += 10;
  router.sweep();
  assertRefused(read, 'DEADLINE_EXCEEDED', 'not-applied', /deadline/);
  // Both places are still taken: the shard has yet to do the work.
  assert.is(router.status().inFlight, 2);
  assertRefused(set(cluster, 'x'), 'RESOURCE_EXHAUSTED', 'not-applied', /in flight/);
  cluster.settle();
  assert.equal([write.times, read.times], [1, 1]);
  assert.is(router.status().inFlight, 0);
  assert.equal(cluster.damages, []);
});

test('a caller without a deadline gets the default one; one already past is never sent', () => {
  const { cluster, clock, router } = manual();
  cluster.shard(0).isHeld = true;
  const late = set(cluster, keyOf(0));
  const patient = set(cluster, keyOf(0), 'v', 5000);
  clock.nowMs += TEST_LIMITS.deadlineMsDefault;
  router.sweep();
  assert.is(late.error?.code, 'DEADLINE_EXCEEDED');
  assert.is(patient.times, 0);
  const past = set(cluster, keyOf(0), 'v', 0);
  assertRefused(past, 'DEADLINE_EXCEEDED', 'not-applied', /deadline/);
});

test('passes a failure of the shard on as it is', () => {
  const { cluster } = manual();
  cluster.shard(0).failWith = new StormFailure('RESOURCE_EXHAUSTED', 'compaction is behind', {
    retryAfterMs: 77,
  });
  const write = set(cluster, keyOf(0));
  const read = get(cluster, keyOf(0));
  cluster.settle();
  for (const answer of [write, read]) {
    assertRefused(answer, 'RESOURCE_EXHAUSTED', 'not-applied', /compaction is behind/);
    assert.is(answer.error?.retryAfterMs, 77);
  }
});

test('a dead shard answers what is in flight, refuses new calls and leaves others alone', () => {
  const { cluster, router } = manual();
  const write = set(cluster, keyOf(0));
  const read = get(cluster, keyOf(0));
  const other = set(cluster, keyOf(1));
  router.shardDown(0, 'the thread ended');
  assertRefused(write, 'UNAVAILABLE', 'unknown', /may or may not/);
  assertRefused(read, 'UNAVAILABLE', 'not-applied', /the thread ended/);
  assert.is(write.error?.retryAfterMs, 250);
  const fresh = set(cluster, keyOf(0));
  assertRefused(fresh, 'UNAVAILABLE', 'not-applied', /Shard 0 is down/);
  assert.is(fresh.error?.retryAfterMs, 250);
  cluster.settle();
  assert.is(other.error, undefined);
  assert.is(other.sequence, 1);
  assert.is(router.status().ready, false);
  assert.equal(router.status().shards[0], { shard: 0, state: 'down', reason: 'the thread ended' });

  cluster.start(0);
  const again = set(cluster, keyOf(0));
  cluster.settle();
  assert.is(again.error, undefined);
  assert.is(router.status().ready, true);
});

test('replies that a shard published before it died count', () => {
  const { cluster, router } = manual();
  const durable = set(cluster, keyOf(0), 'a');
  cluster.shard(0).step();
  const lost = set(cluster, keyOf(0), 'b');
  router.shardDown(0, 'killed');
  assert.equal([durable.error, durable.sequence], [undefined, 1]);
  assertRefused(lost, 'UNAVAILABLE', 'unknown', /killed/);
});

test('replies of an earlier life of a shard are ignored', () => {
  const { cluster, router } = manual();
  const old = cluster.shard(0);
  const before = set(cluster, keyOf(0), 'old');
  cluster.start(0);
  assertRefused(before, 'UNAVAILABLE', 'unknown', /restarted/);
  const after = get(cluster, keyOf(0));
  old.step();
  router.pump();
  assert.is(before.times, 1);
  assert.is(after.times, 0);
  cluster.settle();
  assert.is(after.times, 1);
  assert.equal(cluster.damages, []);
});

test('a shard that refuses its data needs an operator, not a retry', () => {
  const { cluster, router } = manual();
  router.shardRefused(1, 'wal-000003.log damaged at 4096');
  const answer = get(cluster, keyOf(1));
  assertRefused(answer, 'FAILED_PRECONDITION', 'not-applied', /wal-000003.log damaged/);
  assert.is(answer.error?.retryAfterMs, undefined);
  assert.is(router.status().shards[1]?.state, 'refused');
  const other = set(cluster, keyOf(0));
  cluster.settle();
  assert.is(other.error, undefined);
});

test('a reply to a call that is not in flight kills the link and reports it', () => {
  const { cluster, router } = manual();
  const write = set(cluster, keyOf(0));
  tryWriteWritten(cluster.shard(0).end.writeReplies, 999_999, 1, 1);
  router.pump();
  assertRefused(write, 'UNAVAILABLE', 'unknown', /not in flight/);
  assert.is(cluster.damages.length, 1);
  assert.match(cluster.damages[0] ?? '', /^0\/1: Channel damaged/);
  assert.is(router.status().shards[0]?.state, 'down');
  cluster.start(0);
  const again = set(cluster, keyOf(0));
  cluster.settle();
  assert.is(again.error, undefined);
});

test('a damaged frame kills its link only', () => {
  const { cluster, router } = manual();
  const read = get(cluster, keyOf(0));
  const other = set(cluster, keyOf(1));
  const { readReplies } = cluster.shard(0).end;
  tryWriteValue(readReplies, 0, 1, Buffer.from('x'), 0, 1);
  readReplies.bytes[0] = 0xff;
  router.pump();
  assertRefused(read, 'UNAVAILABLE', 'not-applied', /Channel damaged/);
  cluster.settle();
  assert.is(other.error, undefined);
  assert.is(cluster.damages.length, 1);
});

test('callbacks may start calls and even take shards down', () => {
  const { cluster, router } = manual({ limits: { inFlightMax: 2 } });
  const inner: Answer[] = [];
  let round = 0;
  const chain = (): void => {
    if (round++ < 100) router.set(Buffer.from(keyOf(0)), Buffer.from('v'), Infinity, chain);
    else router.shardDown(0, 'by a callback');
  };
  chain();
  inner.push(set(cluster, keyOf(1)));
  cluster.settle();
  assert.is(round, 101);
  assert.is(inner[0]?.error, undefined);
  assert.is(router.status().shards[0]?.state, 'down');
});

test('serves a storm much larger than its lanes without losing an answer', () => {
  const { cluster, router } = manual({ limits: { inFlightMax: 40 } });
  const counts = { done: 0, busy: 0 };
  const total = 20_000;
  for (let i = 0; i < total; i++) {
    const key = Buffer.from(`key-${i % 997}`);
    if (i % 3 === 0) router.get(key, Infinity, (error) => count(error));
    else router.set(key, Buffer.from(`${i}`), Infinity, (error) => count(error));
    if (i % 50 === 49) cluster.settle();
  }
  cluster.settle();
  function count(error: StormError | undefined): void {
    if (error === undefined) counts.done++;
    else if (error.code === 'RESOURCE_EXHAUSTED') counts.busy++;
  }
  assert.is(counts.done + counts.busy, total);
  assert.ok(counts.busy > 0 && counts.done > total / 2);
  assert.is(router.status().inFlight, 0);
});

test('draining is not ready, yet serves what still comes', () => {
  const { cluster, router } = manual();
  router.startDrain();
  assert.equal([router.status().ready, router.status().draining], [false, true]);
  const answer = set(cluster, 'k');
  cluster.settle();
  assert.is(answer.error, undefined);
});

test('refuses links whose lanes cannot hold the largest write, read or value', () => {
  for (const sizes of [{ writeRequestBytes: 1024 }, { readReplyBytes: 1024 }]) {
    assert.throws(() => manual({ sizes }), /fits its/);
  }
  assert.throws(() => manual({ sizes: { readRequestBytes: 1024 }, limits: { keyBytesMax: 500 } }));
});

test('works in the event loop, woken by its port', async () => {
  const cluster = new FakeCluster({ mode: 'loop' });
  try {
    for (let i = 0; i < 200; i++) {
      const key = Buffer.from(`key-${i}`);
      await new Promise<void>((resolve, reject) => {
        cluster.router.set(key, key, Infinity, (error) => (error ? reject(error) : resolve()));
      });
      const value = await new Promise<Buffer | undefined>((resolve, reject) => {
        cluster.router.get(key, Infinity, (error, v) => (error ? reject(error) : resolve(v)));
      });
      assert.is(value?.toString(), `key-${i}`);
    }
  } finally {
    cluster.close();
  }
});

run();
