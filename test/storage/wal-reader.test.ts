import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import * as assert from 'uvu/assert';
import { CorruptionError, StormError } from '../../src/base/errors.js';
import type { Random } from '../../src/base/random.js';
import { FRAME_HEADER_BYTES, frameBytes, readFrame } from '../../src/storage/log-frame.js';
import { SEGMENT_HEADER_BYTES } from '../../src/storage/wal-format.js';
import { walHoldsFrames } from '../../src/storage/wal-reader.js';
import type { WalWriter } from '../../src/storage/wal-writer.js';
import type { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';
import {
  append,
  flip,
  groupOf,
  isDamageAt,
  openWal,
  readTexts,
  segmentPath,
  WAL_DIR,
  walDisk,
} from '../harness/wal-cases.js';

const { test, run } = suite('WAL reader');
const GOLDEN = join(resolve(import.meta.dirname, '../../..'), 'test/testdata/wal-v0.seg');

const TEXTS = ['first answer', 'x'.repeat(5000), 'third'];
/** Where each frame begins, and behind the last one. */
const STARTS = [SEGMENT_HEADER_BYTES];
for (const text of TEXTS) STARTS.push((STARTS.at(-1) ?? 0) + frameBytes(text.length));

const HEADER_CONTENT_BYTES = 512;

function segment(sealed: boolean): { disk: SimulatedDisk; path: string; image: Uint8Array } {
  const disk = walDisk();
  const wal = openWal(disk);
  append(wal, TEXTS);
  if (sealed) wal.seal(false);
  wal.close();
  const path = segmentPath(disk);
  return { disk, path, image: disk.contentOf(path) };
}

/** The frame whose checksum covers the byte at `at`: 0, 1, 2, or 3 for the seal; −1 for none. */
function frameCovering(at: number): number {
  const lengths = [...TEXTS.map(({ length }) => length), 0];
  return lengths.findIndex((length, i) => {
    const start = STARTS[i] ?? 0;
    return at >= start && at < start + FRAME_HEADER_BYTES + length;
  });
}

/** Every byte that a checksum covers, and a sample of the others. */
function placesToFlip(length: number): number[] {
  return Array.from({ length }, (_, at) => at).filter(
    (at) => at < HEADER_CONTENT_BYTES || frameCovering(at) >= 0 || at % 61 === 0,
  );
}

function withFlip(image: Uint8Array, at: number): Uint8Array {
  const damaged = image.slice();
  damaged[at] = (damaged[at] ?? 0) ^ (1 << (at & 7));
  return damaged;
}

test('a segment reads back, with what the next one must continue', () => {
  const { disk } = segment(false);
  const { texts, reading } = readTexts(disk);
  assert.equal(texts, TEXTS);
  assert.is(reading.frameCount, 3);
  assert.is(reading.tornTail, false);
  assert.is(reading.ownerEpoch, 1);
  assert.is(reading.end.endOffset, STARTS[3]);
  assert.is(reading.end.lastSequence, 3);
  assert.equal(
    reading.live.map(({ number, firstSequence, lastSequence }) => [
      number,
      firstSequence,
      lastSequence,
    ]),
    [[1, 1, 3]],
  );
});

test('a sealed segment with any byte flipped gives every write, or is refused at the place', () => {
  const { disk, path, image } = segment(true);
  for (const at of placesToFlip(image.length)) {
    disk.replaceContent(path, withFlip(image, at));
    const frame = frameCovering(at);
    const where = `byte ${at} of frame ${frame}`;
    if (at < HEADER_CONTENT_BYTES) {
      assert.throws(() => readTexts(disk), isDamageAt(path, 0, 1), where);
    } else if (frame >= 0 && frame < 3) {
      assert.throws(() => readTexts(disk), isDamageAt(path, STARTS[frame] ?? 0, frame + 1), where);
    } else {
      // In the seal itself, in padding, in free space.
      assert.equal(readTexts(disk).texts, TEXTS, where);
    }
  }
});

test('without a seal exactly header and payload of the last frame have no witness', () => {
  const { disk, path, image } = segment(false);
  const unprovable: number[] = [];
  for (const at of placesToFlip(image.length)) {
    disk.replaceContent(path, withFlip(image, at));
    try {
      const { texts } = readTexts(disk);
      if (texts.length === 2) unprovable.push(at);
      assert.equal(texts, TEXTS.slice(0, texts.length), `byte ${at}`);
      assert.ok(texts.length >= 2, `byte ${at}`);
    } catch (error) {
      assert.instance(error, CorruptionError, `byte ${at}: ${error}`);
    }
  }
  const start = STARTS[2] ?? 0;
  const covered = FRAME_HEADER_BYTES + (TEXTS[2] ?? '').length;
  assert.equal(
    unprovable,
    Array.from({ length: covered }, (_, i) => start + i),
  );
});

test('a segment with a successor is refused for any flipped byte of its last frame too', () => {
  const { disk, path, image } = segment(false);
  const wal = openWal(disk, 2);
  append(wal, ['in the next segment']);
  wal.close();
  const start = STARTS[2] ?? 0;
  for (let at = start; at < start + FRAME_HEADER_BYTES + 5; at++) {
    disk.replaceContent(path, withFlip(image, at));
    assert.throws(() => readTexts(disk), isDamageAt(path, start, 3), `byte ${at}`);
  }
  disk.replaceContent(path, image);
  assert.equal(readTexts(disk).texts, [...TEXTS, 'in the next segment']);
});

test('a segment cut at any length is refused and named; so is one that has grown', () => {
  const { disk, path, image } = segment(true);
  for (let length = 0; length < image.length; length += length < 600 ? 1 : 37) {
    disk.replaceContent(path, image.subarray(0, length));
    if (length < HEADER_CONTENT_BYTES) assert.throws(() => readTexts(disk), /segment 1 is missing/);
    else assert.throws(() => readTexts(disk), isDamageAt(path, length, 1), `length ${length}`);
  }
  disk.replaceContent(path, Uint8Array.of(...image, 0));
  assert.throws(() => readTexts(disk), isDamageAt(path, image.length + 1, 1));
});

test('a newest segment cut within its header looks like a creation that a crash cut short', () => {
  const { disk } = segment(false);
  const wal = openWal(disk, 2);
  append(wal, ['lost']);
  wal.close();
  const path = segmentPath(disk, 2);
  const image = disk.contentOf(path);
  for (const length of [0, 1, HEADER_CONTENT_BYTES - 1]) {
    disk.replaceContent(path, image.subarray(0, length));
    // Only the manifest can tell: see the test of recovery that says so.
    assert.equal(readTexts(disk).texts, TEXTS);
  }
  disk.replaceContent(path, image.subarray(0, HEADER_CONTENT_BYTES));
  assert.throws(() => readTexts(disk), isDamageAt(path, HEADER_CONTENT_BYTES));
});

test('frames at or below the flushed sequence are verified and not delivered', () => {
  const { disk, path } = segment(true);
  assert.equal(readTexts(disk, 1, 2).texts, TEXTS.slice(2));
  assert.equal(readTexts(disk, 1, 3).texts, []);
  flip(disk, path, (STARTS[0] ?? 0) + 64);
  assert.throws(() => readTexts(disk, 1, 3), isDamageAt(path, STARTS[0] ?? 0));
});

test('a frame of many entries is delivered when only its last one is not flushed', () => {
  const disk = walDisk();
  const wal = openWal(disk);
  wal.append(groupOf('five', 1, 5));
  wal.append(groupOf('three', 6, 3));
  wal.requestSync();
  wal.close();
  assert.equal(readTexts(disk, 1, 4).texts, ['five', 'three']);
  assert.equal(readTexts(disk, 1, 5).texts, ['three']);
  assert.is(readTexts(disk, 1, 8).reading.end.lastSequence, 8);
});

test('unsynced frames that reached the disk out of order are a torn tail', () => {
  const { disk, path, image } = tail(['a', 'b', 'c', 'd']);
  // The second one was never written: what follows was not promised either.
  image.fill(0, SEGMENT_HEADER_BYTES + 4096, SEGMENT_HEADER_BYTES + 2 * 4096);
  disk.replaceContent(path, image);
  const { texts, reading } = readTexts(disk);
  assert.equal(texts, ['a']);
  assert.ok(reading.tornTail);
});

/** Frames that were appended and never synced. */
function tail(texts: string[]): { disk: SimulatedDisk; path: string; image: Uint8Array } {
  const disk = walDisk();
  const wal = openWal(disk);
  append(wal, texts, false);
  wal.close();
  const path = segmentPath(disk);
  return { disk, path, image: disk.contentOf(path) };
}

test('a dropped tail never comes back, whatever is written after it', () => {
  const { disk, path, image } = tail(['a', 'b', 'c']);
  const damaged = withFlip(image, SEGMENT_HEADER_BYTES + 4096 + 3);
  disk.replaceContent(path, damaged);
  const wal = openWal(disk, 2);
  append(wal, ['new']);
  wal.close();
  assert.equal(readTexts(disk).texts, ['a', 'new']);
  // The sector that was missing turns up after all.
  disk.replaceContent(path, image);
  assert.equal(readTexts(disk).texts, ['a', 'new']);
});

/**
 * A log whose third segment lies in the file of the first, which was full: behind each of its
 * frames lies one of the former life.
 */
function recycledSegment(random: Random | number): { disk: SimulatedDisk; wal: WalWriter } {
  const disk = walDisk();
  const first = openWal(disk, random);
  append(first, numbered('first life', FRAMES_PER_SEGMENT));
  first.close();
  const wal = openWal(disk, random, { sparesMax: 1 });
  wal.release(FRAMES_PER_SEGMENT);
  append(wal, numbered('between', FRAMES_PER_SEGMENT));
  return { disk, wal };
}

const FRAMES_PER_SEGMENT = 7;
const numbered = (text: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${text} ${i}`);

test('frames of a former life are passed over, even with the nonce of this one', () => {
  const worst: Random = { fill: (target) => target.fill(5) };
  for (const random of [worst, 1]) {
    const { disk, wal } = recycledSegment(random);
    const texts: string[] = [];
    for (const text of numbered('second life', FRAMES_PER_SEGMENT - 1)) {
      append(wal, [text]);
      texts.push(text);
      const { texts: found, reading } = readTexts(disk, 3, 2 * FRAMES_PER_SEGMENT);
      assert.equal(found, texts);
      assert.not(reading.tornTail, 'old frames are not torn ones');
    }
    assert.is(disk.list(WAL_DIR).length, 2);
  }
});

test('a frame of another version or type is refused, naming what was found', () => {
  const cases = [
    { at: 11, value: 1, message: /frame of version 1 at 4096, this program reads 0/ },
    { at: 10, value: 9, message: /frame of type 9 at 4096, which this program does not know/ },
    { at: 10, value: 4, message: /frame of type 4/ },
  ];
  for (const { at, value, message } of cases) {
    const { disk, path, image } = tail(['only']);
    const start = SEGMENT_HEADER_BYTES;
    image[start + at] = value;
    const end = start + FRAME_HEADER_BYTES + 4;
    new DataView(image.buffer).setUint32(start, crc32(image.subarray(start + 4, end)), true);
    disk.replaceContent(path, image);
    assert.throws(
      () => readTexts(disk),
      (error: unknown) =>
        error instanceof StormError &&
        error.code === 'FAILED_PRECONDITION' &&
        message.test(error.message),
    );
  }
});

test('a read that fails or ends early is passed on, never taken for the end', () => {
  const { disk } = segment(false);
  for (const nth of [1, 2]) {
    disk.fail({ kind: 'read', code: 'SHORT', nth });
    assert.throws(() => readTexts(disk), /ended after/);
  }
  disk.fail({ kind: 'read', code: 'EIO', nth: 2 });
  assert.throws(() => readTexts(disk), /EIO/);
});

test('walHoldsFrames tells a log that was written to from one that was only made', () => {
  const disk = walDisk();
  assert.not(walHoldsFrames(disk, WAL_DIR));
  const wal = openWal(disk);
  assert.not(walHoldsFrames(disk, WAL_DIR));
  append(wal, ['x']);
  assert.ok(walHoldsFrames(disk, WAL_DIR));
});

/** A segment in a used file, with small and large frames, a seal, and an unfinished one. */
function goldenSegment(): { disk: SimulatedDisk; texts: string[] } {
  const { disk, wal } = recycledSegment(5);
  const texts = ['{p1}/q1 = 3', 'y'.repeat(4033), ''];
  append(wal, texts);
  wal.seal(false);
  append(wal, ['unfinished'], false);
  wal.close();
  return { disk, texts };
}

test('reads and writes the golden segment of version 0', () => {
  const { disk, texts } = goldenSegment();
  const path = segmentPath(disk, 3);
  const bytes = disk.contentOf(path);
  const read = () => readTexts(disk, 3, 2 * FRAMES_PER_SEGMENT);
  // Torn in the middle, as a power loss may leave it.
  const last = read().reading.end.endOffset - 4096;
  assert.ok(readFrame(bytes, last) !== undefined);
  bytes[last + 66] = 0;
  if (process.env['REWRITE'] === '1') writeFileSync(GOLDEN, bytes);
  const golden = new Uint8Array(readFileSync(GOLDEN));
  assert.ok(Buffer.from(golden).equals(bytes), 'the writer gives other bytes than before');
  disk.replaceContent(path, golden);
  const found = read();
  assert.equal(found.texts, texts);
  assert.ok(found.reading.tornTail);
});

run();
