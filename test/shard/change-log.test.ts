import * as assert from 'uvu/assert';
import { RunBuilder } from '../../src/base/run-builder.js';
import { ChangeLog } from '../../src/shard/change-log.js';
import { WalHolds } from '../../src/shard/wal-holds.js';
import { ManualClock } from '../harness/manual-clock.js';
import { suite } from '../harness/suite.js';
import { groupOf, openWal, SEGMENT_BYTES, walDisk } from '../harness/wal-cases.js';

const { test, run } = suite('ChangeLog');

function rig(holdBytesMax: number) {
  const disk = walDisk();
  const wal = openWal(disk);
  const holds = new WalHolds(wal);
  const clock = new ManualClock();
  const changes = new ChangeLog({ fs: disk, clock }, wal, holds, holdBytesMax);
  const write = (count: number) => {
    for (let i = 0; i < count; i++) {
      const builder = new RunBuilder();
      builder.put(Buffer.from('key'), Buffer.alloc(3000));
      wal.append(groupOf(builder.runView().slice(), wal.appendedThrough + 1));
      wal.requestSync();
    }
    // As if all of it had been flushed to tables.
    wal.release(wal.appendedThrough, holds.keepFrom);
    holds.enforce(clock.monotonicMs());
  };
  const read = (from: number, name?: string) => {
    const seen: number[] = [];
    const { next } = changes.read(from, name, {
      add: ({ sequence }) => {
        seen.push(sequence);
        return true;
      },
    });
    return { seen, next };
  };
  return { write, read, clock, holds };
}

test('a reader with a name finds what was flushed meanwhile, up to the bound', () => {
  const { write, read } = rig(4 * SEGMENT_BYTES);
  write(3);
  const { next } = read(1, 'replica');
  write(20);
  assert.is(read(next, 'replica').seen[0], next);
  const gone = next;
  write(200);
  assert.throws(() => read(gone, 'replica'), /not in the log: the log begins with/);
  assert.ok(read(0, 'replica').next > 200, 'it holds again from where it begins again');
});

test('one without a name finds a gap, and so does one from the future', () => {
  const { write, read } = rig(4 * SEGMENT_BYTES);
  write(3);
  const { next } = read(1);
  write(60);
  assert.throws(() => read(next), /begin again with a snapshot/);
  assert.throws(() => read(1000, 'x'), /the log ends at 63/);
});

test('a hold ends when its reader stays away', () => {
  const { write, read, clock, holds } = rig(1000 * SEGMENT_BYTES);
  write(3);
  const { next } = read(1, 'replica');
  clock.advance(3_600_001);
  holds.enforce(clock.monotonicMs());
  write(60);
  assert.throws(() => read(next, 'replica'), /the log begins with/);
});

test('there are so many names and no more', () => {
  const { write, read } = rig(4 * SEGMENT_BYTES);
  write(1);
  for (let i = 0; i < 64; i++) read(1, `r${i}`);
  read(1, 'r5');
  assert.throws(() => read(1, 'one more'), /64 readers of changes have names/);
});

run();
