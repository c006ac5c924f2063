import * as assert from 'uvu/assert';
import { type HoldBounds, WalHolds } from '../../src/shard/wal-holds.js';
import { suite } from '../harness/suite.js';
import {
  append,
  openWal,
  readTexts,
  SEGMENT_BYTES,
  WAL_DIR,
  walDisk,
} from '../harness/wal-cases.js';

const { test, run } = suite('WalHolds');
const FRAMES_PER_SEGMENT = SEGMENT_BYTES / 4096 - 1;

const bounds = (fromSequence: number, more: Partial<HoldBounds> = {}): HoldBounds => {
  return { fromSequence, bytesMax: 100 * SEGMENT_BYTES, untilMs: 1000, ...more };
};

/** A log of `segments` full segments and one begun, one sequence number per frame. */
function fullLog(segments: number) {
  const disk = walDisk();
  const wal = openWal(disk);
  for (let i = 0; i < segments * FRAMES_PER_SEGMENT + 1; i++) {
    if (!wal.hasRoomFor(64)) {
      const name = wal.takeSpareName();
      const handle = disk.open(`${WAL_DIR}/${name}`, 'create');
      handle.truncate(SEGMENT_BYTES);
      handle.close();
      wal.addSpare(name);
    }
    append(wal, [`write ${i + 1}`]);
  }
  return { disk, wal, holds: new WalHolds(wal), last: wal.appendedThrough };
}

test('a released segment stays as it was while a hold needs it, and is reused after that', () => {
  const { wal, holds, last } = fullLog(3);
  assert.equal(holds.hold('reader', bounds(2)), { kind: 'held', fromSequence: 2 });
  const kept = wal.segmentsFrom(2).map(({ number }) => number);
  wal.release(last - 1, holds.keepFrom);
  assert.equal(
    wal.segmentsFrom(2).map(({ number }) => number),
    kept,
  );
  assert.is(wal.oldestSequence, 1);
  assert.is(wal.retiredBytesFrom(2), 3 * SEGMENT_BYTES);
  assert.is(wal.liveBytes < 2 * SEGMENT_BYTES, true, 'what is only kept presses no one');
  holds.release('reader');
  assert.is(wal.retiredBytesFrom(0), 0);
  assert.equal(wal.segmentsFrom(0).length, 1);
});

test('moving a hold gives free what lies before it, but not what another one needs', () => {
  const { wal, holds, last } = fullLog(3);
  holds.hold('slow', bounds(FRAMES_PER_SEGMENT + 1));
  holds.hold('quick', bounds(1));
  wal.release(last - 1, holds.keepFrom);
  assert.is(wal.retiredBytesFrom(0), 3 * SEGMENT_BYTES);
  holds.hold('quick', bounds(2 * FRAMES_PER_SEGMENT + 1));
  assert.is(wal.retiredBytesFrom(0), 2 * SEGMENT_BYTES);
  assert.is(wal.oldestSequence, FRAMES_PER_SEGMENT + 1);
});

test('a hold beyond its bytes is broken, says so, and stays broken until it is released', () => {
  const { wal, holds, last } = fullLog(3);
  holds.hold('reader', bounds(1, { bytesMax: 2 * SEGMENT_BYTES }));
  wal.release(last - 1, holds.keepFrom);
  holds.enforce(0);
  const state = holds.state('reader');
  assert.is(state.kind === 'broken' && state.because.includes('at most'), true);
  assert.is(wal.retiredBytesFrom(0), 0);
  assert.is(holds.hold('reader', bounds(last)).kind, 'broken');
  holds.release('reader');
  assert.is(holds.hold('reader', bounds(last)).kind, 'held');
});

test('a hold ends with its time', () => {
  const { holds } = fullLog(1);
  holds.hold('reader', bounds(1, { untilMs: 50 }));
  holds.enforce(49);
  assert.is(holds.state('reader').kind, 'held');
  holds.enforce(50);
  assert.is(holds.state('reader').kind, 'broken');
  assert.is(holds.keepFrom, Number.POSITIVE_INFINITY);
});

test('what the log no longer has cannot be held', () => {
  const { wal, holds, last } = fullLog(2);
  wal.release(last - 1);
  assert.is(holds.hold('late', bounds(1)).kind, 'broken');
  assert.is(holds.hold('in time', bounds(last)).kind, 'held');
  assert.is(holds.state('nobody').kind, 'none');
});

test('the segments of a log say what of them may be read', () => {
  const { disk, wal, last } = fullLog(2);
  const segments = wal.segmentsFrom(1);
  assert.equal(
    segments.map(({ syncedOffset }) => syncedOffset),
    [undefined, undefined, 8192],
  );
  assert.equal(segments.at(-1)?.lastSequence, last);
  assert.is(readTexts(disk).texts.length, last);
  assert.equal(wal.segmentsFrom(last).length, 1);
});

run();
