/** The shard's conversation with its routers, through rings on one thread. */
import * as assert from 'uvu/assert';
import { ActorRig, brokenRun, onlyOne, type Reply } from '../harness/actor-rig.js';
import { EngineRig, smallOptions } from '../harness/engine-rig.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('ShardActor');
const MESSAGE_WRITE = 1;

function callIds(replies: readonly Reply[]): number[] {
  return replies.map(({ callId }) => callId).sort((a, b) => a - b);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function failure(reply: Reply) {
  if (reply.kind !== 'failed') throw new Error(`Not a failure: ${reply.kind}`);
  return reply.error;
}

test('answers writes with their sequences and reads with what was written', () => {
  const shard = new ActorRig();
  const two = [
    { key: 'a', value: '1' },
    { key: 'b', value: '2' },
  ];
  assert.equal(shard.writeNow(1, two), { callId: 1, kind: 'written', sequence: 1, count: 2 });
  const third = shard.writeNow(2, [{ key: 'a', value: '3' }]);
  assert.equal(third, { callId: 2, kind: 'written', sequence: 3, count: 1 });
  assert.equal(shard.getNow(3, 'a'), { callId: 3, kind: 'value', sequence: 3, value: '3' });
  assert.equal(shard.getNow(4, 'b'), { callId: 4, kind: 'value', sequence: 2, value: '2' });
  assert.equal(shard.getNow(5, 'c'), { callId: 5, kind: 'missing' });
  const gone = shard.writeNow(6, [{ key: 'a', value: undefined }]);
  assert.equal(gone, { callId: 6, kind: 'written', sequence: 4, count: 1 });
  assert.equal(shard.getNow(7, 'a'), { callId: 7, kind: 'missing' });
  assert.is(shard.stats.get('readsTotal'), 4);
  assert.is(shard.stats.get('readsMissedTotal'), 2);
  assert.is(shard.stats.get('writesTotal'), 3);
  assert.is(shard.stats.get('writeEntriesTotal'), 4);
  assert.is(shard.stats.get('durableSequence'), 4);
});

test('refuses requests of another slot map, in both lanes, and stores nothing', () => {
  const shard = new ActorRig();
  shard.write(1, [{ key: 'a', value: '1' }], 0, 6);
  shard.get(2, 'a', 0, 8);
  shard.turns();
  for (const lane of ['write', 'read'] as const) {
    const error = failure(onlyOne(shard.replies(lane)));
    assert.is(error.code, 'WRONG_SHARD');
    assert.is(error.outcome, 'not-applied');
    assert.match(error.message, /slot map [68], this shard serves 7/);
  }
  assert.is(shard.getNow(3, 'a').kind, 'missing');
  assert.is(shard.rig.engine.figures().durableSequence, 0);
});

test('refuses a malformed run whole, and its neighbours in the group are stored', () => {
  const shard = new ActorRig();
  shard.write(1, [{ key: 'before', value: '1' }]);
  shard.send('write', MESSAGE_WRITE, 2, brokenRun());
  shard.send('write', MESSAGE_WRITE, 3, new Uint8Array(0));
  shard.send('write', MESSAGE_WRITE, 4, Uint8Array.of(0));
  shard.send('write', MESSAGE_WRITE, 5, Uint8Array.of(9, 0xc4, 1, 65, 0xc0));
  shard.write(6, [{ key: '', value: 'no key' }]);
  shard.write(7, [{ key: 'after', value: '2' }]);
  shard.turns();
  const replies = new Map(shard.replies('write').map((reply) => [reply.callId, reply]));
  assert.is(replies.size, 7);
  for (const callId of [2, 3, 4, 5, 6]) {
    const error = failure(replies.get(callId)!);
    assert.is(error.code, 'INVALID_ARGUMENT', `call ${callId}`);
    assert.is(error.outcome, 'not-applied');
  }
  assert.equal(replies.get(7), { callId: 7, kind: 'written', sequence: 2, count: 1 });
  assert.is(shard.getNow(8, 'first').kind, 'missing');
  assert.is(shard.getNow(9, 'before').kind, 'value');
  assert.is(shard.stats.get('writesRefusedTotal'), 5);
});

test('makes one group, one write and one sync of all that waits in a turn', () => {
  const shard = new ActorRig({ routers: 3 });
  shard.settle();
  const before = { ...shard.disk.counts };
  for (let i = 0; i < 90; i++) shard.write(i, [{ key: `k${i}`, value: `v${i}` }], i % 3);
  shard.actor.turn();
  assert.is(shard.disk.counts.sync - before.sync, 1, 'one sync');
  assert.is(shard.disk.counts.write - before.write, 1, 'one write');
  assert.is(shard.stats.get('groupsTotal'), 1);
  const replies = upTo(3).flatMap((router) => shard.replies('write', router));
  assert.equal(callIds(replies), upTo(90));
  const sequences = replies.map((reply) => (reply.kind === 'written' ? reply.sequence : -1));
  assert.equal(
    sequences.sort((a, b) => a - b),
    upTo(90).map((i) => i + 1),
    'each its own sequence',
  );
});

test('keeps the order of one router within a group', () => {
  const shard = new ActorRig();
  for (let i = 0; i < 50; i++) shard.write(i, [{ key: 'same', value: `v${i}` }]);
  shard.turns();
  const last = onlyOne(shard.replies('write').slice(-1));
  assert.equal(last, { callId: 49, kind: 'written', sequence: 50, count: 1 });
  const found = shard.getNow(50, 'same');
  assert.equal(found, { callId: 50, kind: 'value', sequence: 50, value: 'v49' });
});

test('acknowledges nothing before the sync that covers it', () => {
  const shard = new ActorRig();
  shard.settle();
  shard.write(1, [{ key: 'a', value: '1' }]);
  const early: Reply[] = [];
  shard.disk.beforeOperation = ({ kind }) => {
    if (kind === 'sync') early.push(...shard.replies('write'));
  };
  shard.turns();
  shard.disk.beforeOperation = undefined;
  assert.equal(early, []);
  assert.is(onlyOne(shard.replies('write')).kind, 'written');
});

test('keeps reads in their ring while their replies have no room, and loses none', () => {
  const shard = new ActorRig({ sizes: { readReplyBytes: 4096, readRequestBytes: 16 * 1024 } });
  const value = 'v'.repeat(900);
  for (let i = 0; i < 10; i++) shard.writeNow(i, [{ key: `k${i}`, value }]);
  for (let i = 0; i < 100; i++) assert.ok(shard.get(i, `k${i % 12}`));
  const all: Reply[] = [];
  for (let i = 0; all.length < 100; i++) {
    assert.ok(i < 200, `${all.length} answers so far`);
    const turn = shard.turns();
    assert.is(turn.kind, 'until', 'it does not spin while the router is away');
    const some = shard.replies('read', 0, 3);
    assert.ok(some.length > 0);
    all.push(...some);
  }
  assert.equal(
    all.map(({ callId }) => callId),
    upTo(100),
    'each once, in order',
  );
  for (const reply of all) {
    const isThere = reply.callId % 12 < 10;
    assert.is(reply.kind, isThere ? 'value' : 'missing');
    if (reply.kind === 'value') assert.is(reply.value, value);
  }
});

test('takes only as many writes as it has room to answer, and loses none', () => {
  const shard = new ActorRig({ sizes: { writeReplyBytes: 4096 } });
  for (let i = 0; i < 400; i++) assert.ok(shard.write(i, [{ key: `k${i}`, value: 'v' }]));
  shard.turns();
  assert.ok(shard.stats.get('writesTotal') < 400, 'some had to wait');
  const all = shard.replies('write');
  for (let i = 0; all.length < 400; i++) {
    assert.ok(i < 100, `${all.length} answers so far`);
    shard.settle();
    all.push(...shard.replies('write'));
  }
  assert.equal(
    all.map(({ callId }) => callId),
    upTo(400),
  );
  assert.ok(all.every(({ kind }) => kind === 'written'));
});

test('holds a write while no arena is free, reads go on, and answers it after a flush', () => {
  const shard = new ActorRig({ arenas: 2 });
  const value = 'v'.repeat(3000);
  let callId = 0;
  for (let held = false; !held; callId++) {
    assert.ok(callId < 100, 'two arenas are full some time');
    shard.write(callId, [{ key: `k${callId}`, value }]);
    shard.turns();
    shard.rig.jobs.runAll('fill-segment');
    held = shard.replies('write').length === 0;
  }
  const waiting = callId - 1;
  assert.is(shard.rig.engine.figures().frozenMemTables, 1);
  assert.is(shard.getNow(1000, `k${waiting}`).kind, 'missing');
  assert.is(shard.getNow(1001, 'k0').kind, 'value');
  assert.is(shard.turns().kind, 'until', 'it sleeps over the held write');
  shard.settle();
  const reply = onlyOne(shard.replies('write'));
  assert.equal(reply, { callId: waiting, kind: 'written', sequence: waiting + 1, count: 1 });
  const keys = upTo(callId).map((i) => shard.getNow(2000 + i, `k${i}`).kind);
  assert.ok(keys.every((kind) => kind === 'value'));
});

test('holds the writes behind a held one in their order', () => {
  const shard = new ActorRig({ arenas: 2 });
  const value = 'v'.repeat(2000);
  for (let i = 0; i < 25; i++) assert.ok(shard.write(i, [{ key: 'same', value: `${i}:${value}` }]));
  shard.turns();
  const first = shard.replies('write');
  assert.ok(first.length < 25, 'not all of it fits two arenas');
  shard.settle();
  const all = [...first, ...shard.replies('write')];
  assert.equal(
    all.map(({ callId }) => callId),
    upTo(25),
  );
  assert.equal(
    all.map((reply) => (reply.kind === 'written' ? reply.sequence : 0)),
    upTo(25).map((i) => i + 1),
  );
});

test('answers a failed sync with an unknown outcome, and nothing after it', () => {
  const shard = new ActorRig({ routers: 2 });
  shard.settle();
  shard.writeNow(1, [{ key: 'sure', value: '1' }]);
  shard.disk.fail({ kind: 'sync', code: 'EIO', path: '.seg' });
  shard.write(2, [{ key: 'a', value: '1' }], 0);
  shard.write(3, [{ key: 'b', value: '2' }], 1);
  const turn = shard.actor.turn();
  if (turn.kind !== 'poisoned') throw new Error(`The turn says ${turn.kind}`);
  assert.match(turn.message, /EIO/);
  for (const [router, callId] of [
    [0, 2],
    [1, 3],
  ] as const) {
    const reply = onlyOne(shard.replies('write', router));
    assert.is(reply.callId, callId);
    const error = failure(reply);
    assert.is(error.code, 'UNAVAILABLE');
    assert.is(error.outcome, 'unknown');
    assert.match(error.message, /may be stored or not/);
  }
  shard.write(4, [{ key: 'late', value: '3' }]);
  assert.is(shard.actor.turn().kind, 'poisoned', 'it stays so');
  assert.equal(shard.replies('write'), []);
  assert.is(shard.stats.get('durableSequence'), 1);
});

test('answers a failed write to the log in the same way', () => {
  const shard = new ActorRig();
  shard.settle();
  shard.disk.fail({ kind: 'write', code: 'EIO', path: '.seg' });
  shard.write(1, [{ key: 'a', value: '1' }]);
  assert.is(shard.actor.turn().kind, 'poisoned');
  const error = failure(onlyOne(shard.replies('write')));
  assert.is(error.code, 'UNAVAILABLE');
  assert.is(error.outcome, 'unknown');
});

test('tells a damaged table apart from a missing key', () => {
  const shard = new ActorRig({ engine: { walLiveBytesMax: 64 * 1024 } });
  for (let i = 0; i < 40; i++) {
    shard.writeNow(i, [{ key: `k${i}`, value: 'v'.repeat(200) }]);
    shard.settle();
  }
  assert.ok(shard.rig.engine.figures().tables > 0);
  for (const name of shard.disk.list('/data/shard-000').filter((each) => each.endsWith('.sst'))) {
    const path = `/data/shard-000/${name}`;
    const bytes = shard.disk.contentOf(path);
    bytes.fill(0xff, 0, 400);
    shard.disk.replaceContent(path, bytes);
  }
  const kinds = upTo(40).map((i) => shard.getNow(100 + i, `k${i}`));
  const failures = kinds.filter(({ kind }) => kind === 'failed').map(failure);
  assert.ok(failures.length > 0, 'some keys lay in the damage');
  assert.ok(failures.every(({ code }) => code === 'DATA_CORRUPTION'));
  assert.ok(!kinds.some(({ kind }) => kind === 'missing'), 'no key is said to be missing');
});

test('totals go on through the lives of a shard, and what is there now does not add up', () => {
  const engine = { walLiveBytesMax: 64 * 1024 };
  const first = new ActorRig({ engine });
  for (let i = 0; i < 40; i++) {
    first.writeNow(i, [{ key: `k${i}`, value: 'v'.repeat(200) }]);
    first.settle();
  }
  first.actor.stop();
  const before = first.stats.all();
  assert.ok(before.flushesTotal > 0 && before.flushBytesTotal > 0);
  const second = new ActorRig({ engine, disk: first.disk, stats: first.stats });
  second.actor.publishFigures();
  const after = second.stats.all();
  assert.is(after.flushesTotal, before.flushesTotal);
  assert.is(after.mergeWrittenBytesTotal, before.mergeWrittenBytesTotal);
  assert.is(after.tables, before.tables);
  assert.is(after.tableEntries, before.tableEntries);
  assert.ok(after.tableEntries > 0 && after.tableEntries <= 40);
});

test('wakes a router that sleeps, once, and none that has no replies', () => {
  const shard = new ActorRig({ routers: 2 });
  shard.sleep(0);
  shard.sleep(1);
  for (let i = 0; i < 10; i++) shard.write(i, [{ key: `k${i}`, value: 'v' }], 0);
  shard.turns();
  assert.equal(shard.wakes, [1, 0]);
  shard.sleep(0);
  shard.get(11, 'k1', 1);
  shard.turns();
  assert.equal(shard.wakes, [1, 1]);
});

test('refuses messages that are in the wrong lane', () => {
  const shard = new ActorRig();
  shard.send('read', MESSAGE_WRITE, 1, brokenRun());
  shard.send('write', 2, 2, Buffer.from('key'));
  shard.turns();
  for (const lane of ['read', 'write'] as const) {
    assert.is(failure(onlyOne(shard.replies(lane))).code, 'UNIMPLEMENTED');
  }
});

test('gives both lanes a part of each turn, however long the queue of reads', () => {
  const shard = new ActorRig();
  for (let i = 0; i < 600; i++) assert.ok(shard.get(i, 'k'));
  shard.write(1000, [{ key: 'k', value: 'v' }]);
  assert.is(shard.actor.turn().kind, 'again');
  assert.is(onlyOne(shard.replies('write')).callId, 1000);
  const inOneTurn = shard.replies('read').length;
  assert.ok(inOneTurn > 0 && inOneTurn < 600, `${inOneTurn} reads in one turn`);
  shard.turns();
  assert.is(inOneTurn + shard.replies('read').length, 600);
});

test('answers at an orderly stop what was taken, and its log needs no recovery of a tail', () => {
  const shard = new ActorRig();
  shard.write(1, [{ key: 'a', value: '1' }]);
  shard.get(2, 'a');
  shard.actor.stop();
  assert.is(onlyOne(shard.replies('write')).kind, 'written');
  assert.is(onlyOne(shard.replies('read')).callId, 2);
  assert.is(shard.stats.get('durableSequence'), 1);
  shard.disk.crash(1, 'synced-only');
  const again = new EngineRig(shard.disk, 2, smallOptions());
  assert.is(again.get('a'), '1');
  assert.is(again.engine.report.tornTail, false);
});

run();
