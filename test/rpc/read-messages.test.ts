import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import * as assert from 'uvu/assert';
import { TTL_MS_MAX } from '../../src/base/entry-run.js';
import { encodeMessage } from '../../src/rpc/message-codec.js';
import * as items from '../../src/rpc/message-items.js';
import * as messages from '../../src/rpc/read-messages.js';
import type { RingProducer } from '../../src/rpc/ring-channel.js';
import { hexBlock } from '../harness/hex-block.js';
import { suite } from '../harness/suite.js';
import { assertOnlyInternal, frameFrom, part, replyOf, requestOf, ring } from './ring-frames.js';

const { test, run } = suite('read messages');
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const sequence = fc.oneof(
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const payload = fc.uint8Array({ maxLength: 300 });
const bound = fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined });
const scan: fc.Arbitrary<messages.ScanParameters> = fc.record(
  {
    snapshotId: sequence,
    from: bound,
    to: bound,
    reverse: fc.boolean(),
    limit: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    bytesMax: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    keysOnly: fc.boolean(),
  },
  { noNullPrototype: true },
);
const SCAN: messages.ScanParameters = {
  snapshotId: 0,
  from: undefined,
  to: undefined,
  reverse: false,
  limit: 10,
  bytesMax: 1000,
  keysOnly: false,
};

test('SCAN comes back as it was sent and reads the same with msgpackr', () => {
  fc.assert(
    fc.property(uint32, uint32, scan, (callId, epoch, parameters) => {
      const frame = frameFrom((p) => messages.tryWriteScan(p, callId, epoch, parameters));
      const bounds = (parameters.from?.length ?? 0) + (parameters.to?.length ?? 0);
      assert.ok(frame.length <= messages.SCAN_OVERHEAD_BYTES_MAX + bounds);
      const view = requestOf(frame);
      assert.equal([view.type, view.callId, view.slotMapEpoch], [7, callId, epoch]);
      const found = view.scan;
      assert.ok(found !== undefined);
      const copy = (bytes: Uint8Array | undefined) => bytes && new Uint8Array(bytes);
      assert.equal({ ...found, from: copy(found.from), to: copy(found.to) }, parameters);
      assert.equal(unpackr.unpack(frame)[3].length, 7);
    }),
  );
});

test('SCAN_END comes back as it was sent and reads the same with msgpackr', () => {
  fc.assert(
    fc.property(uint32, uint32, sequence, (callId, epoch, id) => {
      const frame = frameFrom((p) => messages.tryWriteScanEnd(p, callId, epoch, id));
      const view = requestOf(frame);
      assert.equal([view.type, view.callId, view.slotMapEpoch], [8, callId, epoch]);
      assert.is(view.snapshotId, id);
      assert.equal(unpackr.unpack(frame), [8, callId, epoch, id]);
    }),
  );
});

test('VALUES and PAGE come back as they were sent and read the same with msgpackr', () => {
  fc.assert(
    fc.property(uint32, sequence, fc.boolean(), payload, (callId, id, done, body) => {
      const source = Uint8Array.of(9, ...body, 9);
      const length = body.length;
      const values = frameFrom((p) => messages.tryWriteValues(p, callId, done, source, 1, length));
      const page = frameFrom((p) => messages.tryWritePage(p, callId, id, done, source, 1, length));
      assert.is(values.length, messages.VALUES_OVERHEAD_BYTES + length);
      assert.is(page.length, messages.PAGE_OVERHEAD_BYTES + length);
      let view = replyOf(values);
      assert.equal([view.type, view.callId, view.isDone], [20, callId, done]);
      assert.equal(part(values, view.itemsStart, view.itemsLength), body);
      view = replyOf(page);
      assert.equal([view.type, view.callId, view.isDone], [23, callId, done]);
      assert.is(view.snapshotId, id);
      assert.equal(part(page, view.itemsStart, view.itemsLength), body);
      const [t, c, d, b] = unpackr.unpack(values);
      assert.equal([t, c, d, new Uint8Array(b)], [20, callId, done, body]);
      const [pt, pc, pi, pd, pb] = unpackr.unpack(page);
      assert.equal([pt, pc, pi, pd, new Uint8Array(pb)], [23, callId, id, done, body]);
    }),
  );
});

test('TTL_IS comes back as it was sent and reads the same with msgpackr', () => {
  const ttl = fc.integer({ min: 0, max: TTL_MS_MAX });
  fc.assert(
    fc.property(uint32, sequence, ttl, (callId, version, ttlMs) => {
      const frame = frameFrom((p) => messages.tryWriteTtl(p, callId, version, ttlMs));
      const view = replyOf(frame);
      assert.equal([view.type, view.callId], [21, callId]);
      assert.equal([view.sequence, view.remainingMs], [version, ttlMs]);
      assert.equal(unpackr.unpack(frame), [21, callId, version, ttlMs]);
    }),
  );
});

test('parameters of a SCAN that are not what they must be are malformed', () => {
  const sound: unknown[] = [0, null, null, false, 1, 1, false];
  const wrong: [at: number, value: unknown][] = [
    [0, -1],
    [0, 1.5],
    [0, '1'],
    [0, null],
    [1, 'key'],
    [1, 5],
    [2, [1]],
    [3, 1],
    [3, null],
    [4, 0],
    [4, 2 ** 32],
    [4, true],
    [5, 0],
    [5, -3],
    [6, 'yes'],
  ];
  const head = [...frameFrom((p) => messages.tryWriteScan(p, 1, 1, SCAN)).slice(0, 12)];
  const sent = (fields: unknown) => requestOf(Uint8Array.of(...head, ...encodeMessage(fields)));
  assert.is(sent(sound).scan?.limit, 1);
  for (const [at, value] of wrong) {
    const fields = [...sound];
    fields[at] = value;
    assert.throws(() => sent(fields), /Malformed request: type 7/, JSON.stringify(fields));
  }
  for (const fields of [[], sound.slice(1), [...sound, 1], null, 7, 'x', { a: 1 }]) {
    assert.throws(() => sent(fields), /Malformed request: type 7/);
  }
});

test('numbers above 2^53 and durations above the longest are malformed', () => {
  const unsafe = 2 ** 53;
  assert.throws(() => requestOf(frameFrom((p) => messages.tryWriteScanEnd(p, 1, 1, unsafe))));
  const body = new Uint8Array(0);
  assert.throws(() =>
    replyOf(frameFrom((p) => messages.tryWritePage(p, 1, unsafe, true, body, 0, 0))),
  );
  assert.throws(() => replyOf(frameFrom((p) => messages.tryWriteTtl(p, 1, unsafe, 1))));
  assert.throws(() => replyOf(frameFrom((p) => messages.tryWriteTtl(p, 1, 1, TTL_MS_MAX + 1))));
});

test('damaged frames are INTERNAL and nothing else', () => {
  const body = Buffer.from('items');
  assertOnlyInternal(
    [
      frameFrom((p) => messages.tryWriteScan(p, 1, 1, { ...SCAN, from: Buffer.from('a') })),
      frameFrom((p) => messages.tryWriteScanEnd(p, 1, 1, 5)),
    ],
    requestOf,
  );
  assertOnlyInternal(
    [
      frameFrom((p) => messages.tryWriteValues(p, 1, true, body, 0, 5)),
      frameFrom((p) => messages.tryWriteTtl(p, 1, 2, 3)),
      frameFrom((p) => messages.tryWritePage(p, 1, 2, false, body, 0, 5)),
    ],
    replyOf,
  );
});

test('answer false when the ring is full', () => {
  const { producer } = ring(2048);
  const body = Buffer.alloc(200);
  while (messages.tryWritePage(producer, 1, 1, true, body, 0, 200));
  while (messages.tryWriteTtl(producer, 1, 1, 1));
  while (messages.tryWriteValues(producer, 1, true, body, 0, 0));
  assert.not(messages.tryWriteValues(producer, 1, true, body, 0, 0));
  assert.not(messages.tryWriteScan(producer, 1, 1, SCAN));
  assert.not(messages.tryWriteScanEnd(producer, 1, 1, 1));
});

test('says the ring bytes of its replies', () => {
  const used = (write: (producer: RingProducer) => void) => {
    const { producer } = ring();
    write(producer);
    return producer.usedBytes();
  };
  const body = Buffer.alloc(333);
  const values = used((p) => messages.tryWriteValues(p, 1, true, body, 0, 333));
  const page = used((p) => messages.tryWritePage(p, 1, 1, true, body, 0, 333));
  assert.is(values, messages.valuesReplyBytes(333));
  assert.is(page, messages.pageReplyBytes(333));
});

test('matches the worked examples of docs/formats/messages.md', () => {
  const scratch = Buffer.alloc(64);
  const key = Buffer.from('k1');
  const value = Buffer.from('v');
  const version = 2 ** 32 + 9;
  const valuesEnd = items.putMissingItem(
    scratch,
    items.putValueItem(scratch, 0, version, value, 0, 1),
  );
  const values = scratch.subarray(0, valuesEnd);
  const page = Buffer.alloc(64);
  const entryEnd = items.putPageItem(page, 0, key, 0, 2, value, 0, 1, version);
  const pageEnd = items.putPageMark(page, entryEnd, Buffer.from('k9'), 0, 2);
  const request = { ...SCAN, from: key, bytesMax: 65_536, limit: 1000 };
  const frames = {
    scan: frameFrom((p) => messages.tryWriteScan(p, 11, 1, request)),
    page: frameFrom((p) => messages.tryWritePage(p, 11, 7, false, page, 0, pageEnd)),
    'scan-end': frameFrom((p) => messages.tryWriteScanEnd(p, 12, 1, 7)),
    values: frameFrom((p) => messages.tryWriteValues(p, 13, true, values, 0, valuesEnd)),
    'ttl-is': frameFrom((p) => messages.tryWriteTtl(p, 14, version, 60_000)),
  };
  for (const [name, frame] of Object.entries(frames)) {
    const hex = Buffer.from(frame).toString('hex');
    assert.is(hex, hexBlock('docs/formats/messages.md', `${name}-example`), name);
  }
});

run();
