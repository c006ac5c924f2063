/**
 * A segment's header says how the one before it ended. Each part of that must hold, because each
 * tells of another loss: here a header is made that is right in everything but one.
 */
import * as assert from 'uvu/assert';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  type SegmentEnd,
  type SegmentHeader,
} from '../../src/storage/wal-format.js';
import { suite } from '../harness/suite.js';
import {
  append,
  isDamageAt,
  openWal,
  readTexts,
  segmentPath,
  walDisk,
} from '../harness/wal-cases.js';

const { test, run } = suite('WAL reader between segments');
const TEXTS = ['a', 'b', 'c'];
const END = 4 * 4096;

/** Segment 1 with three frames, segment 2 with none, as an opening leaves it, and `changes`. */
function logWithSuccessor(changes: (right: SegmentHeader) => Partial<SegmentHeader>) {
  const disk = walDisk();
  const wal = openWal(disk);
  append(wal, TEXTS);
  wal.close();
  openWal(disk, 2).close();
  const second = segmentPath(disk, 2);
  const reading = decodeSegmentHeader(disk.contentOf(second));
  if (reading.kind !== 'valid') throw new Error('The second segment has a header');
  const handle = disk.open(second, 'update');
  const header = { ...reading.header, ...changes(reading.header) };
  handle.writeAt(encodeSegmentHeader(header), 0, 4096, 0);
  handle.close();
  return { disk, first: segmentPath(disk, 1), second };
}

test('takes a successor that names the end', () => {
  const { disk } = logWithSuccessor(() => ({}));
  const { texts, reading } = readTexts(disk);
  assert.equal(texts, TEXTS);
  assert.is(reading.end.number, 2);
  assert.is(reading.end.lastSequence, TEXTS.length);
});

const WRONG: readonly (keyof SegmentEnd)[] = [
  'number',
  'nonce',
  'endOffset',
  'lastSequence',
  'chain',
];

test('refuses one that names the end wrongly, in any part of it alone', () => {
  for (const name of WRONG) {
    const { disk, first } = logWithSuccessor(({ predecessor }) => ({
      predecessor: { ...predecessor, [name]: predecessor[name] + 1 },
    }));
    assert.throws(() => readTexts(disk), isDamageAt(first, END, TEXTS.length + 1), name);
  }
});

test('refuses one that says the segment before it went on, or ended earlier', () => {
  for (const frames of [1, -1]) {
    const { disk, first } = logWithSuccessor(({ predecessor }) => ({
      predecessor: { ...predecessor, endOffset: predecessor.endOffset + frames * 4096 },
    }));
    const at = Math.min(END, END + frames * 4096);
    assert.throws(() => readTexts(disk), isDamageAt(first, at), `${frames}`);
  }
});

test('refuses one whose first write is not the next', () => {
  const { disk, second } = logWithSuccessor(({ firstSequence }) => ({
    firstSequence: firstSequence + 1,
  }));
  assert.throws(() => readTexts(disk), isDamageAt(second, 0, TEXTS.length + 1));
});

test('takes one that begins behind writes which are in tables and lost their frames', () => {
  const { disk } = logWithSuccessor(({ firstSequence }) => ({ firstSequence: firstSequence + 7 }));
  const { reading } = readTexts(disk, 1, TEXTS.length + 7);
  assert.is(reading.end.lastSequence, TEXTS.length + 7);
  assert.throws(() => readTexts(disk, 1, TEXTS.length + 6), /does not continue/);
});

run();
