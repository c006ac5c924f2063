/** Rings and frames for the tests of messages. */
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { decodeReply, decodeRequest, ReplyView, RequestView } from '../../src/rpc/messages.js';
import { RingConsumer, RingProducer } from '../../src/rpc/ring-channel.js';
import { allocateRing } from '../../src/rpc/ring-layout.js';

export function ring(capacity = 8192) {
  const memory = allocateRing(capacity, 1);
  return { producer: new RingProducer(memory), consumer: new RingConsumer(memory) };
}

export function frameOf({ bytes, frameStart, frameLength }: RingConsumer): Uint8Array {
  return bytes.slice(frameStart, frameStart + frameLength);
}

/** The frame that `write` sends. */
export function frameFrom(write: (producer: RingProducer) => unknown): Uint8Array {
  const { producer, consumer } = ring();
  write(producer);
  assert.ok(consumer.tryRead(), 'a frame was written');
  return frameOf(consumer);
}

/** A consumer that stands on a frame of these bytes. */
export function received(frame: Uint8Array): RingConsumer {
  const { producer, consumer } = ring();
  producer.bytes.set(frame, producer.tryReserve(frame.length));
  producer.commit(frame.length);
  assert.ok(consumer.tryRead());
  return consumer;
}

export function requestOf(frame: Uint8Array): RequestView {
  const view = new RequestView();
  decodeRequest(received(frame), view);
  return view;
}

export function replyOf(frame: Uint8Array): ReplyView {
  const view = new ReplyView();
  decodeReply(received(frame), view);
  return view;
}

/** The payload, or the items, of a frame. */
export function part(frame: Uint8Array, start: number, length: number): Uint8Array {
  // `received` writes at the same offset every time: behind the ring's header.
  return frame.slice(start - 16, start - 16 + length);
}

/**
 * Every cut, tail and flipped bit of sound frames: understood, or INTERNAL, never another error.
 */
export function assertOnlyInternal(
  frames: readonly Uint8Array[],
  decode: (frame: Uint8Array) => unknown,
): void {
  const attempt = (frame: Uint8Array, mayPass: boolean) => {
    try {
      decode(frame);
    } catch (error) {
      assert.instance(error, StormError, String(error));
      assert.is((error as StormError).code, 'INTERNAL');
      return;
    }
    assert.ok(mayPass, `understood ${Buffer.from(frame).toString('hex')}`);
  };
  for (const frame of frames) {
    for (let cut = 0; cut < frame.length; cut++) attempt(frame.slice(0, cut), false);
    attempt(Uint8Array.of(...frame, 0), false);
    for (let at = 0; at < frame.length; at++) {
      for (let bit = 1; bit < 256; bit <<= 1) {
        const damaged = frame.slice();
        damaged[at] = (damaged[at] ?? 0) ^ bit;
        attempt(damaged, true);
      }
    }
  }
}
