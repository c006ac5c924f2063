import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { InFlightTable, type Waiter } from '../../src/router/in-flight-table.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('InFlightTable');
const nobody = (): Waiter => ({ write: undefined, read: undefined, handler: undefined });
const write = () => {};

function open(table: InFlightTable, shard = 0, deadlineMs = Infinity): number {
  const id = table.nextCallId();
  table.open(shard, deadlineMs, write, undefined, undefined);
  return id;
}

test('gives every call an id of its own and frees its place once', () => {
  const table = new InFlightTable(3);
  const ids = [open(table), open(table), open(table)];
  assert.is(new Set(ids).size, 3);
  assert.not(table.hasRoom);
  assert.throws(() => table.nextCallId());
  const waiter = nobody();
  assert.ok(table.close(ids[1] ?? -1, 0, waiter));
  assert.is(waiter.write, write);
  assert.not(table.close(ids[1] ?? -1, 0, waiter));
  assert.is(table.count, 2);
  const next = open(table);
  assert.not(ids.includes(next), 'the place is used again under another id');
  assert.not(table.close(ids[1] ?? -1, 0, waiter));
  assert.ok(table.close(next, 0, waiter));
});

test('does not take a reply from another shard, nor to an id never given', () => {
  const table = new InFlightTable(3);
  const id = open(table, 1);
  assert.not(table.close(id, 0, nobody()));
  for (const wrong of [3, 7, 4, 2 ** 32 - 1]) assert.not(table.close(wrong, 1, nobody()));
  assert.ok(table.close(id, 1, nobody()));
});

test('ids stay within 32 bits however often a place is used', () => {
  const table = new InFlightTable(2 ** 20);
  for (let i = 0; i < 10_000; i++) {
    const id = open(table);
    assert.ok(Number.isInteger(id) && id >= 0 && id < 2 ** 32);
    assert.ok(table.close(id, 0, nobody()));
  }
});

test('expires by deadline, keeps the place, and never answers twice', () => {
  const table = new InFlightTable(4);
  const early = open(table, 0, 100);
  const late = open(table, 0, 200);
  let answered = 0;
  const each = () => answered++;
  table.expire(99, each);
  assert.is(answered, 0);
  table.expire(100, each);
  table.expire(150, each);
  assert.is(answered, 1);
  assert.is(table.count, 2);
  const waiter = nobody();
  assert.ok(table.close(early, 0, waiter));
  assert.is(waiter.write, undefined);
  table.expire(1000, each);
  assert.is(answered, 2);
  assert.ok(table.close(late, 0, waiter));
  assert.is(table.count, 0);
});

test('closing a shard frees all its places and answers only who still waits', () => {
  const table = new InFlightTable(8);
  open(table, 0, 10);
  open(table, 0);
  const other = open(table, 1);
  let expired = 0;
  table.expire(10, () => expired++);
  let closed = 0;
  table.closeShard(0, () => closed++);
  assert.equal([expired, closed, table.count], [1, 1, 1]);
  assert.ok(table.close(other, 1, nobody()));
});

test('counts like a model for any order of calls, replies, deadlines and deaths', () => {
  const op = fc.record({
    kind: fc.constantFrom('open', 'open', 'close', 'expire', 'die'),
    pick: fc.nat(100),
    shard: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.array(op, { maxLength: 120 }), (ops) => {
      const table = new InFlightTable(10);
      const live = new Map<number, { shard: number; deadline: number; waits: boolean }>();
      let now = 0;
      for (const { kind, pick, shard } of ops) {
        if (kind === 'open' && table.hasRoom) {
          live.set(open(table, shard, now + pick), { shard, deadline: now + pick, waits: true });
        } else if (kind === 'close' && live.size > 0) {
          const [id, call] = [...live][pick % live.size] ?? [0, undefined];
          const waiter = nobody();
          assert.ok(call !== undefined && table.close(id, call.shard, waiter));
          assert.is(waiter.write !== undefined, call?.waits);
          live.delete(id);
        } else if (kind === 'expire') {
          now += pick;
          let count = 0;
          table.expire(now, () => count++);
          const due = [...live.values()].filter((c) => c.waits && c.deadline <= now);
          for (const call of due) call.waits = false;
          assert.is(count, due.length);
        } else if (kind === 'die') {
          let count = 0;
          table.closeShard(shard, () => count++);
          const dead = [...live].filter(([, call]) => call.shard === shard);
          assert.is(count, dead.filter(([, call]) => call.waits).length);
          for (const [id] of dead) live.delete(id);
        }
        assert.is(table.count, live.size);
      }
    }),
    { numRuns: 500 },
  );
});

run();
