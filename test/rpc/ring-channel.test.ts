import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { RingConsumer, RingProducer } from '../../src/rpc/ring-channel.js';
import {
  allocateRing,
  FRAME_HEADER_BYTES,
  frameBytes,
  frameCheck,
  PAD_FLAG,
  WORD_HEAD,
  WORD_TAIL,
} from '../../src/rpc/ring-layout.js';
import { hexBlock } from '../harness/hex-block.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('RingChannel');
const CAPACITY = 1024;
/** The last aligned counter before the wrap of 32 bits. */
const BEFORE_WRAP = 2 ** 32 - 16;

function put(producer: RingProducer, body: Uint8Array): boolean {
  const at = producer.tryReserve(body.length);
  if (at < 0) return false;
  producer.bytes.set(body, at);
  producer.commit(body.length);
  return true;
}

function take(consumer: RingConsumer): Uint8Array | undefined {
  if (!consumer.tryRead()) return undefined;
  return consumer.bytes.slice(consumer.frameStart, consumer.frameStart + consumer.frameLength);
}

function pair(firstCounter = 0, epoch = 7) {
  const memory = allocateRing(CAPACITY, epoch, firstCounter);
  return { memory, producer: new RingProducer(memory), consumer: new RingConsumer(memory) };
}

function assertDamaged(consumer: RingConsumer, pattern: RegExp): void {
  for (let again = 0; again < 2; again++) {
    try {
      consumer.tryRead();
      assert.unreachable('a damaged frame was read');
    } catch (error) {
      assert.instance(error, StormError);
      assert.is((error as StormError).code, 'INTERNAL');
      assert.is((error as StormError).outcome, 'unknown');
      assert.match((error as StormError).message, pattern);
    }
  }
}

test('hands over frames in order and shows nothing before commit', () => {
  const { producer, consumer } = pair();
  const at = producer.tryReserve(3);
  producer.bytes.set([1, 2, 3], at);
  assert.not(consumer.tryRead());
  producer.commit(3);
  assert.ok(put(producer, Uint8Array.of(4)));
  assert.ok(put(producer, new Uint8Array(0)));
  assert.equal(take(consumer), Uint8Array.of(1, 2, 3));
  assert.equal(take(consumer), Uint8Array.of(4));
  assert.equal(take(consumer), new Uint8Array(0));
  assert.is(take(consumer), undefined);
  assert.not(producer.isEmpty());
  consumer.release();
  assert.ok(producer.isEmpty());
  assert.is(producer.freeBytes(), CAPACITY);
});

test('behaves like a queue for any sizes and any interleaving, across the counter wrap', () => {
  const step = fc.oneof(
    fc.record({ op: fc.constant('put' as const), size: fc.integer({ min: 0, max: 496 }) }),
    fc.record({ op: fc.constant('abandon' as const), size: fc.integer({ min: 0, max: 496 }) }),
    fc.record({ op: fc.constant('take' as const), size: fc.constant(0) }),
    fc.record({ op: fc.constant('release' as const), size: fc.constant(0) }),
  );
  const starts = fc.constantFrom(0, BEFORE_WRAP, BEFORE_WRAP - CAPACITY, 2 ** 31 - 16, 2 ** 31);
  fc.assert(
    fc.property(starts, fc.array(step, { maxLength: 200 }), (start, steps) => {
      const { producer, consumer } = pair(start);
      const model: number[] = [];
      let next = 0;
      for (const { op, size } of steps) {
        if (op === 'put' && put(producer, new Uint8Array(size).fill(next & 0xff))) {
          model.push(size * 256 + (next++ & 0xff));
        } else if (op === 'abandon') {
          producer.tryReserve(size);
        } else if (op === 'take') {
          const expected = model.shift();
          const found = take(consumer);
          assert.is(found?.length, expected === undefined ? undefined : expected >>> 8);
          if (expected !== undefined) assert.ok(found?.every((b) => b === (expected & 0xff)));
        } else if (op === 'release') {
          consumer.release();
          if (model.length === 0) assert.ok(producer.isEmpty());
        }
        assert.ok(producer.usedBytes() <= CAPACITY);
      }
    }),
    { numRuns: 500 },
  );
});

test('takes a frame of half the ring wherever the counters stand, and no longer one', () => {
  for (let offset = 0; offset < CAPACITY; offset += 16) {
    const { producer, consumer } = pair(2 ** 32 - CAPACITY + offset);
    assert.ok(put(producer, new Uint8Array(producer.frameBytesMax).fill(9)));
    assert.is(take(consumer)?.length, producer.frameBytesMax);
  }
  const { producer } = pair();
  assert.throws(() => producer.tryReserve(producer.frameBytesMax + 1), /half of its ring/);
  producer.tryReserve(8);
  assert.throws(() => producer.commit(9), /within its reservation/);
});

test('refuses when full, keeps what it has, and goes on after a release', () => {
  const { producer, consumer } = pair();
  let sent = 0;
  while (put(producer, new Uint8Array(48).fill(sent))) sent++;
  assert.is(sent, CAPACITY / 64);
  assert.ok(take(consumer));
  assert.not(put(producer, new Uint8Array(48)), 'read is not yet released');
  consumer.release();
  assert.ok(put(producer, new Uint8Array(48)));
  for (let i = 1; i < sent; i++) assert.is(take(consumer)?.[0], i);
});

test('hasRoomFor promises room in spite of the pad at the end', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 63 }),
      fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 8 }),
      (start, before, size, frames) => {
        const { producer } = pair(start * 16);
        for (const length of before) put(producer, new Uint8Array(length));
        if (!producer.hasRoomFor(frames, frameBytes(size))) return;
        for (let i = 0; i < frames; i++) assert.ok(put(producer, new Uint8Array(size)));
      },
    ),
    { numRuns: 1000 },
  );
});

test('never shows a frame whose producer stopped at any point before the publishing store', () => {
  const { memory, producer, consumer } = pair();
  const body = new Uint8Array(40).fill(5);
  const at = producer.tryReserve(body.length);
  for (let k = 0; k < body.length; k++) {
    producer.bytes[at + k] = 5;
    assert.not(consumer.tryRead());
  }
  // The header too is only bytes: without the head nobody looks at it.
  new Uint32Array(memory.data).set([40, 0, 7, frameCheck(40, 0, 7)]);
  assert.not(consumer.tryRead());
});

test('declares the channel dead when any word of a header is wrong', () => {
  const cases: [number, RegExp][] = [
    [0, /check word/],
    [1, /expected frame 0/],
    [2, /expected epoch 7/],
    [3, /check word/],
  ];
  for (const [word, pattern] of cases) {
    for (let bit = 0; bit < 32; bit++) {
      const { memory, producer, consumer } = pair();
      put(producer, new Uint8Array(20));
      const words = new Uint32Array(memory.data);
      words[word] = (words[word] ?? 0) ^ (1 << bit);
      assertDamaged(consumer, pattern);
    }
  }
});

test('declares the channel dead when a sound header reaches past what was published', () => {
  for (const length of [64, CAPACITY, (PAD_FLAG | 64) >>> 0, 0x7fff_ffff]) {
    const { memory, consumer } = pair();
    new Uint32Array(memory.data).set([length, 0, 7, frameCheck(length, 0, 7)]);
    Atomics.store(new Int32Array(memory.control), WORD_HEAD, 32);
    assertDamaged(consumer, /a frame within 32 bytes/);
  }
  // Not even one that a full ring would seem to hold.
  const { memory, consumer } = pair();
  const length = CAPACITY - FRAME_HEADER_BYTES;
  new Uint32Array(memory.data).set([length, 0, 7, frameCheck(length, 0, 7)]);
  Atomics.store(new Int32Array(memory.control), WORD_HEAD, CAPACITY);
  assertDamaged(consumer, /a frame within 1024 bytes/);
});

test('refuses frames of an earlier epoch and of a second producer', () => {
  const { memory, consumer } = pair();
  put(new RingProducer({ ...memory, epoch: 6 }), Uint8Array.of(1));
  assertDamaged(consumer, /expected epoch 7, found 6/);

  const other = pair();
  put(other.producer, new Uint8Array(8));
  put(new RingProducer(other.memory), new Uint8Array(8));
  assert.ok(other.consumer.tryRead());
  assertDamaged(other.consumer, /expected frame 1/);
});

test('refuses capacities that are no power of two or too small', () => {
  assert.throws(() => allocateRing(1000, 1));
  assert.throws(() => allocateRing(1536, 1), /power of two/);
  assert.throws(() => allocateRing(2 ** 31, 1));
  assert.throws(() => allocateRing(1024, 1, 8), /aligned/);
});

test('matches the worked example of docs/formats/ring.md', () => {
  const example = hexBlock('docs/formats/ring.md', 'ring-example');
  const memory = allocateRing(CAPACITY, 3);
  const producer = new RingProducer(memory);
  put(producer, Uint8Array.of(0x92, 0x12, 0xce, 0, 0, 0, 5));
  put(producer, Uint8Array.of(0x92, 0x12, 0xce, 0, 0, 0, 6));
  const written = new Uint8Array(memory.data).slice(0, 64);
  assert.is(Buffer.from(written).toString('hex'), example);
  assert.is(Atomics.load(new Int32Array(memory.control), WORD_HEAD), 64);
  assert.is(Atomics.load(new Int32Array(memory.control), WORD_TAIL), 0);
  assert.is(FRAME_HEADER_BYTES, 16);
});

test('carries 300,000 frames between two threads unharmed', async () => {
  const memory = allocateRing(64 * 1024, 1, BEFORE_WRAP);
  const count = 300_000;
  const url = (path: string) => new URL(path, import.meta.url).href;
  const source = `
    import { workerData } from 'node:worker_threads';
    import { RingProducer } from '${url('../../src/rpc/ring-channel.js')}';
    const producer = new RingProducer(workerData.memory);
    for (let i = 0; i < workerData.count; ) {
      const length = 4 + (i % 97);
      const at = producer.tryReserve(length);
      if (at < 0) continue;
      producer.view.setUint32(at, i);
      producer.bytes.fill(i & 0xff, at + 4, at + length);
      producer.commit(length);
      i++;
    }`;
  const data = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const worker = new Worker(data, { workerData: { memory, count } });
  const exited = new Promise<void>((resolve, reject) => {
    worker.once('exit', () => resolve());
    worker.once('error', reject);
  });
  await new Promise<void>((resolve) => worker.once('online', resolve));
  const consumer = new RingConsumer(memory);
  let i = 0;
  const deadline = performance.now() + 20_000;
  while (i < count && performance.now() < deadline) {
    while (consumer.tryRead()) {
      const start = consumer.frameStart;
      const last = start + consumer.frameLength - 1;
      if (consumer.frameLength !== 4 + (i % 97)) assert.unreachable(`length of frame ${i}`);
      if (consumer.view.getUint32(start) !== i) assert.unreachable(`order at frame ${i}`);
      if (i % 97 > 0 && consumer.bytes[last] !== (i & 0xff)) assert.unreachable(`body of ${i}`);
      i++;
    }
    consumer.release();
  }
  assert.is(i, count);
  await exited;
});

run();
