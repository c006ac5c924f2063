import { join, resolve } from 'node:path';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  NO_PREDECESSOR,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../../src/storage/wal-format.js';
import { hexBlock } from '../harness/hex-block.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('WAL segment header');
const DOCUMENT = join(resolve(import.meta.dirname, '../../..'), 'docs/formats/wal.md');
const CONTENT_BYTES = 512;
const FIELDS_BYTES = 108;

const EXAMPLE: Omit<SegmentHeader, 'crc' | 'version'> = {
  shard: 2,
  storeUuid: new Uint8Array(Buffer.from('00112233445566778899aabbccddeeff', 'hex')),
  number: 1,
  nonce: 0x1122_3344_5566,
  ownerEpoch: 1,
  sizeBytes: 16 * 1024 * 1024,
  firstSequence: 1,
  predecessor: NO_PREDECESSOR,
};

test('is what the worked example in the document says', () => {
  const block = encodeSegmentHeader(EXAMPLE);
  const fields = Buffer.from(block.subarray(0, FIELDS_BYTES)).toString('hex');
  assert.is(fields, hexBlock(DOCUMENT, 'segment header'));
  assert.is(block.length, SEGMENT_HEADER_BYTES);
  assert.ok(block.subarray(FIELDS_BYTES).every((byte) => byte === 0));
});

test('gives back what was encoded', () => {
  const uint32 = fc.nat(0xffff_ffff);
  const end = fc.record({
    number: fc.maxSafeNat(),
    nonce: fc.maxSafeNat(),
    endOffset: fc.maxSafeNat(),
    lastSequence: fc.maxSafeNat(),
    chain: uint32,
  });
  const arbitrary = fc.record({
    shard: uint32,
    storeUuid: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    number: fc.maxSafeNat(),
    nonce: fc.maxSafeNat(),
    ownerEpoch: fc.maxSafeNat(),
    sizeBytes: fc.maxSafeNat(),
    firstSequence: fc.maxSafeNat(),
    predecessor: end,
  });
  fc.assert(
    fc.property(arbitrary, (header) => {
      const reading = decodeSegmentHeader(encodeSegmentHeader(header));
      assert.is(reading.kind, 'valid');
      if (reading.kind !== 'valid') return;
      const { crc, ...rest } = reading.header;
      assert.type(crc, 'number');
      const predecessor = { ...header.predecessor };
      assert.equal(rest, { ...header, predecessor, version: 0 });
    }),
  );
});

test('takes a flipped bit for damage within its content, and not behind it', () => {
  const block = encodeSegmentHeader(EXAMPLE);
  for (let bit = 0; bit < block.length * 8; bit += bit < CONTENT_BYTES * 8 ? 1 : 97) {
    const damaged = block.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const expected = bit < CONTENT_BYTES * 8 ? 'damaged' : 'valid';
    assert.is(decodeSegmentHeader(damaged).kind, expected, `bit ${bit}`);
  }
});

test('takes a block that is too short for damage, and zeros for blank', () => {
  const block = encodeSegmentHeader(EXAMPLE);
  for (const length of [0, 1, 108, CONTENT_BYTES - 1]) {
    assert.is(decodeSegmentHeader(block.subarray(0, length)).kind, 'damaged');
  }
  assert.is(decodeSegmentHeader(block.subarray(0, CONTENT_BYTES)).kind, 'valid');
  assert.is(decodeSegmentHeader(new Uint8Array(SEGMENT_HEADER_BYTES)).kind, 'blank');
});

run();
