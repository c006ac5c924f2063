import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { deliver, refuse } from '../../src/router/deliver.js';
import * as messages from '../../src/rpc/messages.js';
import { RingConsumer, RingProducer } from '../../src/rpc/ring-channel.js';
import { allocateRing } from '../../src/rpc/ring-layout.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('deliver');

interface Answer {
  code: string | undefined;
  value: string | undefined;
  sequence: number;
}

/** What a write and a read get for the frame that `send` puts into a ring. */
function answersTo(send: (producer: RingProducer) => void): { write: Answer; read: Answer } {
  const memory = allocateRing(2048, 1);
  send(new RingProducer(memory));
  const lane = new RingConsumer(memory);
  const reply = new messages.ReplyView();
  lane.tryRead();
  messages.decodeReply(lane, reply);
  const none: Answer = { code: 'unanswered', value: undefined, sequence: -1 };
  const found = { write: none, read: none };
  const write = (error: StormError | undefined, sequence: number) => {
    found.write = { code: error?.code, value: undefined, sequence };
  };
  const read = (error: StormError | undefined, value: Buffer | undefined, sequence: number) => {
    found.read = { code: error?.code, value: value?.toString(), sequence };
  };
  deliver({ write, read: undefined, handler: undefined }, reply, lane);
  deliver({ write: undefined, read, handler: undefined }, reply, lane);
  deliver({ write: undefined, read: undefined, handler: undefined }, reply, lane);
  return found;
}

test('gives a reply to whom it fits, and INTERNAL to whom it does not', () => {
  const written = answersTo((ring) => messages.tryWriteWritten(ring, 1, 7, 1));
  assert.equal(written.write, { code: undefined, value: undefined, sequence: 7 });
  assert.is(written.read.code, 'INTERNAL');
  const value = answersTo((ring) => messages.tryWriteValue(ring, 1, 8, Buffer.from('v'), 0, 1));
  assert.is(value.write.code, 'INTERNAL');
  assert.equal(value.read, { code: undefined, value: 'v', sequence: 8 });
  const missing = answersTo((ring) => messages.tryWriteMissing(ring, 1));
  assert.is(missing.write.code, 'INTERNAL');
  assert.equal(missing.read, { code: undefined, value: undefined, sequence: 0 });
  const error = new StormError('ABORTED', 'x');
  const failed = answersTo((ring) => messages.tryWriteFailure(ring, 1, error));
  assert.equal([failed.write.code, failed.read.code], ['ABORTED', 'ABORTED']);
});

test('refuses with an error that knows whether it was a write', () => {
  const seen: string[] = [];
  const errorFor = (isWrite: boolean) => new StormError('ABORTED', isWrite ? 'write' : 'read');
  const write = (error: StormError | undefined) => seen.push(error?.message ?? '');
  refuse({ write, read: undefined, handler: undefined }, errorFor);
  refuse({ write: undefined, read: write, handler: undefined }, errorFor);
  refuse({ write: undefined, read: undefined, handler: undefined }, errorFor);
  assert.equal(seen, ['write', 'read']);
});

run();
