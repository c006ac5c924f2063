import * as assert from 'uvu/assert';
import { RunBuilder } from '../../src/base/run-builder.js';
import { LogEntries } from '../../src/offline/log-entries.js';
import { KIND_DELETE } from '../../src/storage/entry-cursor.js';
import type { WalFrame } from '../../src/storage/wal-reader.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('LogEntries');

function frameOf(firstSequence: number, fill: (run: RunBuilder) => void): WalFrame {
  const builder = new RunBuilder();
  fill(builder);
  const bytes = builder.runView();
  const header = { payloadLength: bytes.length, count: builder.count, firstSequence };
  const rest = { commitTimeMs: 1000, offset: 0 };
  return { header: { ...header, ...rest } as WalFrame['header'], bytes, payloadStart: 0 };
}

const text = (value: string) => Buffer.from(value);

function shown(log: LogEntries): unknown[] {
  const found: unknown[] = [];
  for (; log.valid; log.next()) {
    const key = Buffer.from(log.keyBytes.subarray(log.keyStart, log.keyStart + log.keyLength));
    found.push([key.toString(), log.sequence, log.kind === KIND_DELETE, log.expiresAtMs]);
  }
  return found;
}

test('shows the newest write of each key in the order of bytes, with its expiry', () => {
  const log = new LogEntries();
  log.add(
    frameOf(5, (run) => {
      run.put(text('é'), text('1'));
      run.put(text('b'), text('2'), 500);
      run.put(text('a'), text('3'));
    }),
    5,
  );
  log.add(
    frameOf(8, (run) => run.delete(text('a'))),
    5,
  );
  log.putInOrder();
  log.seekToFirst();
  assert.equal(shown(log), [
    ['a', 8, true, 0],
    ['b', 6, false, 1500],
  ]);
  log.seek(text('aa'));
  assert.equal(shown(log), [['b', 6, false, 1500]]);
  log.seek(text('c'));
  assert.not(log.valid);
});

test('a frame that holds another number of entries than it says is damage', () => {
  const frame = frameOf(1, (run) => run.put(text('a'), text('1')));
  frame.header.count = 2;
  assert.throws(() => new LogEntries().add(frame, 0), /says 2 entries and holds 1/);
});

run();
