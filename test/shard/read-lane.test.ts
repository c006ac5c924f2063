/** Point reads through the rings, and the bounds of what a link may have under way. */
import * as assert from 'uvu/assert';
import { keyItemLength, putKeyItem } from '../../src/rpc/message-items.js';
import { MESSAGE_MULTI_GET, MESSAGE_TTL } from '../../src/rpc/read-messages.js';
import { tryWriteExpire } from '../../src/rpc/write-messages.js';
import { ActorRig, onlyOne, type Reply, SLOT_MAP_EPOCH } from '../harness/actor-rig.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('ReadLane');

test('tells how long a key has to live', () => {
  const shard = new ActorRig();
  shard.writeNow(1, [{ key: 'mortal', value: 'v' }]);
  shard.writeNow(2, [{ key: 'immortal', value: 'v' }]);
  const ring = shard.router(0).writeRequests;
  assert.ok(tryWriteExpire(ring, 3, SLOT_MAP_EPOCH, Buffer.from('mortal'), 5000));
  shard.settle();
  shard.rig.clock.advance(1500);
  for (const key of ['mortal', 'immortal', 'none']) {
    shard.send('read', MESSAGE_TTL, 4, Buffer.from(key));
  }
  shard.turns();
  assert.equal(shard.replies('read'), [
    { callId: 4, kind: 'ttl', sequence: 3, remainingMs: 3500 },
    { callId: 4, kind: 'ttl', sequence: 2, remainingMs: 0 },
    { callId: 4, kind: 'missing' },
  ]);
});

test('serves another router while the replies of one have no room', () => {
  const shard = new ActorRig({ routers: 2, sizes: { readReplyBytes: 4096 } });
  shard.writeNow(0, [{ key: 'k', value: 'v'.repeat(1500) }]);
  for (let i = 0; i < 20; i++) assert.ok(shard.get(i, 'k', 0));
  shard.turns();
  assert.ok(shard.get(99, 'k', 1));
  shard.turns();
  assert.is(onlyOne(shard.replies('read', 1)).callId, 99);
});

test('bounds the long reads of a link, and answers all that wait in the ring', () => {
  const shard = new ActorRig({ sizes: { readReplyBytes: 4096 } });
  shard.writeNow(0, [{ key: 'k', value: 'v'.repeat(1000) }]);
  const keys = new Uint8Array(keyItemLength(1));
  putKeyItem(keys, 0, Buffer.from('k'));
  const asked = 200;
  for (let i = 0; i < asked; i++) assert.ok(shard.send('read', MESSAGE_MULTI_GET, i, keys));
  shard.turns();
  const ring = shard.router(0).readRequests;
  assert.ok(ring.usedBytes() > 100 * keys.length, 'what is beyond the bound waits in the ring');
  const all: Reply[] = [];
  for (let i = 0; all.length < asked; i++) {
    assert.ok(i < asked, `${all.length} answers so far`);
    all.push(...shard.replies('read'));
    shard.turns();
  }
  const callIds = all.map(({ callId }) => callId).sort((a, b) => a - b);
  assert.equal(
    callIds,
    Array.from({ length: asked }, (_, i) => i),
  );
});

run();
