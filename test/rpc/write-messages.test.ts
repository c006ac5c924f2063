import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import * as assert from 'uvu/assert';
import { TTL_MS_MAX } from '../../src/base/entry-run.js';
import type { RingProducer } from '../../src/rpc/ring-channel.js';
import * as messages from '../../src/rpc/write-messages.js';
import { hexBlock } from '../harness/hex-block.js';
import { suite } from '../harness/suite.js';
import { assertOnlyInternal, frameFrom, part, replyOf, requestOf, ring } from './ring-frames.js';

const { test, run } = suite('write messages');
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const version = fc.oneof(
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const payload = fc.uint8Array({ maxLength: 300 });
const conditions = fc
  .uniqueArray(fc.record({ index: uint32, version }, { noNullPrototype: true }), {
    minLength: 1,
    maxLength: 20,
    selector: ({ index }) => index,
  })
  .map((list) => list.sort((a, b) => a.index - b.index));

function writeIf(
  producer: RingProducer,
  callId: number,
  epoch: number,
  run: Uint8Array,
  list: readonly messages.Condition[],
): void {
  const at = messages.tryReserveWriteIf(producer, callId, epoch, run.length, list);
  assert.ok(at >= 0);
  producer.bytes.set(run, at);
  producer.commit(messages.writeIfBytes(run.length, list.length));
}

test('WRITE_IF comes back as it was sent and reads the same with msgpackr', () => {
  fc.assert(
    fc.property(uint32, uint32, payload, conditions, (callId, epoch, run, list) => {
      const frame = frameFrom((producer) => writeIf(producer, callId, epoch, run, list));
      const view = requestOf(frame);
      assert.equal([view.type, view.callId, view.slotMapEpoch], [3, callId, epoch]);
      assert.equal(part(frame, view.payloadStart, view.payloadLength), run);
      assert.equal(view.conditions, list);
      const [t, c, e, r, conditions] = unpackr.unpack(frame);
      assert.equal([t, c, e, new Uint8Array(r)], [3, callId, epoch, run]);
      assert.equal(
        conditions,
        list.map(({ index, version }) => [index, version]),
      );
    }),
  );
});

test('EXPIRE comes back as it was sent and reads the same with msgpackr', () => {
  const ttl = fc.oneof(fc.integer({ min: 0, max: TTL_MS_MAX }), fc.constantFrom(0, TTL_MS_MAX));
  fc.assert(
    fc.property(uint32, uint32, payload, ttl, (callId, epoch, key, ttlMs) => {
      const frame = frameFrom((producer) =>
        messages.tryWriteExpire(producer, callId, epoch, key, ttlMs),
      );
      assert.is(frame.length, messages.expireBytes(key.length));
      const view = requestOf(frame);
      assert.equal([view.type, view.callId, view.slotMapEpoch], [4, callId, epoch]);
      assert.equal(part(frame, view.payloadStart, view.payloadLength), key);
      assert.is(view.ttlMs, ttlMs);
      const [t, c, e, k, duration] = unpackr.unpack(frame);
      assert.equal([t, c, e, new Uint8Array(k), duration], [4, callId, epoch, key, ttlMs]);
    }),
  );
});

test('CONDITION_FAILED comes back as it was sent and reads the same with msgpackr', () => {
  fc.assert(
    fc.property(uint32, uint32, version, (callId, index, version) => {
      const frame = frameFrom((producer) =>
        messages.tryWriteConditionFailed(producer, callId, index, version),
      );
      const view = replyOf(frame);
      assert.equal([view.type, view.callId], [22, callId]);
      assert.equal(view.conflict, { index, version });
      assert.equal(unpackr.unpack(frame), [22, callId, index, version]);
    }),
  );
});

test('conditions that are not rising, none, or of unsafe versions are malformed', () => {
  const one = { index: 1, version: 1 };
  for (const list of [[], [one, one], [one, { index: 0, version: 1 }]]) {
    const frame = frameFrom((producer) => writeIf(producer, 1, 1, new Uint8Array(3), list));
    assert.throws(() => requestOf(frame), /Malformed request: type 3/);
  }
  const unsafe = [{ index: 0, version: 2 ** 53 }];
  const frame = frameFrom((producer) => writeIf(producer, 1, 1, new Uint8Array(3), unsafe));
  assert.throws(() => requestOf(frame), /Malformed request: type 3/);
  const refusal = frameFrom((producer) =>
    messages.tryWriteConditionFailed(producer, 1, 0, 2 ** 53),
  );
  assert.throws(() => replyOf(refusal), /Malformed reply: type 22/);
});

test('a time to live above the longest is malformed', () => {
  const frame = frameFrom((producer) =>
    messages.tryWriteExpire(producer, 1, 1, Buffer.from('k'), TTL_MS_MAX + 1),
  );
  assert.throws(() => requestOf(frame), /Malformed request: type 4/);
});

test('damaged frames are INTERNAL and nothing else', () => {
  const list = [
    { index: 0, version: 3 },
    { index: 2, version: 0 },
  ];
  assertOnlyInternal(
    [
      frameFrom((producer) => writeIf(producer, 1, 2, Buffer.from('run'), list)),
      frameFrom((producer) => messages.tryWriteExpire(producer, 1, 2, Buffer.from('key'), 9)),
    ],
    requestOf,
  );
  const refusal = frameFrom((producer) => messages.tryWriteConditionFailed(producer, 1, 2, 3));
  assertOnlyInternal([refusal], replyOf);
});

test('answer −1 or false when the ring is full', () => {
  const { producer } = ring(2048);
  while (messages.tryWriteExpire(producer, 1, 1, Buffer.alloc(100), 1));
  while (messages.tryWriteConditionFailed(producer, 1, 1, 1));
  assert.not(messages.tryWriteExpire(producer, 1, 1, Buffer.alloc(0), 1));
  assert.is(messages.tryReserveWriteIf(producer, 1, 1, 9, [{ index: 0, version: 1 }]), -1);
});

test('matches the worked examples of docs/formats/messages.md', () => {
  const entryRun = Buffer.from('00c4026b31c40176', 'hex');
  const frames = {
    'write-if': frameFrom((p) => writeIf(p, 9, 1, entryRun, [{ index: 0, version: 0 }])),
    expire: frameFrom((p) => messages.tryWriteExpire(p, 10, 1, Buffer.from('k1'), 60_000)),
    'condition-failed': frameFrom((p) => messages.tryWriteConditionFailed(p, 9, 0, 2 ** 32 + 9)),
  };
  for (const [name, frame] of Object.entries(frames)) {
    const hex = Buffer.from(frame).toString('hex');
    assert.is(hex, hexBlock('docs/formats/messages.md', `${name}-example`), name);
  }
});

run();
