import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { decodeSegmentHeader } from '../../src/storage/wal-format.js';
import type { WalWriter } from '../../src/storage/wal-writer.js';
import { SeededRandom } from '../harness/seeded-random.js';
import type { SimulatedDisk } from '../harness/simulated-disk.js';
import { CRASH_MODES } from '../harness/simulated-file.js';
import type { OperationKind } from '../harness/simulated-operations.js';
import { suite } from '../harness/suite.js';
import {
  append,
  flip,
  groupOf,
  isDamageAt,
  openWal,
  readTexts,
  SEGMENT_BYTES,
  segmentPath,
  WAL_DIR,
  walDisk,
} from '../harness/wal-cases.js';

const { test, run } = suite('WalWriter');
const FRAMES_PER_SEGMENT = SEGMENT_BYTES / 4096 - 1;
const numbered = (count: number, from = 1) =>
  Array.from({ length: count }, (_, i) => `write ${from + i}`);

/** What a pool job does when a spare is wanted. */
function deliverSpare(disk: SimulatedDisk, wal: WalWriter, sizeBytes = SEGMENT_BYTES): string {
  const name = wal.takeSpareName();
  const handle = disk.open(`${WAL_DIR}/${name}`, 'create');
  handle.truncate(sizeBytes);
  handle.syncData();
  handle.close();
  disk.syncDir(WAL_DIR);
  wal.addSpare(name);
  return name;
}

/** The changes to the disk that `body` makes. */
function changesOf(disk: SimulatedDisk, body: () => void): { kind: OperationKind; path: string }[] {
  disk.trace = [];
  body();
  const trace = disk.trace.filter(({ kind }) => !['open', 'stat', 'read', 'size'].includes(kind));
  disk.trace = undefined;
  return trace.map(({ kind, path }) => ({ kind, path }));
}

const kindsOf = (changes: { kind: OperationKind }[]) => changes.map(({ kind }) => kind);

test('one group is one write, one sync, and durable only with the sync', () => {
  const disk = walDisk();
  const wal = openWal(disk);
  assert.equal(kindsOf(changesOf(disk, () => append(wal, ['a'], false))), ['write']);
  assert.is(wal.appendedThrough, 1);
  assert.is(wal.syncedThrough, 0);
  assert.equal(kindsOf(changesOf(disk, () => wal.requestSync())), ['sync']);
  assert.is(wal.syncedThrough, 1);
  assert.equal(kindsOf(changesOf(disk, () => wal.requestSync())), [], 'there is nothing to sync');
  append(wal, ['b'], false);
  disk.crash(1, 'synced-only');
  assert.equal(readTexts(disk).texts, ['a']);
});

test('what is behind the payload of a reused buffer never reaches the file', () => {
  const disk = walDisk();
  append(openWal(disk), ['a']);
  const bytes = disk.contentOf(segmentPath(disk));
  assert.is(bytes.indexOf(0xee, 4096 + 64 + 1), -1);
});

test('a full segment is synced to its end before the next one names it', () => {
  const disk = walDisk();
  const wal = openWal(disk);
  append(wal, numbered(FRAMES_PER_SEGMENT), false);
  const path = segmentPath(disk);
  assert.not(wal.hasRoomFor(1), 'no spare is ready');
  deliverSpare(disk, wal);
  assert.ok(wal.hasRoomFor(1));
  const changes = changesOf(disk, () => append(wal, ['next'], false));
  const next = segmentPath(disk, 2);
  assert.equal(changes, [
    { kind: 'sync', path },
    { kind: 'write', path: next },
    { kind: 'sync', path: next },
    { kind: 'write', path: next },
  ]);
  assert.is(wal.syncedThrough, FRAMES_PER_SEGMENT, 'rotation made the old segment durable');
  const reading = decodeSegmentHeader(disk.contentOf(next));
  assert.is(reading.kind, 'valid');
  if (reading.kind !== 'valid') return;
  assert.is(reading.header.firstSequence, FRAMES_PER_SEGMENT + 1);
  assert.is(reading.header.predecessor.number, 1);
  assert.is(reading.header.predecessor.endOffset, SEGMENT_BYTES);
  assert.is(reading.header.predecessor.lastSequence, FRAMES_PER_SEGMENT);
});

test('a group that does not fit the rest of a segment goes into the next', () => {
  const disk = walDisk();
  const wal = openWal(disk);
  append(wal, numbered(FRAMES_PER_SEGMENT - 1));
  const large = 'x'.repeat(5000);
  assert.ok(wal.hasRoomFor(100));
  assert.not(wal.hasRoomFor(large.length));
  deliverSpare(disk, wal);
  append(wal, [large]);
  assert.is(segmentPath(disk, 2).length > 0, true);
  wal.close();
  assert.equal(readTexts(disk).texts, [...numbered(FRAMES_PER_SEGMENT - 1), large]);
});

test('a released segment is used again without being cleared, and its frames are gone', () => {
  const disk = walDisk();
  const wal = openWal(disk, 1, { sparesMax: 1 });
  append(wal, numbered(FRAMES_PER_SEGMENT));
  const path = segmentPath(disk);
  deliverSpare(disk, wal);
  append(wal, ['second segment']);
  assert.is(wal.oldestSegmentFor(FRAMES_PER_SEGMENT - 1), 1);
  assert.is(wal.oldestSegmentFor(FRAMES_PER_SEGMENT), 2);
  wal.release(FRAMES_PER_SEGMENT - 1);
  assert.is(wal.sparesWanted, 1, 'one write of it is still needed');
  wal.release(FRAMES_PER_SEGMENT);
  assert.is(wal.sparesWanted, 0);
  append(wal, numbered(FRAMES_PER_SEGMENT - 1, 100));
  const kinds = new Set(kindsOf(changesOf(disk, () => append(wal, ['third segment']))));
  assert.is(segmentPath(disk, 3), path);
  assert.equal([...kinds].sort(), ['sync', 'write']);
  wal.close();
  const last = 2 * FRAMES_PER_SEGMENT;
  assert.equal(readTexts(disk, 3, last).texts, ['third segment']);
});

test('a segment that the manifest names is not released, whatever could go by now', () => {
  const disk = walDisk();
  const wal = openWal(disk, 1, { sparesMax: 1 });
  append(wal, numbered(FRAMES_PER_SEGMENT));
  // The edit of a flush of them all is made now, and names this segment; it waits for the disk.
  const minSegment = wal.oldestSegmentFor(FRAMES_PER_SEGMENT);
  assert.is(minSegment, 1);
  deliverSpare(disk, wal);
  append(wal, ['second segment']);
  wal.release(FRAMES_PER_SEGMENT, Number.POSITIVE_INFINITY, minSegment);
  assert.is(wal.liveBytes, SEGMENT_BYTES + 2 * 4096);
  wal.release(FRAMES_PER_SEGMENT, Number.POSITIVE_INFINITY, minSegment + 1);
  assert.is(wal.liveBytes, 2 * 4096);
});

test('liveBytes counts what is not released', () => {
  const disk = walDisk();
  const wal = openWal(disk, 1, { sparesMax: 1 });
  assert.is(wal.liveBytes, 4096);
  append(wal, numbered(FRAMES_PER_SEGMENT));
  assert.is(wal.liveBytes, SEGMENT_BYTES);
  deliverSpare(disk, wal);
  append(wal, ['second segment']);
  assert.is(wal.liveBytes, SEGMENT_BYTES + 2 * 4096);
  wal.release(FRAMES_PER_SEGMENT);
  assert.is(wal.liveBytes, 2 * 4096);
});

test('names of spares never meet those of files or of orders from an earlier life', () => {
  const disk = walDisk();
  const names = new Set<string>();
  for (let life = 0; life < 4; life++) {
    const wal = openWal(disk, life + 1, { sparesMax: 3 });
    for (const name of disk.list(WAL_DIR)) names.add(name);
    while (wal.sparesWanted > 0) {
      const name = wal.takeSpareName();
      assert.not(names.has(name), name);
      names.add(name);
    }
    wal.close();
  }
});

test('an order that came to nothing may be placed again', () => {
  const disk = walDisk();
  const wal = openWal(disk, 1, { sparesMax: 1 });
  assert.is(wal.sparesWanted, 1);
  const name = wal.takeSpareName();
  assert.is(wal.sparesWanted, 0);
  wal.cancelSpare();
  assert.is(wal.sparesWanted, 1);
  assert.is.not(wal.takeSpareName(), name);
});

test('an opening goes on in a new segment, with the numbers that come next', () => {
  const disk = walDisk();
  const texts: string[] = [];
  for (let life = 1; life <= 5; life++) {
    const wal = openWal(disk, life);
    assert.is(wal.appendedThrough, texts.length);
    append(wal, [`life ${life} a`, `life ${life} b`]);
    texts.push(`life ${life} a`, `life ${life} b`);
    wal.close();
    const { reading } = readTexts(disk);
    assert.is(reading.live.length, life);
    assert.is(reading.ownerEpoch, life);
  }
  assert.equal(readTexts(disk).texts, texts);
});

test('spares of another size than is wanted now are removed, live segments when released', () => {
  const disk = walDisk();
  const first = openWal(disk);
  append(first, ['small']);
  deliverSpare(disk, first);
  first.close();
  const wal = openWal(disk, 2, { segmentBytes: 2 * SEGMENT_BYTES });
  const sizes = () =>
    disk.list(WAL_DIR).map((name) => disk.stat(`${WAL_DIR}/${name}`)?.sizeBytes ?? 0);
  assert.equal(sizes(), [SEGMENT_BYTES, 2 * SEGMENT_BYTES], 'the spare is gone');
  append(wal, ['large']);
  assert.equal(readTexts(disk).texts, ['small', 'large']);
  wal.release(1);
  assert.equal(sizes(), [2 * SEGMENT_BYTES]);
});

test('no more released segments are kept than were in use together', () => {
  const disk = walDisk();
  const wal = openWal(disk, 1, { sparesMax: 1 });
  for (let n = 0; n < 4 * FRAMES_PER_SEGMENT; n++) {
    if (!wal.hasRoomFor(1)) deliverSpare(disk, wal);
    append(wal, ['x']);
  }
  assert.is(disk.list(WAL_DIR).length, 4);
  wal.release(3 * FRAMES_PER_SEGMENT);
  assert.is(disk.list(WAL_DIR).length, 4, 'the next MemTable will fill as many');
  for (let n = 0; n < FRAMES_PER_SEGMENT; n++) append(wal, ['x']);
  wal.release(4 * FRAMES_PER_SEGMENT);
  assert.is(disk.list(WAL_DIR).length, 3, 'it filled fewer');
});

test('a seal is the witness of the frame before it', () => {
  for (const close of [false, true]) {
    const disk = walDisk();
    const wal = openWal(disk);
    append(wal, ['a', 'b'], false);
    const kinds = kindsOf(changesOf(disk, () => wal.seal(close)));
    assert.equal(kinds, ['sync', 'write', 'sync'], 'it promises only what is synced');
    wal.close();
    const path = segmentPath(disk);
    flip(disk, path, 2 * 4096 + 64);
    assert.throws(() => readTexts(disk), isDamageAt(path, 2 * 4096, 2));
  }
});

test('a seal counts no sequence number, and writes go on behind it', () => {
  const disk = walDisk();
  const wal = openWal(disk);
  append(wal, ['a']);
  wal.seal(false);
  append(wal, ['b']);
  wal.seal(true);
  wal.close();
  const { texts, reading } = readTexts(disk);
  assert.equal(texts, ['a', 'b']);
  assert.is(reading.end.lastSequence, 2);
  assert.is(reading.frameCount, 4);
});

test('a seal that does not fit makes no new segment, and still syncs', () => {
  const disk = walDisk();
  const wal = openWal(disk);
  append(wal, numbered(FRAMES_PER_SEGMENT), false);
  deliverSpare(disk, wal);
  const changes = changesOf(disk, () => wal.seal(true));
  assert.equal(kindsOf(changes), ['sync']);
  assert.is(wal.syncedThrough, FRAMES_PER_SEGMENT);
});

/** Fails the next call of that kind; the log must be dead from then on. */
function assertBreaks(fault: { kind: OperationKind; code: string }, fillFirst: boolean): void {
  const disk = walDisk();
  const wal = openWal(disk);
  append(wal, fillFirst ? numbered(FRAMES_PER_SEGMENT) : ['safe']);
  const safe = wal.syncedThrough;
  deliverSpare(disk, wal);
  disk.fail(fault);
  const where = `${fault.kind} ${fault.code}`;
  assert.throws(() => append(wal, ['unsure']), isBroken('unknown'), where);
  assert.is(wal.syncedThrough, safe, where);
  const changes = changesOf(disk, () => {
    assert.throws(() => wal.append(groupOf('more', safe + 1)), isBroken('not-applied'), where);
    assert.throws(() => wal.requestSync(), isBroken('not-applied'), where);
    assert.throws(() => wal.seal(true), isBroken('not-applied'), where);
  });
  assert.equal(changes, [], 'nothing is retried');
  wal.close();
  disk.crash(1, 'synced-only');
  assert.is(readTexts(disk).texts.length, safe, where);
}

test('a failed write or sync breaks the log for good', () => {
  for (const code of ['EIO', 'ENOSPC', 'SHORT']) assertBreaks({ kind: 'write', code }, false);
  for (const code of ['EIO', 'ENOSPC']) assertBreaks({ kind: 'sync', code }, false);
});

test('so does one while it turns to the next segment', () => {
  for (const kind of ['sync', 'write', 'open'] as const) assertBreaks({ kind, code: 'EIO' }, true);
});

const isBroken = (outcome: string) => (error: unknown) =>
  error instanceof StormError && error.code === 'UNAVAILABLE' && error.outcome === outcome;

test('a closed log takes nothing more', () => {
  const wal = openWal(walDisk());
  wal.close();
  assert.throws(() => wal.append(groupOf('late', 1)), /takes no more writes: it is closed/);
});

test('a group out of sequence is a bug and not written', () => {
  const disk = walDisk();
  const wal = openWal(disk);
  append(wal, ['a']);
  const bad = () => wal.append(groupOf('b', 3));
  assert.equal(kindsOf(changesOf(disk, () => assert.throws(bad, /continues the sequence/))), []);
});

test('loses no synced group at any change to the disk, with rotation and recycling', () => {
  let crashes = 0;
  for (let step = 1; ; step++) {
    const seed = step * 7;
    const random = new SeededRandom(seed);
    const disk = walDisk();
    disk.crashBeforeChange(step);
    const { synced, written, released, isOver } = writeUntilCrash(disk, seed);
    if (isOver) break;
    crashes++;
    disk.crash(random, random.pick(CRASH_MODES));
    if (disk.list(WAL_DIR).length === 0 || written === 0) continue;
    const { texts } = readTexts(disk, released.segment, released.sequence);
    const got = released.sequence + texts.length;
    assert.ok(got >= synced && got <= written, `step ${step}: ${got} of ${synced} to ${written}`);
    const all = numbered(written).slice(released.sequence, got);
    assert.equal(texts, all, `step ${step}`);
  }
  assert.ok(crashes > 100, `${crashes} crashes`);
});

/** Two of three groups synced at once, segments released as soon as they are full. */
function writeUntilCrash(disk: SimulatedDisk, seed: number) {
  const state = { synced: 0, written: 0, released: { segment: 1, sequence: 0 }, isOver: false };
  try {
    const wal = openWal(disk, seed, { sparesMax: 1 });
    for (let n = 1; n <= 8 * FRAMES_PER_SEGMENT; n++) {
      if (!wal.hasRoomFor(20)) deliverSpare(disk, wal);
      state.written = n;
      append(wal, [`write ${n}`], n % 3 !== 0);
      state.synced = wal.syncedThrough;
      const full = Math.floor((n - 1) / FRAMES_PER_SEGMENT);
      if (full * FRAMES_PER_SEGMENT <= state.released.sequence || full < 1) continue;
      const sequence = full * FRAMES_PER_SEGMENT;
      state.released = { segment: wal.oldestSegmentFor(sequence), sequence };
      wal.release(sequence);
    }
    state.isOver = true;
  } catch (error) {
    if (!/down|cannot|no more/.test(String(error))) throw error;
  }
  return state;
}

run();
