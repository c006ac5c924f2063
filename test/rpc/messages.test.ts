import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import * as assert from 'uvu/assert';
import { ERROR_CODES, StormError } from '../../src/base/errors.js';
import { FAILURE_TEXT_BYTES_MAX } from '../../src/rpc/failure-message.js';
import * as messages from '../../src/rpc/messages.js';
import { RingConsumer, RingProducer } from '../../src/rpc/ring-channel.js';
import { allocateRing, frameBytes } from '../../src/rpc/ring-layout.js';
import { hexBlock } from '../harness/hex-block.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('messages');
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });

const uint32 = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.constantFrom(0, 127, 128, 2 ** 31, 2 ** 32 - 1),
);
const sequence = fc.oneof(
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const payload = fc.uint8Array({ maxLength: 400 });

function ring(capacity = 4096) {
  const memory = allocateRing(capacity, 1);
  return { producer: new RingProducer(memory), consumer: new RingConsumer(memory) };
}

function frameOf(consumer: RingConsumer): Uint8Array {
  const { bytes, frameStart, frameLength } = consumer;
  return bytes.slice(frameStart, frameStart + frameLength);
}

function sendRequest(
  producer: RingProducer,
  type: number,
  callId: number,
  epoch: number,
  body: Uint8Array,
): void {
  const at = messages.tryReserveRequest(producer, type, callId, epoch, body.length);
  assert.ok(at >= 0);
  producer.bytes.set(body, at);
  messages.commitRequest(producer, body.length);
}

/** Puts arbitrary bytes into a fresh ring and reads the frame. */
function received(frame: Uint8Array): RingConsumer {
  const { producer, consumer } = ring();
  producer.bytes.set(frame, producer.tryReserve(frame.length));
  producer.commit(frame.length);
  assert.ok(consumer.tryRead());
  return consumer;
}

test('requests come back as they were sent and read the same with msgpackr', () => {
  const types = fc.constantFrom(messages.MESSAGE_WRITE, messages.MESSAGE_GET);
  fc.assert(
    fc.property(types, uint32, uint32, payload, (type, callId, epoch, body) => {
      const { producer, consumer } = ring();
      sendRequest(producer, type, callId, epoch, body);
      assert.ok(consumer.tryRead());
      const view = new messages.RequestView();
      messages.decodeRequest(consumer, view);
      assert.is(view.type, type);
      assert.is(view.callId, callId);
      assert.is(view.slotMapEpoch, epoch);
      const end = view.payloadStart + view.payloadLength;
      assert.equal(consumer.bytes.slice(view.payloadStart, end), body);
      const [t, c, e, p] = unpackr.unpack(frameOf(consumer));
      assert.equal([t, c, e, new Uint8Array(p)], [type, callId, epoch, body]);
    }),
  );
});

test('values, acknowledgements and misses come back and read the same with msgpackr', () => {
  fc.assert(
    fc.property(uint32, sequence, uint32, payload, (callId, seq, count, body) => {
      const { producer, consumer } = ring();
      const padded = Uint8Array.of(9, ...body, 9);
      assert.ok(messages.tryWriteWritten(producer, callId, seq, count));
      assert.ok(messages.tryWriteValue(producer, callId, seq, padded, 1, body.length));
      assert.ok(messages.tryWriteMissing(producer, callId));
      const view = new messages.ReplyView();

      assert.ok(consumer.tryRead());
      messages.decodeReply(consumer, view);
      assert.equal([view.type, view.callId, view.sequence], [16, callId, seq]);
      assert.is(view.count, count);
      assert.equal(unpackr.unpack(frameOf(consumer)), [16, callId, seq, count]);

      assert.ok(consumer.tryRead());
      messages.decodeReply(consumer, view);
      assert.equal([view.type, view.callId, view.sequence], [17, callId, seq]);
      const end = view.valueStart + view.valueLength;
      assert.equal(consumer.bytes.slice(view.valueStart, end), body);
      const [t, c, s, v] = unpackr.unpack(frameOf(consumer));
      assert.equal([t, c, s, new Uint8Array(v)], [17, callId, seq, body]);

      assert.ok(consumer.tryRead());
      messages.decodeReply(consumer, view);
      assert.equal([view.type, view.callId], [18, callId]);
      assert.equal(unpackr.unpack(frameOf(consumer)), [18, callId]);
    }),
  );
});

test('failures keep code, outcome, hint and text', () => {
  const text = fc.string({ unit: 'binary', maxLength: 700 });
  fc.assert(
    fc.property(
      uint32,
      fc.constantFrom(...ERROR_CODES),
      fc.boolean(),
      fc.option(fc.integer({ min: 1, max: 100_000 })),
      text,
      (callId, code, isUnknown, retryAfterMs, message) => {
        const { producer, consumer } = ring();
        const outcome = isUnknown ? 'unknown' : 'not-applied';
        const hint = retryAfterMs === null ? {} : { retryAfterMs };
        const error = new StormError(code, message, { outcome, ...hint });
        assert.ok(messages.tryWriteFailure(producer, callId, error));
        assert.ok(producer.usedBytes() <= messages.REPLY_BYTES_MAX_SMALL);
        assert.ok(consumer.tryRead());
        const view = new messages.ReplyView();
        messages.decodeReply(consumer, view);
        assert.is(view.callId, callId);
        assert.is(view.error?.code, code);
        assert.is(view.error?.outcome, outcome);
        assert.is(view.error?.retryAfterMs, retryAfterMs ?? undefined);
        assert.ok(message.startsWith(view.error?.message ?? '?'));
        const kept = Buffer.byteLength(view.error?.message ?? '');
        assert.ok(kept <= FAILURE_TEXT_BYTES_MAX);
        if (Buffer.byteLength(message) <= FAILURE_TEXT_BYTES_MAX) {
          assert.is(view.error?.message, message);
        }
      },
    ),
  );
});

test('the longest failure fits into REPLY_BYTES_MAX_SMALL', () => {
  for (const code of ERROR_CODES) {
    const { producer } = ring();
    const error = new StormError(code, '€'.repeat(500), {
      outcome: 'unknown',
      retryAfterMs: 2 ** 40,
    });
    assert.ok(messages.tryWriteFailure(producer, 2 ** 32 - 1, error));
    assert.ok(producer.usedBytes() <= messages.REPLY_BYTES_MAX_SMALL);
  }
});

test('says the size of a value reply and of the longest value', () => {
  const { producer } = ring(2048);
  assert.ok(messages.tryWriteValue(producer, 1, 1, new Uint8Array(333), 0, 333));
  assert.is(producer.usedBytes(), messages.valueReplyBytes(333));
  const longest = messages.valueBytesMaxOf(producer.frameBytesMax);
  assert.is(messages.valueReplyBytes(longest), frameBytes(producer.frameBytesMax));
});

test('answers false or −1 when the ring is full, and writes nothing', () => {
  const { producer, consumer } = ring(2048);
  const body = new Uint8Array(900);
  assert.ok(messages.tryWriteValue(producer, 1, 1, body, 0, 900));
  assert.ok(messages.tryWriteValue(producer, 2, 1, body, 0, 900));
  while (messages.tryWriteMissing(producer, 3));
  assert.not(messages.tryWriteWritten(producer, 4, 1, 1));
  assert.not(messages.tryWriteValue(producer, 4, 1, body, 0, 0));
  assert.not(messages.tryWriteFailure(producer, 4, new StormError('INTERNAL', 'x')));
  assert.is(messages.tryReserveRequest(producer, 1, 4, 1, 0), -1);
  const view = new messages.ReplyView();
  while (consumer.tryRead()) {
    messages.decodeReply(consumer, view);
    assert.ok(view.callId <= 3);
  }
});

test('malformed frames throw INTERNAL and nothing else', () => {
  const sound = [
    ...[messages.MESSAGE_WRITE, messages.MESSAGE_GET].map((type) => {
      const { producer, consumer } = ring();
      sendRequest(producer, type, 5, 6, Uint8Array.of(1, 2, 3));
      consumer.tryRead();
      return frameOf(consumer);
    }),
  ];
  const { producer, consumer } = ring();
  messages.tryWriteWritten(producer, 5, 6, 7);
  messages.tryWriteValue(producer, 5, 6, Uint8Array.of(1, 2, 3), 0, 3);
  messages.tryWriteMissing(producer, 5);
  messages.tryWriteFailure(producer, 5, new StormError('ABORTED', 'why'));
  while (consumer.tryRead()) sound.push(frameOf(consumer));
  consumer.release();

  const decoders = [
    (c: RingConsumer) => messages.decodeRequest(c, new messages.RequestView()),
    (c: RingConsumer) => messages.decodeReply(c, new messages.ReplyView()),
  ];
  const refuses = (frame: Uint8Array, isAllowedToPass: boolean) => {
    for (const decode of decoders) {
      try {
        decode(received(frame));
        assert.ok(isAllowedToPass, Buffer.from(frame).toString('hex'));
      } catch (error) {
        assert.instance(error, StormError, String(error));
        assert.is((error as StormError).code, 'INTERNAL');
      }
    }
  };
  for (const frame of sound) {
    for (let cut = 0; cut < frame.length; cut++) refuses(frame.slice(0, cut), false);
    refuses(Uint8Array.of(...frame, 0), false);
    // A changed byte may still be a sound message (another call id), but never another error.
    for (let at = 0; at < frame.length; at++) {
      for (const bit of [1, 16, 128]) {
        const damaged = frame.slice();
        damaged[at] = (damaged[at] ?? 0) ^ bit;
        refuses(damaged, true);
      }
    }
  }
  fc.assert(fc.property(payload, (junk) => refuses(junk, false)));
});

test('matches the worked examples of docs/formats/messages.md', () => {
  const { producer, consumer } = ring();
  sendRequest(producer, messages.MESSAGE_WRITE, 5, 1, Buffer.from('00c4026b31c40176', 'hex'));
  sendRequest(producer, messages.MESSAGE_GET, 6, 1, Buffer.from('k1'));
  messages.tryWriteWritten(producer, 5, 2 ** 32 + 9, 1);
  messages.tryWriteValue(producer, 6, 2 ** 32 + 9, Buffer.from('v'), 0, 1);
  messages.tryWriteMissing(producer, 7);
  const error = new StormError('RESOURCE_EXHAUSTED', 'full', { retryAfterMs: 25 });
  messages.tryWriteFailure(producer, 8, error);
  for (const name of ['write', 'get', 'written', 'value', 'missing', 'failed']) {
    assert.ok(consumer.tryRead());
    const hex = Buffer.from(frameOf(consumer)).toString('hex');
    assert.is(hex, hexBlock('docs/formats/messages.md', `${name}-example`), name);
  }
});

run();
