import * as assert from 'uvu/assert';
import { MemTable } from '../../src/shard/mem-table.js';
import { MemTableStack } from '../../src/shard/mem-table-stack.js';
import { KIND_PUT } from '../../src/storage/entry-cursor.js';
import { LookupResult } from '../../src/storage/lookup.js';
import { MergeCursor } from '../../src/storage/merge-cursor.js';
import { PlainArenas } from '../harness/engine-rig.js';
import { allOf, bytesOf, textOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('MemTableStack');
const BYTES = 8192;
const NEWEST = Number.MAX_SAFE_INTEGER;

function add(table: MemTable, key: string, value: string, sequence: number): void {
  const bytes = bytesOf(key + value);
  table.add(bytes, 0, key.length, key.length, value.length, KIND_PUT, 0, sequence);
}

function find(stack: MemTableStack, key: string, snapshot = NEWEST): string | undefined {
  const found = new LookupResult();
  if (!stack.get(bytesOf(key), 0, key.length, snapshot, found)) return undefined;
  return textOf(found.valueBytes, found.valueStart, found.valueLength);
}

function tableOf(...keys: string[]): MemTable {
  const table = new MemTable(new SharedArrayBuffer(BYTES));
  for (const [i, key] of keys.entries()) add(table, key, 'replayed', i + 1);
  return table;
}

test('finds the newest version, whichever table it is in', () => {
  const stack = new MemTableStack(new PlainArenas(3, BYTES), []);
  for (let sequence = 1; sequence <= 3; sequence++) {
    add(stack.active, 'k', `v${sequence}`, sequence);
    add(stack.active, `only ${sequence}`, 'v', sequence);
    if (sequence < 3) stack.freeze();
  }
  assert.is(stack.frozen.length, 2);
  for (let snapshot = 1; snapshot <= 3; snapshot++) {
    assert.is(find(stack, 'k', snapshot), `v${snapshot}`);
    assert.is(find(stack, `only ${snapshot}`), 'v');
  }
  assert.is(find(stack, 'k', 0), undefined);
  while (!stack.prepareOrder());
  const all = allOf(new MergeCursor(stack.cursors()));
  assert.equal(
    all.map(({ key, sequence }) => `${key} ${sequence}`),
    ['k 3', 'k 2', 'k 1', 'only 1 1', 'only 2 2', 'only 3 3'],
  );
  assert.is(
    stack.bytes,
    [...stack.frozen, stack.active].reduce((sum, { usedBytes }) => sum + usedBytes, 0),
  );
});

test('does without an active table while no arena is at hand, and takes the next one', () => {
  const arenas = new PlainArenas(1, BYTES);
  const stack = new MemTableStack(arenas, []);
  add(stack.active, 'k', 'v', 1);
  assert.not(stack.canFreeze);
  stack.freeze();
  assert.not(stack.ensureActive());
  assert.throws(() => stack.active, /active/);
  assert.is(find(stack, 'k'), 'v', 'reads go on');
  while (!stack.prepareOrder());
  assert.is(allOf(new MergeCursor(stack.cursors())).length, 1);
  stack.freeze();
  assert.is(stack.frozen.length, 1, 'there was nothing to freeze');
  stack.dropOldest();
  assert.ok(arenas.atHand, 'the arena went back');
  assert.ok(stack.ensureActive());
  assert.is(find(stack, 'k'), undefined);
});

test('goes on in the last table of a replay and keeps those before it frozen', () => {
  const arenas = new PlainArenas(0, BYTES);
  const stack = new MemTableStack(arenas, [tableOf('a'), tableOf('b'), tableOf('c')]);
  assert.is(stack.frozen.length, 2);
  assert.is(find(stack, 'a'), 'replayed');
  assert.is(stack.active.entryCount, 1);
  add(stack.active, 'd', 'new', 9);
  assert.is(find(stack, 'd'), 'new');
});

test('gives the arenas of empty replayed tables back', () => {
  const arenas = new PlainArenas(0, BYTES);
  const stack = new MemTableStack(arenas, [tableOf('a'), tableOf()]);
  assert.is(stack.frozen.length, 0);
  assert.is(stack.active.entryCount, 1);
  assert.ok(arenas.atHand);
});

test('drops frozen tables oldest first', () => {
  const stack = new MemTableStack(new PlainArenas(4, BYTES), [tableOf('a'), tableOf('b')]);
  stack.freeze();
  stack.dropOldest();
  assert.is(find(stack, 'a'), undefined);
  assert.is(find(stack, 'b'), 'replayed');
  stack.dropOldest();
  assert.throws(() => stack.dropOldest(), /frozen/);
});

run();
