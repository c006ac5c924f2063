import * as assert from 'uvu/assert';
import { type ArenaBorrower, ArenaPool } from '../../src/supervisor/arena-pool.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('ArenaPool');

class Borrower implements ArenaBorrower {
  readonly granted: SharedArrayBuffer[] = [];
  constructor(readonly shard: number) {}
  grantArena(arena: SharedArrayBuffer): void {
    this.granted.push(arena);
  }
}

/** A pool whose touch jobs end when the test says so. */
function makePool(count: number, shardCount: number) {
  const touches: { arena: SharedArrayBuffer; end: () => void }[] = [];
  const touch = (arena: SharedArrayBuffer) =>
    new Promise<void>((resolve) => touches.push({ arena, end: resolve }));
  return { pool: new ArenaPool({ count, shardCount, arenaBytes: 64, touch }), touches };
}

const first = <T>(list: T[]): T => {
  const [item] = list;
  assert.ok(item !== undefined);
  return item;
};

test('lends each new life one arena, or two where there are two for everyone', () => {
  assert.is(makePool(3, 2).pool.lendFirst(new Borrower(0)).length, 1);
  const { pool } = makePool(4, 2);
  assert.is(pool.lendFirst(new Borrower(0)).length, 2);
  assert.is(pool.lendFirst(new Borrower(1)).length, 2);
  assert.is(pool.freeCount, 0);
});

test('keeps back what shards without an arena will need', () => {
  const { pool } = makePool(3, 3);
  const greedy = new Borrower(0);
  assert.is(pool.lendFirst(greedy).length, 1);
  pool.want(greedy);
  assert.is(greedy.granted.length, 0);
  assert.is(pool.freeCount, 2);
  assert.is(pool.lendFirst(new Borrower(1)).length, 1);
  assert.is(pool.lendFirst(new Borrower(2)).length, 1);
});

test('grants in the order of the wishes, whoever is passed over first of all later', () => {
  const { pool } = makePool(3, 2);
  const [a, b] = [new Borrower(0), new Borrower(1)];
  const firstOfA = first(pool.lendFirst(a));
  pool.lendFirst(b);
  pool.want(a);
  pool.want(b);
  assert.is(a.granted.length, 1);
  assert.is(b.granted.length, 0);
  assert.ok(pool.giveBack(a, firstOfA));
  assert.is(b.granted.length, 1);
});

test('drops an arena that it did not lend to this borrower', () => {
  const { pool } = makePool(2, 2);
  const [a, b] = [new Borrower(0), new Borrower(1)];
  const lent = first(pool.lendFirst(a));
  pool.lendFirst(b);
  assert.not(pool.giveBack(b, lent));
  assert.not(pool.giveBack(a, new SharedArrayBuffer(64)));
  assert.is(pool.freeCount, 0);
  assert.ok(pool.giveBack(a, lent));
  assert.not(pool.giveBack(a, lent), 'not twice');
  assert.is(pool.freeCount, 1);
});

test('takes all arenas of a dead life back, what a job reads when it ends', () => {
  const { pool } = makePool(4, 2);
  const dead = new Borrower(0);
  const [read, idle] = pool.lendFirst(dead);
  assert.ok(read !== undefined && idle !== undefined);
  const unpin = pool.pin(dead, read);
  assert.ok(unpin !== undefined);
  pool.reclaim(dead);
  assert.is(pool.freeCount, 3);
  const heir = new Borrower(0);
  assert.not(pool.lendFirst(heir).includes(read));
  unpin();
  unpin();
  assert.is(pool.freeCount, 2);
});

test('serves a restarted shard as soon as an arena is free', () => {
  const { pool } = makePool(2, 2);
  const [dead, other] = [new Borrower(0), new Borrower(1)];
  const read = first(pool.lendFirst(dead));
  pool.lendFirst(other);
  const unpin = pool.pin(dead, read);
  pool.reclaim(dead);
  const heir = new Borrower(0);
  assert.equal(pool.lendFirst(heir), []);
  unpin?.();
  assert.equal(heir.granted, [read]);
});

test('forgets the wishes of a dead life', () => {
  const { pool } = makePool(2, 2);
  const [a, b] = [new Borrower(0), new Borrower(1)];
  pool.lendFirst(a);
  const lent = first(pool.lendFirst(b));
  pool.want(a);
  pool.reclaim(a);
  assert.ok(pool.giveBack(b, lent));
  assert.is(a.granted.length, 0);
  assert.is(pool.freeCount, 2);
});

test('touches spare arenas one after the other and lends none meanwhile', async () => {
  const { pool, touches } = makePool(4, 1);
  const borrower = new Borrower(0);
  assert.is(pool.lendFirst(borrower).length, 2);
  pool.startTouching();
  assert.is(touches.length, 1);
  assert.is(pool.freeCount, 1);
  pool.want(borrower);
  pool.want(borrower);
  assert.is(borrower.granted.length, 1);
  first(touches).end();
  await Promise.resolve();
  assert.equal(borrower.granted[1], touches[0]?.arena);
  assert.is(touches.length, 1, 'the other one is in use by now');
});

test('never touches the arena that a shard without one will need', () => {
  const { pool, touches } = makePool(2, 2);
  pool.lendFirst(new Borrower(0));
  pool.startTouching();
  assert.is(touches.length, 0);
});

test('lends nothing once closed', () => {
  const { pool } = makePool(2, 1);
  pool.close();
  assert.equal(pool.lendFirst(new Borrower(0)), []);
});

run();
