import fc from 'fast-check';
import protobuf from 'protobufjs';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import {
  decodeGetResponse,
  decodeSetRequest,
  encodeGetResponse,
  encodeKeyRequest,
  encodeSetRequest,
} from '../../src/rpc/kv-codec.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('kv-codec');

const root = protobuf.parse(`syntax = "proto3"; package kv;
  message SetRequest { string key = 1; bytes value = 2; }
  message GetRequest { string key = 1; }
  message GetResponse { bytes value = 1; }
  message Wider { string key = 1; bytes value = 2; int64 a = 3; fixed64 b = 4; float c = 5;
    Wider d = 6; repeated string e = 700; sint32 f = 536870911; }`).root;
const type = (name: string) => root.lookupType(`kv.${name}`);

const key = fc.string({ unit: 'grapheme', maxLength: 60 });
const value = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(127, 128, 16_383, 16_384, 70_000).map((length) => new Uint8Array(length)),
);

function malformed(bytes: Uint8Array): void {
  try {
    decodeSetRequest(bytes);
    assert.unreachable(Buffer.from(bytes).toString('hex'));
  } catch (error) {
    assert.instance(error, StormError);
    assert.is((error as StormError).code, 'INVALID_ARGUMENT');
  }
}

test('writes the same bytes as protobufjs, which reads them back', () => {
  fc.assert(
    fc.property(key, value, (k, v) => {
      const set: Record<string, unknown> = {};
      // Like Go, proto3 leaves empty fields out.
      if (k !== '') set['key'] = k;
      if (v.length > 0) set['value'] = v;
      const expected = type('SetRequest').encode(set).finish();
      const ours = encodeSetRequest(Buffer.from(k), v);
      assert.is(ours.compare(expected), 0);
      const only = k === '' ? {} : { key: k };
      const keyOnly = encodeKeyRequest(Buffer.from(k));
      assert.is(keyOnly.compare(type('GetRequest').encode(only).finish()), 0);
      const found = type('GetResponse').toObject(type('GetResponse').decode(encodeGetResponse(v)), {
        defaults: true,
        bytes: Array,
      }) as { value: number[] };
      assert.equal(Uint8Array.from(found.value), v);
    }),
  );
});

test('reads what protobufjs writes, skipping fields that it does not know', () => {
  const wider = fc.letrec((tie) => ({
    message: fc.record(
      {
        key,
        value,
        a: fc.integer(),
        b: fc.nat(),
        c: fc.float({ noNaN: true }),
        d: fc.oneof({ depthSize: 'small' }, fc.constant({}), tie('message')),
        e: fc.array(key, { maxLength: 3 }),
        f: fc.integer(),
      },
      { requiredKeys: [] },
    ),
  })).message as fc.Arbitrary<{ key?: string; value?: Uint8Array }>;
  fc.assert(
    fc.property(wider, (message) => {
      const request = decodeSetRequest(type('Wider').encode(message).finish());
      assert.is(Buffer.from(request.key).toString(), message.key ?? '');
      assert.equal(new Uint8Array(request.value), message.value ?? new Uint8Array(0));
    }),
  );
  fc.assert(
    fc.property(value, (v) => {
      const bytes = type('GetResponse').encode({ value: v }).finish();
      assert.equal(new Uint8Array(decodeGetResponse(bytes)), v);
    }),
  );
});

test('takes the last of a repeated field, and fields in any order', () => {
  const twice = Buffer.concat([
    encodeSetRequest(Buffer.from('a'), Buffer.from('1')),
    encodeSetRequest(Buffer.from('b'), Buffer.from('2')),
  ]);
  const request = decodeSetRequest(twice);
  assert.equal(
    [Buffer.from(request.key).toString(), Buffer.from(request.value).toString()],
    ['b', '2'],
  );
  const swapped = decodeSetRequest(Buffer.from('1201760a016b', 'hex'));
  assert.equal([...swapped.key, ...swapped.value], [0x6b, 0x76]);
  // An empty repetition replaces too.
  assert.is(decodeSetRequest(Buffer.from('0a016b0a00', 'hex')).key.length, 0);
});

test('skips groups and known numbers of another wire type', () => {
  const cases = [
    '08050a016b', // field 1 as varint, then as a string
    '0d010203040a016b', // field 1 as fixed32
    '1b08011c0a016b', // group 3 with a varint inside
    '1b23241c0a016b', // group 4 within group 3
    '0a016bf8ffffff0f01', // the highest field number
    '18ffffffffffffffffff010a016b', // a varint of ten bytes
    '8a80808000016b', // a tag written longer than needed
  ];
  for (const hex of cases) {
    assert.equal([...decodeSetRequest(Buffer.from(hex, 'hex')).key], [0x6b], hex);
  }
});

test('refuses malformed messages with INVALID_ARGUMENT', () => {
  const cases = [
    '0a', // a length is missing
    '0a05616263', // shorter than it says
    '0affffffffffffffffff01', // a length of 2^64 - 1
    '0affffffff0f', // a length of 4 GiB
    '00', // field number 0
    '0401',
    '0e',
    '0f', // no such wire type
    '0c', // a group ends that never began
    '1b', // a group never ends
    '1b24', // a group ends as another one
    '19010203', // fixed64 cut
    '1d0102', // fixed32 cut
    '18ffffffffffffffffffff01', // a varint of eleven bytes
    'ffffffffffffffffff01', // a tag beyond 32 bits
    '80',
  ];
  for (const hex of cases) malformed(Buffer.from(hex, 'hex'));
  malformed(new Uint8Array(100_000).fill(0x1b));
});

test('any bytes decode or throw INVALID_ARGUMENT', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        const { key: k, value: v } = decodeSetRequest(bytes);
        assert.ok(k.length + v.length <= bytes.length);
      } catch (error) {
        assert.instance(error, StormError, String(error));
      }
    }),
    { numRuns: 5000 },
  );
});

run();
