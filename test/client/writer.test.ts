import * as assert from 'uvu/assert';
import { RunReader } from '../../src/base/entry-run.js';
import { StormError } from '../../src/base/errors.js';
import { RunBuilder } from '../../src/base/run-builder.js';
import { BatchWrite } from '../../src/client/batch-write.js';
import { WriteLane } from '../../src/client/write-lane.js';
import { Writer, type WriterOptions } from '../../src/client/writer.js';
import { decodeBatchSetRequest } from '../../src/rpc/batch-codec.js';
import { suite } from '../harness/suite.js';
import { FakeChannel, ManualTimers, microtasks } from './client-rig.js';

const { test, run } = suite('The writer of the client');

const OPTIONS: WriterOptions = {
  batchEntriesMax: 10,
  batchBytesMax: 100_000,
  lingerMs: 0,
  backlogEntriesMax: 100,
  deadlineMs: 1000,
  retryUnknown: false,
};

interface Rig {
  timers: ManualTimers;
  channel: FakeChannel;
  writer: Writer;
  lane: WriteLane;
  /** Starts a write; its outcome appears in `outcomes`. */
  write(key: string): void;
  outcomes: Map<string, string>;
}

function rig(options: Partial<WriterOptions> = {}, flightsMax = 2): Rig {
  const timers = new ManualTimers();
  const channel = new FakeChannel();
  const writer = new Writer({ ...OPTIONS, ...options }, timers);
  const lane = new WriteLane(
    channel,
    {
      answered: (flight, answer) => writer.answered(flight, answer),
      lost: (flight, error) => writer.lost(flight, error),
      hasRoom: () => writer.dispatch(),
    },
    timers,
    flightsMax,
  );
  writer.useLanes([lane]);
  const outcomes = new Map<string, string>();
  const write = (key: string): void => {
    writer.write(Buffer.from(key), Buffer.from('v'), 0, (error) => {
      assert.not.ok(outcomes.has(key), `${key} is settled once`);
      outcomes.set(key, error === undefined ? 'written' : `${error.code} ${error.outcome}`);
    });
  };
  return { timers, channel, writer, lane, write, outcomes };
}

async function settle({ timers }: Rig): Promise<void> {
  timers.pass(0);
  await microtasks();
}

function keysOf(message: Buffer | undefined): string[] {
  const { run } = decodeBatchSetRequest(message ?? Buffer.alloc(0));
  const reader = new RunReader();
  reader.reset(run, 0, run.length);
  const keys: string[] = [];
  while (reader.next()) {
    const { keyStart, keyLength } = reader;
    keys.push(Buffer.from(run.subarray(keyStart, keyStart + keyLength)).toString());
  }
  return keys;
}

const busy = new StormError('RESOURCE_EXHAUSTED', 'busy', { retryAfterMs: 40 });
const lost = new StormError('UNAVAILABLE', 'lost', { outcome: 'unknown' });
const wrong = new StormError('INVALID_ARGUMENT', 'wrong');

test('what is written in one turn travels together, up to the size of a batch', async () => {
  const house = rig();
  for (let i = 0; i < 13; i++) house.write(`k${i}`);
  await settle(house);
  assert.equal(
    house.channel.batches.map((batch) => keysOf(batch).length),
    [10, 3],
  );
  house.channel.answer(10);
  house.channel.answer(3);
  assert.is(house.outcomes.size, 13);
  assert.ok([...house.outcomes.values()].every((outcome) => outcome === 'written'));
  assert.is(house.writer.backlogEntries, 0);
});

test('while every connection is busy, writes gather', async () => {
  const house = rig({}, 1);
  house.write('first');
  await settle(house);
  for (const key of ['a', 'b', 'c']) {
    house.write(key);
    await settle(house);
  }
  assert.is(house.channel.batches.length, 1);
  house.channel.answer(1);
  await settle(house);
  assert.equal(keysOf(house.channel.batches[1]), ['a', 'b', 'c']);
});

test('refused entries are sent again after the pause that the server asks for', async () => {
  const house = rig();
  for (const key of ['a', 'b', 'c']) house.write(key);
  await settle(house);
  house.channel.answer(1, [
    { index: 0, error: busy },
    { index: 2, error: wrong },
  ]);
  assert.equal(
    [...house.outcomes],
    [
      ['b', 'written'],
      ['c', 'INVALID_ARGUMENT not-applied'],
    ],
  );
  house.timers.pass(39);
  assert.is(house.channel.batches.length, 1);
  house.timers.pass(1);
  assert.equal(keysOf(house.channel.batches[1]), ['a']);
  house.channel.answer(1);
  assert.is(house.outcomes.get('a'), 'written');
});

test('a write that never finds room fails at its deadline, surely not applied', async () => {
  const house = rig();
  house.write('a');
  await settle(house);
  for (let i = 0; i < 50 && house.outcomes.size === 0; i++) {
    house.channel.answer(0, [{ index: 0, error: busy }]);
    house.timers.pass(100);
  }
  assert.equal([...house.outcomes], [['a', 'RESOURCE_EXHAUSTED not-applied']]);
  assert.ok(house.timers.nowMs <= 1000 + OPTIONS.deadlineMs + 100);
});

test('an unknown outcome is told, and repeated only where the caller chose so', async () => {
  const careful = rig();
  careful.write('a');
  await settle(careful);
  careful.channel.answer(0, [{ index: 0, error: lost }]);
  assert.equal([...careful.outcomes], [['a', 'UNAVAILABLE unknown']]);
  const bold = rig({ retryUnknown: true });
  bold.write('a');
  await settle(bold);
  bold.channel.answer(0, [{ index: 0, error: lost }]);
  assert.is(bold.outcomes.size, 0);
  bold.timers.pass(50);
  assert.equal(keysOf(bold.channel.batches[1]), ['a']);
});

test('a stream that breaks leaves what was sent unknown; what was not goes again', async () => {
  const house = rig({ batchEntriesMax: 1 });
  house.channel.room = 1;
  house.write('sent');
  house.write('not sent');
  await settle(house);
  assert.is(house.channel.batches.length, 1, 'the stream is full');
  house.channel.endStream(lost);
  assert.equal([...house.outcomes], [['sent', 'UNAVAILABLE unknown']]);
  house.channel.drain();
  house.timers.pass(200);
  await microtasks();
  house.writer.expire(house.timers.nowMs);
  await settle(house);
  assert.equal(keysOf(house.channel.batches[1]), ['not sent']);
  house.channel.answer(1);
  assert.is(house.outcomes.get('not sent'), 'written');
});

test('when the server says that nothing unanswered was applied, all of it goes again', async () => {
  const house = rig();
  house.write('a');
  await settle(house);
  house.channel.endStream(new StormError('UNAVAILABLE', 'stopping'));
  assert.is(house.outcomes.size, 0);
  house.timers.pass(200);
  await microtasks();
  house.writer.expire(house.timers.nowMs);
  await settle(house);
  assert.equal(keysOf(house.channel.batches[1]), ['a']);
});

test('at the deadline a sent write is unknown, and a late answer is taken for its place only', async () => {
  const house = rig({ batchEntriesMax: 1 });
  house.write('slow');
  await settle(house);
  house.timers.pass(999);
  house.write('next');
  await settle(house);
  house.timers.pass(1);
  house.writer.expire(house.timers.nowMs);
  assert.equal([...house.outcomes], [['slow', 'DEADLINE_EXCEEDED unknown']]);
  house.channel.answer(1);
  house.channel.answer(1);
  assert.equal([...house.outcomes.values()], ['DEADLINE_EXCEEDED unknown', 'written']);
});

test('an unreachable server keeps writes until their deadline, surely not applied', async () => {
  const house = rig();
  house.channel.isReachable = false;
  house.write('a');
  await settle(house);
  for (let i = 0; i < 100 && house.outcomes.size === 0; i++) {
    house.timers.pass(20);
    await microtasks();
    house.writer.expire(house.timers.nowMs);
  }
  assert.match(house.outcomes.get('a') ?? '', /not-applied/);
  assert.is(house.channel.batches.length, 0);
});

test('more writes than the backlog holds are refused at once', () => {
  const house = rig({ backlogEntriesMax: 3 });
  for (const key of ['a', 'b', 'c', 'd']) house.write(key);
  assert.equal([...house.outcomes], [['d', 'RESOURCE_EXHAUSTED not-applied']]);
});

test('an answer that does not add up is unknown for the entries it left out', async () => {
  const house = rig();
  for (const key of ['a', 'b']) house.write(key);
  await settle(house);
  house.channel.answer(1);
  assert.equal([...house.outcomes.values()], ['INTERNAL unknown', 'INTERNAL unknown']);
});

test('a batch whose part was refused sends that part again and settles as one', async () => {
  const house = rig();
  const builder = new RunBuilder();
  for (const key of ['a', 'b', 'c']) builder.put(Buffer.from(key), Buffer.from('v'));
  const results: unknown[] = [];
  const owner = new BatchWrite(3, (result) => results.push(result));
  house.writer.writeRun(builder.runView(), 3, owner, 1000);
  await settle(house);
  house.channel.answer(1, [
    { index: 0, error: busy },
    { index: 2, error: busy },
  ]);
  assert.equal(results, []);
  house.timers.pass(100);
  assert.equal(keysOf(house.channel.batches[1]), ['a', 'c']);
  house.channel.answer(1, [{ index: 1, error: wrong }]);
  assert.equal(results, [{ written: 2, errors: [{ index: 2, error: wrong }] }]);
});

test('room is there again when half of the backlog is', async () => {
  const house = rig({ backlogEntriesMax: 4 });
  for (const key of ['a', 'b']) house.write(key);
  assert.not.ok(house.writer.hasRoom);
  let hasRoom = false;
  void house.writer.room().then(() => {
    hasRoom = true;
  });
  await settle(house);
  assert.not.ok(hasRoom);
  house.channel.answer(2);
  await microtasks();
  assert.ok(hasRoom);
});

test('closing fails what could not be sent yet', async () => {
  const house = rig({ batchEntriesMax: 1 }, 1);
  for (const key of ['a', 'b']) house.write(key);
  await settle(house);
  house.writer.close();
  assert.equal([...house.outcomes], [['b', 'UNAVAILABLE not-applied']]);
  house.lane.close();
  assert.is(house.outcomes.get('a'), 'UNAVAILABLE unknown');
  assert.ok(house.channel.isClosed);
});

run();
