import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { RunReader, writeExpiringPut } from '../../src/base/entry-run.js';
import { StormError } from '../../src/base/errors.js';
import { CommitGroup } from '../../src/shard/commit-group.js';
import { MemTable } from '../../src/shard/mem-table.js';
import { KIND_DELETE } from '../../src/storage/entry-cursor.js';
import { FRAME_HEADER_BYTES } from '../../src/storage/log-frame.js';
import { LookupResult } from '../../src/storage/lookup.js';
import { brokenRun } from '../harness/actor-rig.js';
import { type Change, encodeRun } from '../harness/engine-rig.js';
import { bytesOf, textOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('CommitGroup');
const PAYLOAD_MAX = 64 * 1024;

const put = (key: string, value: string): Change => ({ key, value });
const remove = (key: string): Change => ({ key, value: undefined });

function stage(group: CommitGroup, callId: number, batch: Change[]): void {
  // Somewhere within a larger buffer, as in a ring.
  const encoded = Buffer.concat([Buffer.of(1, 2, 3), encodeRun(batch), Buffer.of(4)]);
  group.stage(0, callId, encoded, 3, encoded.length - 4);
}

function find(group: CommitGroup, key: string): number {
  const bytes = bytesOf(`-${key}-`);
  return group.find(bytes, 1, key.length);
}

/** The entries of the frame's payload, read as recovery does. */
function payloadOf(group: CommitGroup): Change[] {
  const reader = new RunReader();
  reader.reset(group.bytes, FRAME_HEADER_BYTES, group.payloadLength);
  const changes: Change[] = [];
  while (reader.next()) {
    const key = textOf(reader.bytes, reader.keyStart, reader.keyLength);
    const value = textOf(reader.bytes, reader.valueStart, reader.valueLength);
    changes.push({ key, value: reader.isDelete ? undefined : value });
  }
  return changes;
}

const changes = fc.array(
  fc.record(
    {
      key: fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 3 }),
      value: fc.option(fc.string({ unit: fc.constantFrom('x', 'y'), maxLength: 300 }), {
        nil: undefined,
      }),
    },
    { noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 6 },
);
const steps = fc.array(fc.record({ batch: changes, isKept: fc.boolean() }), { maxLength: 12 });

test('is one run of all that was staged and not unstaged, in order', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const group = new CommitGroup(PAYLOAD_MAX);
      const kept: Change[] = [];
      for (const [callId, { batch, isKept }] of list.entries()) {
        if (callId % 3 === 1) find(group, 'a');
        stage(group, callId, batch);
        if (isKept) kept.push(...batch);
        else group.unstage();
      }
      assert.equal(payloadOf(group), kept);
      assert.is(group.count, kept.length);
      assert.equal(
        group.requests.map(({ callId }) => callId),
        list.flatMap(({ isKept }, callId) => (isKept ? [callId] : [])),
      );
      for (const key of ['a', 'b', 'abc', 'never']) {
        const index = kept.map((change) => change.key).lastIndexOf(key);
        assert.is(find(group, key), index);
        if (index >= 0) assert.is(group.isDelete(index), kept[index]?.value === undefined);
      }
    }),
  );
});

test('applies its entries with rising sequences, each request its own', () => {
  const group = new CommitGroup(PAYLOAD_MAX);
  stage(group, 1, [put('a', '1'), put('b', '2')]);
  stage(group, 2, [put('a', '3'), remove('b'), put('c', '')]);
  assert.equal(group.requests, [
    { link: 0, callId: 1, firstIndex: 0, count: 2 },
    { link: 0, callId: 2, firstIndex: 2, count: 3 },
  ]);
  group.firstSequence = 2 ** 32 - 2;
  const table = new MemTable(new SharedArrayBuffer(1 << 16));
  group.applyTo(table);
  const found = new LookupResult();
  const look = (key: string, snapshot: number): string => {
    if (!table.get(bytesOf(key), 0, key.length, snapshot, found)) return 'nothing';
    if (found.kind === KIND_DELETE) return `deleted at +${found.sequence - group.firstSequence}`;
    const value = textOf(found.valueBytes, found.valueStart, found.valueLength);
    return `${value} at +${found.sequence - group.firstSequence}`;
  };
  const newest = Number.MAX_SAFE_INTEGER;
  assert.equal(
    [look('a', newest), look('b', newest), look('c', newest)],
    ['3 at +2', 'deleted at +3', ' at +4'],
  );
  const before = group.firstSequence + 1;
  assert.equal(
    [look('a', before), look('b', before), look('c', before)],
    ['1 at +0', '2 at +1', 'nothing'],
  );
  assert.ok(table.dataBytes <= group.arenaBound, 'within the bound it told');
});

test('makes durations absolute by the commit time', () => {
  const group = new CommitGroup(PAYLOAD_MAX);
  const encoded = new Uint8Array(100);
  const end = writeExpiringPut(encoded, 1, bytesOf('k'), bytesOf('v'), 5000);
  group.stage(0, 1, encoded, 0, end);
  group.firstSequence = 1;
  group.commitTimeMs = 1_700_000_000_000;
  const table = new MemTable(new SharedArrayBuffer(1 << 16));
  group.applyTo(table);
  const found = new LookupResult();
  assert.ok(table.get(bytesOf('k'), 0, 1, 1, found));
  assert.is(found.expiresAtMs, 1_700_000_005_000);
  assert.is(textOf(found.valueBytes, found.valueStart, found.valueLength), 'v');
});

test('holds more entries than it first had places for', () => {
  const group = new CommitGroup(1 << 20);
  const batch = Array.from({ length: 5000 }, (_, i) => put(`k${i}`, `${i}`));
  for (let callId = 0; callId < 3; callId++) stage(group, callId, batch);
  assert.is(group.count, 15_000);
  assert.is(find(group, 'k4999'), 14_999);
  group.firstSequence = 1;
  const table = new MemTable(new SharedArrayBuffer(4 << 20));
  group.applyTo(table);
  assert.is(table.entryCount, 15_000);
  assert.is(table.keyCount, 5000);
});

test('takes nothing of a malformed run', () => {
  const group = new CommitGroup(PAYLOAD_MAX);
  stage(group, 1, [put('a', '1')]);
  find(group, 'a');
  const malformed = [
    brokenRun(),
    new Uint8Array(0),
    Uint8Array.of(0),
    Uint8Array.of(1, 0xc4, 1, 65, 0xc0),
    encodeRun([put('good', '1'), put('', 'no key')]),
  ];
  for (const bytes of malformed) {
    try {
      group.stage(0, 2, bytes, 0, bytes.length);
      assert.unreachable();
    } catch (error) {
      if (!(error instanceof StormError)) throw error;
      assert.is(error.code, 'INVALID_ARGUMENT');
    }
    assert.is(group.count, 1);
    assert.is(group.requests.length, 1);
    assert.equal(payloadOf(group), [put('a', '1')]);
    assert.is(find(group, 'first'), -1);
    assert.is(find(group, 'good'), -1);
  }
  stage(group, 3, [put('b', '2')]);
  assert.equal(payloadOf(group), [put('a', '1'), put('b', '2')]);
  assert.is(find(group, 'b'), 1);
});

test('is empty again after a reset, whatever it held', () => {
  const group = new CommitGroup(PAYLOAD_MAX);
  stage(group, 1, [put('a', '1')]);
  assert.is(find(group, 'a'), 0);
  group.reset();
  assert.is(find(group, 'a'), -1);
  assert.is(group.count, 0);
  assert.is(group.arenaBound, 0);
  stage(group, 2, [put('b', '2')]);
  assert.equal(payloadOf(group), [put('b', '2')]);
});

test('tells when a run no longer fits, and insists on being asked', () => {
  const group = new CommitGroup(200);
  const encoded = encodeRun([put('k', 'v'.repeat(100))]);
  assert.ok(group.hasRoomFor(encoded.length));
  group.stage(0, 1, encoded, 0, encoded.length);
  assert.not(group.hasRoomFor(encoded.length));
  assert.throws(() => group.stage(0, 2, encoded, 0, encoded.length), /room/);
  assert.throws(() => new CommitGroup(200).unstage(), /staged/);
});

run();
