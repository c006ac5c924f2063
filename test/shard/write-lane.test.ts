/**
 * Conditional writes and expiry through the rings: what a group counts in, and what it may tell.
 */
import * as assert from 'uvu/assert';
import {
  type Condition,
  tryReserveWriteIf,
  tryWriteExpire,
  writeIfBytes,
} from '../../src/rpc/write-messages.js';
import { ActorRig, onlyOne, SLOT_MAP_EPOCH } from '../harness/actor-rig.js';
import { type Change, encodeRun } from '../harness/engine-rig.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('WriteLane');

function writeIf(shard: ActorRig, callId: number, batch: Change[], conditions: Condition[]): void {
  const ring = shard.router(0).writeRequests;
  const bytes = encodeRun(batch);
  const at = tryReserveWriteIf(ring, callId, SLOT_MAP_EPOCH, bytes.length, conditions);
  ring.bytes.set(bytes, at);
  ring.commit(writeIfBytes(bytes.length, conditions.length));
}

function expire(shard: ActorRig, callId: number, key: string, ttlMs: number): void {
  const ring = shard.router(0).writeRequests;
  assert.ok(tryWriteExpire(ring, callId, SLOT_MAP_EPOCH, Buffer.from(key), ttlMs));
}

function put(key: string, value: string): Change[] {
  return [{ key, value }];
}

test('writes what its conditions allow, and tells the version otherwise', () => {
  const shard = new ActorRig();
  writeIf(shard, 1, put('k', 'first'), [{ index: 0, version: 0 }]);
  shard.turns();
  assert.equal(shard.replies('write'), [{ callId: 1, kind: 'written', sequence: 1, count: 1 }]);
  writeIf(shard, 2, put('k', 'again'), [{ index: 0, version: 0 }]);
  shard.turns();
  assert.equal(shard.replies('write'), [{ callId: 2, kind: 'conflict', index: 0, version: 1 }]);
  writeIf(shard, 3, put('k', 'second'), [{ index: 0, version: 1 }]);
  shard.turns();
  assert.equal(shard.replies('write'), [{ callId: 3, kind: 'written', sequence: 2, count: 1 }]);
  assert.equal(shard.getNow(4, 'k'), { callId: 4, kind: 'value', sequence: 2, value: 'second' });
});

test('writes all entries of a batch or none', () => {
  const shard = new ActorRig();
  shard.writeNow(1, put('taken', 'v'));
  const batch = [...put('free', 'x'), ...put('other', 'y'), ...put('taken', 'z')];
  writeIf(shard, 2, batch, [
    { index: 0, version: 0 },
    { index: 2, version: 0 },
  ]);
  shard.turns();
  assert.equal(shard.replies('write'), [{ callId: 2, kind: 'conflict', index: 2, version: 1 }]);
  assert.is(shard.getNow(3, 'free').kind, 'missing');
  assert.is(shard.getNow(4, 'other').kind, 'missing');
  writeIf(shard, 5, batch, [{ index: 2, version: 1 }]);
  shard.turns();
  assert.equal(shard.replies('write'), [{ callId: 5, kind: 'written', sequence: 2, count: 3 }]);
});

test('lets one of many win that want to be the first, in the same group', () => {
  const shard = new ActorRig();
  for (let i = 0; i < 20; i++) writeIf(shard, i, put('k', `v${i}`), [{ index: 0, version: 0 }]);
  shard.turns();
  const replies = shard.replies('write');
  assert.is(replies.length, 20);
  assert.equal(replies[0], { callId: 0, kind: 'written', sequence: 1, count: 1 });
  for (const [i, reply] of replies.slice(1).entries()) {
    assert.equal(reply, { callId: i + 1, kind: 'conflict', index: 0, version: 1 });
  }
  const found = shard.getNow(30, 'k');
  assert.equal(found, { callId: 30, kind: 'value', sequence: 1, value: 'v0' });
});

test('counts the writes before it in its group in, and their deletes', () => {
  const shard = new ActorRig();
  shard.writeNow(1, put('k', 'old'));
  shard.write(2, put('k', 'new'));
  writeIf(shard, 3, put('k', 'newer'), [{ index: 0, version: 2 }]);
  shard.write(4, [{ key: 'k', value: undefined }]);
  writeIf(shard, 5, put('k', 'newest'), [{ index: 0, version: 0 }]);
  shard.turns();
  const sequences = shard.replies('write').map((r) => (r.kind === 'written' ? r.sequence : r.kind));
  assert.equal(sequences, [2, 3, 4, 5]);
});

test('tells no version of a write that fails to become durable', () => {
  const shard = new ActorRig();
  shard.settle();
  shard.disk.fail({ kind: 'sync', code: 'EIO', path: '.seg' });
  shard.write(1, put('k', 'lost'));
  writeIf(shard, 2, put('k', 'v'), [{ index: 0, version: 77 }]);
  assert.is(shard.actor.turn().kind, 'poisoned');
  const reply = onlyOne(shard.replies('write'));
  assert.is(reply.callId, 1, 'the held one is left for the router to give up');
  assert.is(reply.kind, 'failed');
});

test('refuses a condition on an entry that the batch does not have', () => {
  const shard = new ActorRig();
  writeIf(shard, 1, put('k', 'v'), [{ index: 1, version: 0 }]);
  shard.turns();
  const reply = onlyOne(shard.replies('write'));
  if (reply.kind !== 'failed') throw new Error(reply.kind);
  assert.is(reply.error.code, 'INVALID_ARGUMENT');
  assert.match(reply.error.message, /no entry 1/);
  assert.is(shard.getNow(2, 'k').kind, 'missing');
});

test('sees a key as absent once it has expired', () => {
  const shard = new ActorRig();
  shard.writeNow(1, put('k', 'v'));
  expire(shard, 2, 'k', 1000);
  shard.turns();
  assert.equal(shard.replies('write'), [{ callId: 2, kind: 'written', sequence: 2, count: 1 }]);
  shard.rig.clock.advance(999);
  assert.equal(shard.getNow(3, 'k'), { callId: 3, kind: 'value', sequence: 2, value: 'v' });
  shard.rig.clock.advance(1);
  assert.is(shard.getNow(4, 'k').kind, 'missing');
  writeIf(shard, 5, put('k', 'anew'), [{ index: 0, version: 0 }]);
  shard.turns();
  assert.is(onlyOne(shard.replies('write')).kind, 'written');
});

test('sets an expiry on a value written just before it, and takes it off again', () => {
  const shard = new ActorRig();
  shard.write(1, put('k', 'v'));
  expire(shard, 2, 'k', 1000);
  expire(shard, 3, 'k', 0);
  expire(shard, 4, 'nothing', 1000);
  shard.turns();
  const kinds = new Map(shard.replies('write').map(({ callId, kind }) => [callId, kind]));
  assert.equal(
    kinds,
    new Map([
      [1, 'written'],
      [2, 'written'],
      [3, 'written'],
      [4, 'missing'],
    ]),
  );
  shard.rig.clock.advance(10_000);
  assert.equal(shard.getNow(5, 'k'), { callId: 5, kind: 'value', sequence: 3, value: 'v' });
});

test('keeps expiry through a flush and a crash', () => {
  const shard = new ActorRig();
  shard.writeNow(1, put('k', 'v'));
  expire(shard, 2, 'k', 5000);
  shard.turns();
  shard.disk.crash(1, 'synced-only');
  const again = new ActorRig({ disk: shard.disk });
  again.rig.clock.advance(4999);
  assert.is(again.getNow(1, 'k').kind, 'value');
  again.rig.clock.advance(1);
  assert.is(again.getNow(2, 'k').kind, 'missing');
});

test('refuses a batch that no MemTable could hold', () => {
  const shard = new ActorRig({ engine: { arenaBytes: 16 * 1024, batchBytesMax: 64 * 1024 } });
  shard.write(1, put('k', 'v'.repeat(20_000)));
  shard.write(2, put('small', 'v'));
  shard.settle();
  const replies = new Map(shard.replies('write').map((reply) => [reply.callId, reply]));
  const large = replies.get(1);
  if (large?.kind !== 'failed') throw new Error(`${large?.kind}`);
  assert.is(large.error.code, 'INVALID_ARGUMENT');
  assert.match(large.error.message, /send it in parts/);
  assert.is(replies.get(2)?.kind, 'written');
});

test('refuses a batch that no group could hold, instead of waiting for ever', () => {
  const shard = new ActorRig({ engine: { batchBytesMax: 8 * 1024, walGroupBytesMax: 4 * 1024 } });
  shard.write(1, put('k', 'v'.repeat(12 * 1024)));
  shard.write(2, put('small', 'v'));
  shard.settle();
  const [large, small] = shard.replies('write');
  if (large?.kind !== 'failed') throw new Error(`${large?.kind}`);
  assert.is(large.error.code, 'INVALID_ARGUMENT');
  assert.match(large.error.message, /larger than a group can hold; send it in parts/);
  assert.is(small?.kind, 'written');
});

test('refuses with the reason and a time when background work fails for long', () => {
  const shard = new ActorRig({ arenas: 2 });
  shard.settle();
  shard.disk.fail({ kind: 'write', code: 'ENOSPC', path: '.sst', sticky: true });
  const value = 'v'.repeat(3000);
  let refused = 0;
  for (let i = 0; i < 60; i++) {
    shard.write(i, put(`k${i}`, value));
    shard.settle();
    const reply = shard.replies('write')[0];
    if (reply?.kind !== 'failed') continue;
    refused++;
    assert.is(reply.error.code, 'RESOURCE_EXHAUSTED');
    assert.is(reply.error.outcome, 'not-applied');
    assert.match(reply.error.message, /ENOSPC/);
    assert.ok((reply.error.retryAfterMs ?? 0) > 0);
  }
  assert.ok(refused > 10, `${refused} refused`);
  assert.is(shard.getNow(1000, 'k0').kind, 'value', 'reads go on');
  shard.disk.clearFaults();
  shard.rig.clock.advance(60_000);
  shard.settle();
  assert.is(shard.writeNow(2000, put('after', 'v')).kind, 'written', 'by itself');
});

run();
