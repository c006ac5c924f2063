import { join, resolve } from 'node:path';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { RUN_FORMAT, writeDelete, writePut } from '../../src/base/entry-run.js';
import {
  FRAME_ALIGN_BYTES,
  FRAME_DATA,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  frameBytes,
  getUint53,
  peekFrame,
  readFrame,
  sealFrame,
  setUint53,
} from '../../src/storage/log-frame.js';
import { hexBlock } from '../harness/hex-block.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('log frame');
const DOCUMENT = join(resolve(import.meta.dirname, '../../..'), 'docs/formats/wal.md');

type Fields = Omit<FrameHeader, 'crc' | 'version' | 'payloadLength'>;

function sealed(fields: Fields, payload: Uint8Array): { bytes: Uint8Array; crc: number } {
  const bytes = new Uint8Array(frameBytes(payload.length)).fill(0xee);
  bytes.set(payload, FRAME_HEADER_BYTES);
  const header = { ...fields, payloadLength: payload.length };
  return { bytes, crc: sealFrame(bytes, new DataView(bytes.buffer), header) };
}

const EXAMPLE: Fields = {
  type: FRAME_DATA,
  count: 2,
  nonce: 0x1122_3344_5566,
  offset: 4096,
  firstSequence: 1,
  syncedOffset: 4096,
  commitTimeMs: 1_700_000_000_000,
  // Of the segment header in the document.
  chain: 0x8fdd_a3a8,
};

test('is what the worked example in the document says', () => {
  const payload = new Uint8Array(64);
  payload[0] = RUN_FORMAT;
  let end = writePut(payload, 1, Buffer.from('{p1}/q1'), Buffer.from('yes'));
  end = writeDelete(payload, end, Buffer.from('{p1}/q2'));
  const { bytes } = sealed(EXAMPLE, payload.subarray(0, end));
  const content = bytes.subarray(0, FRAME_HEADER_BYTES + end);
  assert.is(Buffer.from(content).toString('hex'), hexBlock(DOCUMENT, 'frame'));
  assert.ok(bytes.subarray(content.length).every((byte) => byte === 0));
});

const uint32 = fc.nat(0xffff_ffff);
const uint53 = fc.maxSafeNat();
const arbitraryFields: fc.Arbitrary<Fields> = fc.record({
  type: fc.nat(255),
  count: uint32,
  nonce: uint53,
  offset: fc.nat(1000).map((n) => n * FRAME_ALIGN_BYTES),
  firstSequence: uint53,
  syncedOffset: uint53,
  commitTimeMs: uint53,
  chain: uint32,
});

test('gives back what was sealed, at its own offset only', () => {
  const payloads = fc.uint8Array({ maxLength: 9000, size: 'max' });
  fc.assert(
    fc.property(arbitraryFields, payloads, (fields, payload) => {
      const { bytes, crc } = sealed(fields, payload);
      assert.is(bytes.length % FRAME_ALIGN_BYTES, 0);
      const found = readFrame(bytes, 0, fields.offset);
      const expected = { ...fields, crc, version: 0, payloadLength: payload.length };
      assert.equal({ ...found }, { ...expected });
      assert.is(readFrame(bytes, 0, fields.offset + FRAME_ALIGN_BYTES), undefined);
      const end = FRAME_HEADER_BYTES + payload.length;
      assert.equal(bytes.subarray(FRAME_HEADER_BYTES, end), payload);
      assert.ok(bytes.subarray(end).every((byte) => byte === 0));
    }),
    { numRuns: 60 },
  );
});

test('finds every flipped bit of header and payload, and every cut', () => {
  const payload = new Uint8Array(Buffer.from('some answers'));
  const { bytes } = sealed(EXAMPLE, payload);
  const end = FRAME_HEADER_BYTES + payload.length;
  for (let bit = 0; bit < end * 8; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.is(readFrame(damaged, 0, 4096), undefined, `bit ${bit}`);
  }
  for (let length = 0; length < end; length++) {
    assert.is(readFrame(bytes.subarray(0, length), 0, 4096), undefined, `length ${length}`);
  }
  assert.ok(readFrame(bytes.subarray(0, end), 0, 4096) !== undefined, 'padding is not needed');
});

test('finds no frame in zeros, in noise, or at the very end', () => {
  assert.is(readFrame(new Uint8Array(8192), 0), undefined);
  assert.is(peekFrame(new Uint8Array(8192), 4096), undefined);
  assert.is(peekFrame(new Uint8Array(8192).fill(0xff), 0), undefined);
  const { bytes } = sealed({ ...EXAMPLE, offset: 0 }, new Uint8Array(0));
  assert.is(peekFrame(bytes, bytes.length - FRAME_HEADER_BYTES + 1), undefined);
  assert.is(peekFrame(bytes.subarray(0, FRAME_HEADER_BYTES - 1), 0), undefined);
  assert.is(peekFrame(bytes, 0)?.nonce, EXAMPLE.nonce);
});

test('reads a frame in the middle of larger memory', () => {
  const { bytes } = sealed({ ...EXAMPLE, offset: 8192 }, Buffer.from('x'));
  const memory = new Uint8Array(100 + 3 * 4096);
  memory.set(bytes, 100 + 4096);
  const view = memory.subarray(100);
  assert.is(readFrame(view, 4096, 4096)?.payloadLength, 1);
  assert.is(readFrame(view, 4096), undefined, 'it says another place');
});

test('stores numbers below 2^53 in eight bytes, little-endian', () => {
  const view = new DataView(new ArrayBuffer(16));
  fc.assert(
    fc.property(uint53, (value) => {
      setUint53(view, 3, value);
      assert.is(getUint53(view, 3), value);
      assert.is(view.getBigUint64(3, true), BigInt(value));
    }),
  );
});

run();
