/** Reads of more than one step, through the rings: many keys, and pages of scans. */
import * as assert from 'uvu/assert';
import { keyItemLength, putKeyItem } from '../../src/rpc/message-items.js';
import {
  MESSAGE_MULTI_GET,
  type ScanParameters,
  tryWriteScan,
  tryWriteScanEnd,
} from '../../src/rpc/read-messages.js';
import {
  ActorRig,
  onlyOne,
  type PageItem,
  type Reply,
  SLOT_MAP_EPOCH,
} from '../harness/actor-rig.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('LongReads');

function keysOf(keys: readonly string[]): Uint8Array {
  const items = keys.map((key) => Buffer.from(key));
  const bytes = new Uint8Array(items.reduce((sum, key) => sum + keyItemLength(key.length), 0));
  let at = 0;
  for (const key of items) at = putKeyItem(bytes, at, key);
  return bytes;
}

function scan(shard: ActorRig, callId: number, change: Partial<ScanParameters> = {}): Reply {
  const parameters: ScanParameters = {
    snapshotId: 0,
    from: undefined,
    to: undefined,
    reverse: false,
    limit: 10,
    bytesMax: 10_000,
    keysOnly: false,
    ...change,
  };
  assert.ok(tryWriteScan(shard.router(0).readRequests, callId, SLOT_MAP_EPOCH, parameters));
  shard.turns();
  return onlyOne(shard.replies('read'));
}

function pageOf(reply: Reply) {
  if (reply.kind !== 'page') throw new Error(`Not a page: ${JSON.stringify(reply)}`);
  return reply;
}

/** `k00` … with values of their own, in the MemTable and in tables. */
function filled(count: number, valueLength = 4): ActorRig {
  const shard = new ActorRig();
  for (let i = 0; i < count; i++) {
    const value = `${i}`.padEnd(valueLength, '.');
    shard.write(i, [{ key: keyOf(i), value }]);
    shard.settle();
    assert.is(onlyOne(shard.replies('write')).kind, 'written');
  }
  return shard;
}

const keyOf = (i: number): string => `k${`${i}`.padStart(3, '0')}`;

test('answers many keys in their order, the missing ones too', () => {
  const shard = filled(5);
  const keys = ['k003', 'none', 'k000', 'k003'];
  shard.send('read', MESSAGE_MULTI_GET, 1, keysOf(keys));
  shard.turns();
  const values = ['3...', undefined, '0...', '3...'];
  assert.equal(shard.replies('read'), [{ callId: 1, kind: 'values', done: true, values }]);
});

test('answers no keys with no values', () => {
  const shard = new ActorRig();
  shard.send('read', MESSAGE_MULTI_GET, 1, new Uint8Array(0));
  shard.turns();
  assert.equal(shard.replies('read'), [{ callId: 1, kind: 'values', done: true, values: [] }]);
});

test('answers more values than a frame holds in several, as the router makes room', () => {
  const shard = filled(30, 3000);
  const wanted = Array.from({ length: 60 }, (_, i) => keyOf(i % 31));
  shard.send('read', MESSAGE_MULTI_GET, 1, keysOf(wanted));
  const values: (string | undefined)[] = [];
  let frames = 0;
  for (let done = false; !done; frames++) {
    assert.ok(frames < 60, 'it makes progress');
    shard.turns();
    const reply = shard.replies('read', 0, 1)[0];
    if (reply?.kind !== 'values') throw new Error(`Not values: ${reply?.kind}`);
    values.push(...reply.values);
    done = reply.done;
  }
  assert.ok(frames > 3, `${frames} frames`);
  const expected = wanted.map((key) =>
    key === 'k030' ? undefined : `${Number(key.slice(1))}`.padEnd(3000, '.'),
  );
  assert.equal(values, expected);
});

test('answers a broken list of keys with an error', () => {
  const shard = filled(1);
  shard.send('read', MESSAGE_MULTI_GET, 1, keysOf(['k000', 'k001']).subarray(0, 8));
  shard.turns();
  assert.is(onlyOne(shard.replies('read')).kind, 'failed');
  assert.is(shard.getNow(2, 'k000').kind, 'value', 'the lane goes on');
});

test('pages forward through a snapshot that later writes do not change', () => {
  const shard = filled(25);
  const first = pageOf(scan(shard, 1));
  assert.is(first.done, false);
  shard.writeNow(100, [{ key: 'k0125', value: 'late' }]);
  shard.writeNow(101, [{ key: 'k020', value: undefined }]);
  const items = [...first.items];
  for (let page = first; !page.done; ) {
    const mark = items.pop();
    if (mark === undefined || !('mark' in mark)) throw new Error('A page ends with its mark');
    page = pageOf(scan(shard, 2, { snapshotId: first.snapshotId, from: Buffer.from(mark.mark) }));
    assert.is(page.snapshotId, first.snapshotId);
    items.push(...page.items);
  }
  const expected: PageItem[] = Array.from({ length: 25 }, (_, i) => ({
    key: keyOf(i),
    value: `${i}`.padEnd(4, '.'),
  }));
  assert.equal(items, expected);
});

test('pages backward, with keys only, within bounds', () => {
  const shard = filled(30);
  const bounds = { from: Buffer.from('k005'), to: Buffer.from('k010') };
  const page = pageOf(scan(shard, 1, { ...bounds, reverse: true, keysOnly: true }));
  const keys = ['k009', 'k008', 'k007', 'k006', 'k005'];
  assert.equal(
    page.items,
    keys.map((key) => ({ key, value: undefined })),
  );
  assert.is(page.done, true);
});

test('ends a page at its size, but never before its first entry', () => {
  const shard = filled(4, 1000);
  const one = pageOf(scan(shard, 1, { bytesMax: 1 }));
  assert.is(one.items.filter((item) => 'key' in item).length, 1);
  assert.is(one.done, false);
  const two = pageOf(scan(shard, 2, { bytesMax: 2100 }));
  assert.is(two.items.filter((item) => 'key' in item).length, 2);
});

test('forgets a snapshot that a router closes, and says so to who goes on with it', () => {
  const shard = filled(20);
  const { snapshotId } = pageOf(scan(shard, 1, { limit: 1 }));
  const ring = shard.router(0).readRequests;
  assert.ok(tryWriteScanEnd(ring, 2, SLOT_MAP_EPOCH, snapshotId));
  shard.turns();
  assert.equal(shard.replies('read'), [{ callId: 2, kind: 'missing' }]);
  const reply = scan(shard, 3, { snapshotId });
  if (reply.kind !== 'failed') throw new Error(reply.kind);
  assert.is(reply.error.code, 'FAILED_PRECONDITION');
  assert.match(reply.error.message, /go on with a new one/);
});

test('keeps no snapshot for a page that found no room in the ring', () => {
  const shard = filled(30, 2000);
  const asked = 30;
  for (let i = 0; i < asked; i++) {
    const parameters = { snapshotId: 0, from: undefined, to: undefined, reverse: false };
    const limits = { limit: 10, bytesMax: 20_000, keysOnly: false };
    const ring = shard.router(0).readRequests;
    assert.ok(tryWriteScan(ring, i, SLOT_MAP_EPOCH, { ...parameters, ...limits }));
  }
  const answered: number[] = [];
  const snapshots = new Set<number>();
  for (let i = 0; answered.length < asked; i++) {
    assert.ok(i < 100, `${answered.length} pages so far`);
    for (let n = 0; n < 20; n++) shard.actor.turn();
    for (const reply of shard.replies('read', 0, 2)) {
      answered.push(reply.callId);
      snapshots.add(pageOf(reply).snapshotId);
    }
  }
  assert.is(snapshots.size, asked, 'each page has its own snapshot');
  assert.equal(
    answered.sort((a, b) => a - b),
    Array.from({ length: asked }, (_, i) => i),
  );
});

run();
