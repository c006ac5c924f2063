import { crc32 } from 'node:zlib';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { SEGMENT_HEADER_BYTES } from '../../src/storage/wal-format.js';
import {
  firstFrame,
  listSegments,
  pickNeeded,
  refuseLostHeaders,
} from '../../src/storage/wal-segments.js';
import type { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';
import {
  append,
  flip,
  isDamageAt,
  openWal,
  readTexts,
  SEGMENT_BYTES,
  segmentPath,
  WAL_DIR,
  WAL_IDENTITY,
  walDisk,
} from '../harness/wal-cases.js';

const { test, run } = suite('WAL segments');
const FRAMES_PER_SEGMENT = SEGMENT_BYTES / 4096 - 1;
const TEXTS = Array.from({ length: FRAMES_PER_SEGMENT * 3 - 4 }, (_, i) => `answer ${i + 1}`);

/** Three segments, the last one not full. */
function threeSegments(): SimulatedDisk {
  const disk = walDisk();
  const wal = openWal(disk);
  for (const text of TEXTS) {
    if (!wal.hasRoomFor(text.length)) addSpare(disk, wal.takeSpareName(), wal.addSpare.bind(wal));
    append(wal, [text]);
  }
  wal.close();
  return disk;
}

function addSpare(disk: SimulatedDisk, name: string, done: (name: string) => void): void {
  const handle = disk.open(`${WAL_DIR}/${name}`, 'create');
  handle.truncate(SEGMENT_BYTES);
  handle.close();
  done(name);
}

/** Changes a header and makes its checksum right again. */
function editHeader(disk: SimulatedDisk, path: string, edit: (view: DataView) => void): void {
  const bytes = disk.contentOf(path);
  const view = new DataView(bytes.buffer);
  edit(view);
  view.setUint32(0, crc32(bytes.subarray(4, 512)), true);
  disk.replaceContent(path, bytes);
}

test('a whole log is read over its segments, from any one that the manifest still needs', () => {
  const disk = threeSegments();
  assert.equal(readTexts(disk).texts, TEXTS);
  const [first, second] = [FRAMES_PER_SEGMENT, FRAMES_PER_SEGMENT * 2];
  assert.equal(readTexts(disk, 2, first).texts, TEXTS.slice(first));
  assert.equal(readTexts(disk, 3, second + 1).texts, TEXTS.slice(second + 1));
  assert.equal(
    readTexts(disk, 3, second).reading.spares.map(({ path }) => path),
    [segmentPath(disk, 1), segmentPath(disk, 2)],
  );
});

test('names of files mean nothing: segments may trade them', () => {
  const disk = threeSegments();
  const [a, b] = [segmentPath(disk, 1), segmentPath(disk, 3)];
  disk.rename(a, `${WAL_DIR}/elsewhere`);
  disk.rename(b, a);
  disk.rename(`${WAL_DIR}/elsewhere`, `${WAL_DIR}/wal-999999.seg`);
  assert.equal(readTexts(disk).texts, TEXTS);
});

test('content that traded places is refused: another segment is not where it is expected', () => {
  const disk = threeSegments();
  const paths = [segmentPath(disk, 1), segmentPath(disk, 2)];
  const [one, two] = paths.map((path) => disk.contentOf(path));
  // The headers stay, the frames behind them are swapped.
  const mixed = (header: Uint8Array, frames: Uint8Array) =>
    Uint8Array.of(
      ...header.subarray(0, SEGMENT_HEADER_BYTES),
      ...frames.subarray(SEGMENT_HEADER_BYTES),
    );
  assert.ok(one !== undefined && two !== undefined);
  disk.replaceContent(paths[0] ?? '', mixed(one, two));
  disk.replaceContent(paths[1] ?? '', mixed(two, one));
  assert.throws(() => readTexts(disk), isDamageAt(paths[0] ?? '', SEGMENT_HEADER_BYTES, 1));
});

test('a missing segment is refused and named, the first, the middle one or all', () => {
  const first = threeSegments();
  first.remove(segmentPath(first, 1));
  assert.throws(() => readTexts(first), /WAL segment 1 is missing or doubled: found number 2/);
  const middle = threeSegments();
  middle.remove(segmentPath(middle, 2));
  assert.throws(() => readTexts(middle), /WAL segment 2 is missing or doubled: found number 3/);
  const none = threeSegments();
  for (const name of none.list(WAL_DIR)) none.remove(`${WAL_DIR}/${name}`);
  assert.throws(
    () => readTexts(none, 2, 9),
    isRefusal('DATA_CORRUPTION', /segment 2 .*sequence 10/),
  );
});

test('a segment that is there twice is refused', () => {
  const disk = threeSegments();
  const copy = `${WAL_DIR}/wal-123456.seg`;
  disk.open(copy, 'create').close();
  disk.replaceContent(copy, disk.contentOf(segmentPath(disk, 2)));
  assert.throws(() => readTexts(disk), /missing or doubled/);
});

test('a segment of another store or shard is refused wherever it lies', () => {
  for (const number of [1, 2, 3]) {
    const otherStore = threeSegments();
    const path = segmentPath(otherStore, number);
    editHeader(otherStore, path, (view) => view.setUint8(31, 8));
    assert.throws(() => readTexts(otherStore, 3, 14), isDamageAt(path, 0));
    const otherShard = threeSegments();
    editHeader(otherShard, segmentPath(otherShard, number), (view) => view.setUint32(12, 4, true));
    assert.throws(() => readTexts(otherShard, 3, 14), /another store or shard/);
  }
});

test('another format version is refused with both versions, though its fields mean something else', () => {
  const disk = threeSegments();
  editHeader(disk, segmentPath(disk, 3), (view) => {
    view.setUint32(8, 7, true);
    view.setUint32(12, 99, true);
  });
  const message = /has WAL format version 7, this program reads 0: use the program/;
  assert.throws(() => readTexts(disk), isRefusal('FAILED_PRECONDITION', message));
});

test('a log that begins behind the last flushed write is refused', () => {
  const disk = threeSegments();
  const path = segmentPath(disk, 2);
  assert.throws(
    () => readTexts(disk, 2, FRAMES_PER_SEGMENT - 1),
    isDamageAt(path, 0, FRAMES_PER_SEGMENT),
  );
});

test('a damaged header in front of writes is refused and named, also where its segment is missed', () => {
  for (const number of [1, 2, 3]) {
    const disk = threeSegments();
    const path = segmentPath(disk, number);
    flip(disk, path, 33);
    const sequence = (number - 1) * FRAMES_PER_SEGMENT + 1;
    assert.throws(() => readTexts(disk), isDamageAt(path, 0, sequence), `segment ${number}`);
  }
});

test('a header that was lost, or is again that of a former life, is refused', () => {
  const disk = threeSegments();
  const path = segmentPath(disk, 3);
  const former = disk.contentOf(segmentPath(disk, 1)).subarray(0, SEGMENT_HEADER_BYTES);
  for (const header of [new Uint8Array(SEGMENT_HEADER_BYTES), former]) {
    const bytes = disk.contentOf(path);
    bytes.set(header, 0);
    disk.replaceContent(path, bytes);
    const read = () => readTexts(disk, 2, FRAMES_PER_SEGMENT);
    assert.throws(read, isDamageAt(path, 0, FRAMES_PER_SEGMENT * 2 + 1));
  }
});

test('a damaged header with nothing new behind it is an unfinished creation', () => {
  const disk = threeSegments();
  // A spare that was about to become segment 4.
  const path = segmentPath(disk, 1);
  flip(disk, path, 40);
  const found = readTexts(disk, 2, FRAMES_PER_SEGMENT);
  assert.equal(found.texts, TEXTS.slice(FRAMES_PER_SEGMENT));
  assert.equal(
    found.reading.spares.map((spare) => spare.path),
    [path],
  );
});

test('a former segment that begins with a seal holds no write, though the seal has the next number', () => {
  const disk = walDisk();
  const first = openWal(disk);
  append(first, ['one']);
  first.close();
  const sealed = openWal(disk, 2);
  sealed.seal(true);
  sealed.close();
  const path = segmentPath(disk, 2);
  openWal(disk, 3).close();
  const { reading } = readTexts(disk, 3, 1);
  assert.is(reading.end.lastSequence, 1);
  assert.is(firstFrame(disk, path)?.firstSequence, 2);
});

test('files of other names are not looked at', () => {
  const disk = threeSegments();
  for (const name of ['wal-1.seg', 'wal-000001.seg.tmp', 'notes']) {
    disk.open(`${WAL_DIR}/${name}`, 'create').close();
  }
  assert.is(listSegments(disk, WAL_DIR).length, 3);
});

test('firstFrame reads the first frame whatever the header says, and none where there is none', () => {
  const disk = threeSegments();
  const path = segmentPath(disk, 2);
  flip(disk, path, 5);
  assert.is(firstFrame(disk, path)?.firstSequence, FRAMES_PER_SEGMENT + 1);
  flip(disk, path, SEGMENT_HEADER_BYTES + 70);
  assert.is(firstFrame(disk, path), undefined);
  // A length that reaches behind the file is no reason to allocate it.
  const huge = disk.contentOf(path);
  huge.fill(0xff, SEGMENT_HEADER_BYTES + 4, SEGMENT_HEADER_BYTES + 8);
  disk.replaceContent(path, huge);
  assert.is(firstFrame(disk, path), undefined);
  for (const length of [0, 100, SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES + 20]) {
    disk.replaceContent(path, huge.subarray(0, length));
    assert.is(firstFrame(disk, path), undefined);
  }
});

test('read errors are passed on and never taken for an end', () => {
  for (const nth of [1, 2, 3, 4, 5, 6]) {
    const disk = threeSegments();
    disk.fail({ kind: 'read', code: 'EIO', nth });
    assert.throws(() => readTexts(disk), /EIO/, `read ${nth}`);
  }
});

test('pickNeeded and refuseLostHeaders take an empty folder as they must', () => {
  const disk = walDisk();
  assert.equal(listSegments(disk, WAL_DIR), []);
  assert.throws(() => pickNeeded(disk, [], WAL_IDENTITY, 1, 0), /segment 1 is missing/);
  refuseLostHeaders(disk, [], 0);
});

const isRefusal = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof StormError && error.code === code && message.test(error.message);

run();
