import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { walkSegment } from '../../src/storage/segment-walk.js';
import { suite } from '../harness/suite.js';
import { append, openWal, segmentPath, walDisk } from '../harness/wal-cases.js';

const { test, run } = suite('walkSegment');

function segment(): Uint8Array {
  const disk = walDisk();
  const wal = openWal(disk);
  for (const text of ['a', 'b', 'c']) append(wal, [text]);
  return disk.contentOf(segmentPath(disk));
}

function codeOf(body: () => unknown): string {
  try {
    body();
    return 'none';
  } catch (error) {
    return error instanceof StormError ? error.code : String(error);
  }
}

test('follows the frames to the end that was meant', () => {
  const seen: number[] = [];
  const wanted = { number: 1, endOffset: 4 * 4096, lastSequence: 3 };
  const walked = walkSegment(segment(), 's', wanted, ({ firstSequence }) => {
    seen.push(firstSequence);
  });
  assert.equal([walked.endOffset, walked.lastSequence, seen], [4 * 4096, 3, [1, 2, 3]]);
  const part = { number: 1, endOffset: 3 * 4096, lastSequence: 2 };
  assert.is(walkSegment(segment(), 's', part).endOffset, 3 * 4096);
  const open = { number: 1, endOffset: undefined, lastSequence: 3 };
  assert.is(walkSegment(segment(), 's', open).endOffset, 4 * 4096);
});

test('another segment is another thing than a damaged one', () => {
  const open = { endOffset: undefined, lastSequence: 3 };
  assert.is(
    codeOf(() => walkSegment(segment(), 's', { ...open, number: 2 })),
    'NOT_FOUND',
  );
  const bytes = segment();
  bytes[2 * 4096 + 64] = (bytes[2 * 4096 + 64] ?? 0) ^ 1;
  assert.is(
    codeOf(() => walkSegment(bytes, 's', { ...open, number: 1 })),
    'DATA_CORRUPTION',
  );
});

run();
