/**
 * A recycled segment is full of frames that were valid in a former life of the file. Each thing
 * that tells them from the frames of this life must do so alone, because chance may line up the
 * others: here a frame is made that fits in everything but one.
 */
import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import {
  FRAME_ALIGN_BYTES,
  FRAME_DATA,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  frameBytes,
  sealFrame,
} from '../../src/storage/log-frame.js';
import { NO_PREDECESSOR } from '../../src/storage/wal-format.js';
import { readWal, type WalReading } from '../../src/storage/wal-reader.js';
import { WalWriter } from '../../src/storage/wal-writer.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('WAL reader at the end of a segment');
const DIR = '/shard';
const IDENTITY = { storeUuid: new Uint8Array(16).fill(7), shard: 0 };
const PAYLOAD_BYTES = 100;
const FRAMES = 3;

function frameWith(firstSequence: number) {
  const bytes = new Uint8Array(frameBytes(PAYLOAD_BYTES) + FRAME_ALIGN_BYTES).fill(firstSequence);
  const view = new DataView(bytes.buffer);
  return { bytes, view, payloadLength: PAYLOAD_BYTES, count: 1, firstSequence, commitTimeMs: 0 };
}

/** A segment with some frames, and what reading it finds. */
function writtenSegment(): { disk: SimulatedDisk; path: string; found: WalReading } {
  const disk = new SimulatedDisk();
  disk.makeDir(DIR);
  const options = { segmentBytes: 64 * 1024, sparesMax: 0 };
  const wal = WalWriter.open(disk, DIR, new SeededRandom(1), options, {
    identity: IDENTITY,
    ownerEpoch: 1,
    live: [],
    spares: [],
    end: NO_PREDECESSOR,
    firstSequence: 1,
  });
  for (let sequence = 1; sequence <= FRAMES; sequence++) wal.append(frameWith(sequence));
  wal.requestSync();
  wal.close();
  const found = read(disk);
  const path = found.live[0]?.path;
  assert.ok(path !== undefined);
  return { disk, path, found };
}

function read(disk: SimulatedDisk): WalReading {
  return readWal(disk, DIR, IDENTITY, 1, 0, () => {});
}

/** Writes at the end of the segment the frame that would follow, but for `changes`. */
function readWithFrame(changes: (right: FrameHeader) => Partial<FrameHeader>): {
  before: WalReading;
  after: WalReading;
} {
  const { disk, path, found } = writtenSegment();
  const { endOffset: offset, nonce, chain, lastSequence } = found.end;
  const frame = frameWith(lastSequence + 1);
  const right = {
    ...frame,
    crc: 0,
    version: 0,
    type: FRAME_DATA,
    nonce,
    offset,
    chain,
    syncedOffset: offset,
  };
  sealFrame(frame.bytes, frame.view, { ...right, ...changes(right) });
  const handle = disk.open(path, 'update');
  handle.writeAt(frame.bytes, 0, frameBytes(PAYLOAD_BYTES), offset);
  handle.close();
  return { before: found, after: read(disk) };
}

test('takes the frame that follows', () => {
  const { before, after } = readWithFrame(() => ({}));
  assert.is(before.frameCount, FRAMES);
  assert.is(after.frameCount, FRAMES + 1);
  assert.is(after.end.endOffset, before.end.endOffset + frameBytes(PAYLOAD_BYTES));
  assert.is(after.end.lastSequence, FRAMES + 1);
});

test('takes no frame with the nonce of another life, and sees nothing torn in it', () => {
  const { before, after } = readWithFrame(({ nonce }) => ({ nonce: nonce + 1 }));
  assert.equal(after.end, before.end);
  assert.is(after.frameCount, FRAMES);
  assert.not(after.tornTail);
});

test('takes no frame that follows another frame than the last one', () => {
  const { before, after } = readWithFrame(({ chain }) => ({ chain: chain ^ 1 }));
  assert.equal(after.end, before.end);
  assert.ok(after.tornTail);
});

test('takes no frame that skips or repeats a sequence number', () => {
  for (const step of [-1, 1]) {
    const { before, after } = readWithFrame(({ firstSequence }) => ({
      firstSequence: firstSequence + step,
    }));
    assert.equal(after.end, before.end, `sequence moved by ${step}`);
  }
});

test('takes no frame that was written for another place in the file', () => {
  const { before, after } = readWithFrame(({ offset }) => ({ offset: offset + FRAME_ALIGN_BYTES }));
  assert.equal(after.end, before.end);
});

test('refuses when a later frame of this life says that the missing one was synced', () => {
  const later = (right: FrameHeader) => ({
    chain: right.chain ^ 1,
    syncedOffset: right.offset + FRAME_HEADER_BYTES,
  });
  assert.throws(
    () => readWithFrame(later),
    (error: unknown) =>
      error instanceof CorruptionError &&
      error.site.sequence === FRAMES + 1 &&
      error.site.offset === (1 + FRAMES) * FRAME_ALIGN_BYTES,
  );
});

test('drops the same frame without a word when it belongs to another life', () => {
  const { before, after } = readWithFrame((right) => ({
    nonce: right.nonce + 1,
    chain: right.chain ^ 1,
    syncedOffset: right.offset + FRAME_HEADER_BYTES,
  }));
  assert.equal(after.end, before.end);
});

run();
