import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import * as assert from 'uvu/assert';
import { RunReader, TTL_MS_MAX } from '../../src/base/entry-run.js';
import { StormError } from '../../src/base/errors.js';
import { VersionConflict } from '../../src/base/version-conflict.js';
import * as codec from '../../src/rpc/batch-codec.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('batch-codec');
const root = protobuf.parse(readFileSync('proto/kv.proto', 'utf8')).root;
const type = (name: string) => root.lookupType(`kv.${name}`);
const toObject = (name: string, bytes: Uint8Array) =>
  type(name).toObject(type(name).decode(bytes), { longs: Number, bytes: Array, defaults: true });
const key = fc.string({ unit: 'grapheme', maxLength: 30 });
const value = fc.uint8Array({ maxLength: 200 });
const version = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });

test('reads the entries of a batch that protobufjs wrote, in order, with their conditions', () => {
  const entry = fc.record({
    key,
    value,
    ttlMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: TTL_MS_MAX })),
    condition: fc.oneof(fc.constantFrom('none', 'absent'), version),
  });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
      const message = type('BatchSetRequest').encode({
        entries: entries.map(({ condition, ...rest }) => ({
          ...rest,
          ifAbsent: condition === 'absent',
          ifVersion: typeof condition === 'number' ? condition : 0,
        })),
      });
      const batch = codec.decodeBatchSetRequest(message.finish());
      const reader = new RunReader();
      reader.reset(batch.run, 0, batch.run.length);
      for (const wanted of entries) {
        assert.ok(reader.next());
        const { bytes, keyStart, keyLength, valueStart, valueLength, ttlMs } = reader;
        assert.is(Buffer.from(bytes).toString('utf8', keyStart, keyStart + keyLength), wanted.key);
        const found = new Uint8Array(bytes.slice(valueStart, valueStart + valueLength));
        assert.equal(found, wanted.value);
        assert.is(ttlMs, wanted.ttlMs);
      }
      assert.not(reader.next());
      const wanted = entries.flatMap(({ condition }, index) =>
        condition === 'none' ? [] : [{ index, version: condition === 'absent' ? 0 : condition }],
      );
      assert.equal(batch.conditions, wanted);
    }),
  );
});

test('writes results that protobufjs reads', () => {
  const conflict = new VersionConflict(2 ** 40);
  const lost = new StormError('UNAVAILABLE', 'gone', { outcome: 'unknown', retryAfterMs: 1.5 });
  const bytes = codec.encodeBatchSetResponse({
    written: 300,
    errors: [
      { index: 0, error: conflict },
      { index: 70_000, error: lost },
    ],
  });
  assert.equal(toObject('BatchSetResponse', bytes), {
    written: 300,
    errors: [
      {
        index: 0,
        code: 10,
        message: conflict.message,
        retryAfterMs: 0,
        unknown: false,
        version: 2 ** 40,
      },
      { index: 70_000, code: 14, message: 'gone', retryAfterMs: 2, unknown: true, version: 0 },
    ],
  });
  const result = fc.option(fc.record({ value, sequence: version }), { nil: undefined });
  fc.assert(
    fc.property(fc.array(result, { maxLength: 8 }), (results) => {
      const found = results.map((r) => r && { ...r, value: Buffer.from(r.value) });
      const object = toObject('BatchGetResponse', codec.encodeBatchGetResponse(found));
      const wanted = results.map((r) => ({
        value: [...(r?.value ?? [])],
        found: r !== undefined,
        version: r?.sequence ?? 0,
      }));
      assert.equal(object['results'], wanted);
    }),
  );
});

test('reads scans and writes pages as protobufjs does', () => {
  const message = type('ScanRequest')
    .encode({
      from: Buffer.from('a'),
      to: Buffer.from('z'),
      prefix: Buffer.from([0xc3]),
      reverse: true,
      limit: 2 ** 40,
      pageBytesMax: 5000,
      keysOnly: true,
      cursor: 'abc',
    })
    .finish();
  const request = codec.decodeScanRequest(message);
  assert.equal([request.limit, request.bytesMax, request.cursor], [2 ** 40, 5000, 'abc']);
  assert.equal([request.reverse, request.keysOnly], [true, true]);
  const bounds = [request.from, request.to, request.prefix].map((b) => [...(b ?? [])]);
  assert.equal(bounds, [[0x61], [0x7a], [0xc3]]);
  assert.equal(codec.decodeScanRequest(new Uint8Array(0)), {});
  const page = {
    entries: [
      { key: Buffer.from('é'), value: Buffer.from([0, 255]), version: 2 ** 52 },
      { key: Buffer.from('f'), value: undefined, version: 1, expiresAtMs: 2 ** 41 },
    ],
    cursor: 'next',
    freshSnapshot: true,
    isLast: false,
  };
  assert.equal(toObject('ScanResponse', codec.encodeScanResponse(page)), {
    entries: [
      { key: 'é', value: [0, 255], version: 2 ** 52, expiresAtMs: 0 },
      { key: 'f', value: [], version: 1, expiresAtMs: 2 ** 41 },
    ],
    cursor: 'next',
    freshSnapshot: true,
  });
});

test('any bytes decode or throw INVALID_ARGUMENT', () => {
  const decoders = [
    codec.decodeBatchSetRequest,
    codec.decodeBatchGetRequest,
    codec.decodeScanRequest,
  ];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(2), (bytes, which) => {
      try {
        decoders[which]?.(bytes);
      } catch (error) {
        assert.instance(error, StormError, String(error));
        assert.is((error as StormError).code, 'INVALID_ARGUMENT');
      }
    }),
    { numRuns: 5000 },
  );
});

run();
