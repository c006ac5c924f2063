import * as assert from 'uvu/assert';
import { RunBuilder } from '../../src/base/run-builder.js';
import { type EntryView, KIND_DELETE } from '../../src/storage/entry-cursor.js';
import { LogPages } from '../../src/storage/log-pages.js';
import type { WalWriter } from '../../src/storage/wal-writer.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';
import { flip, groupOf, openWal, segmentPath, walDisk } from '../harness/wal-cases.js';

const { test, run } = suite('LogPages');

/** Appends one frame of so many entries; key and value name the sequence number. */
function append(wal: WalWriter, count: number, sync = true): void {
  const first = wal.appendedThrough + 1;
  const builder = new RunBuilder();
  for (let i = first; i < first + count; i++) {
    if (i % 7 === 0) builder.delete(Buffer.from(`k${i}`));
    else builder.put(Buffer.from(`k${i}`), Buffer.from(`v${i}`), i % 5 === 0 ? 1000 : 0);
  }
  wal.append(groupOf(builder.runView().slice(), first, count));
  if (sync) wal.requestSync();
}

/** All pages from `from` on, each of so many entries at most; empty ones count. */
function read(pages: LogPages, wal: WalWriter, from: number, entriesMax: number, bytesMax: number) {
  const found: string[] = [];
  let next = from;
  for (let calls = 1; ; calls++) {
    let left = entriesMax;
    const page = pages.read(wal.segmentsFrom(next), next, bytesMax, {
      add(e: EntryView) {
        if (left-- === 0) return false;
        const key = Buffer.from(e.keyBytes.subarray(e.keyStart, e.keyStart + e.keyLength));
        const value = e.valueBytes.subarray(e.valueStart, e.valueStart + e.valueLength);
        const kind = e.kind === KIND_DELETE ? 'deleted' : Buffer.from(value).toString();
        found.push(`${e.sequence} ${key} ${kind} ${e.expiresAtMs}`);
        return true;
      },
    });
    if (page.kind === 'gap') throw new Error(`gap: ${page.oldest}`);
    next = page.next;
    if (page.isEnd) return { found, next, calls };
  }
}

function wanted(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => {
    const n = from + i;
    const expiresAtMs = n % 5 === 0 ? 1_700_000_001_000 : 0;
    return n % 7 === 0 ? `${n} k${n} deleted 0` : `${n} k${n} v${n} ${expiresAtMs}`;
  });
}

test('every entry comes once and in order, from anywhere, in pages of any size', () => {
  const disk = walDisk();
  const wal = openWal(disk);
  const random = new SeededRandom(4);
  while (wal.appendedThrough < 200) append(wal, 1 + random.nextInt(6));
  const last = wal.appendedThrough;
  assert.ok(wal.segmentsFrom(1).length > 3);
  const pages = new LogPages(disk);
  const trials: [from: number, entriesMax: number, bytesMax: number][] = [
    [1, 1000, 1e6],
    [1, 1, 1e6],
    [1, 3, 100],
    [57, 5, 1e6],
    [last, 5, 1],
    [last + 1, 5, 1],
  ];
  for (const [from, entriesMax, bytesMax] of trials) {
    const { found, next } = read(pages, wal, from, entriesMax, bytesMax);
    assert.equal(found, wanted(from, last), `from ${from}, ${entriesMax} entries a page`);
    assert.is(next, last + 1);
  }
  // A reader that follows finds what came since, seals in between or not.
  append(wal, 3);
  wal.seal(false);
  append(wal, 2);
  assert.equal(read(pages, wal, last + 1, 2, 1e6).found, wanted(last + 1, last + 5));
});

test('what is not durable is not shown', () => {
  const disk = walDisk();
  const wal = openWal(disk);
  append(wal, 3);
  append(wal, 4, false);
  const pages = new LogPages(disk);
  assert.is(read(pages, wal, 1, 100, 1e6).next, 4);
  wal.requestSync();
  assert.equal(read(pages, wal, 4, 100, 1e6).found, wanted(4, 7));
});

test('a log that begins later says where', () => {
  const disk = walDisk();
  const wal = openWal(disk);
  while (wal.segmentsFrom(1).length < 4) append(wal, 5);
  wal.release(wal.appendedThrough);
  const oldest = wal.oldestSequence;
  assert.ok(oldest > 1);
  const page = new LogPages(disk).read(wal.segmentsFrom(1), 1, 1e6, { add: () => true });
  assert.equal(page, { kind: 'gap', oldest });
});

test('a damaged frame of what is durable is damage, not an end', () => {
  const disk = walDisk();
  const wal = openWal(disk);
  for (let i = 0; i < 3; i++) append(wal, 2);
  for (const at of [2 * 4096 + 70, 2 * 4096 + 6]) {
    const copy = disk.clone();
    flip(copy, segmentPath(copy), at);
    const pages = new LogPages(copy);
    assert.throws(() => read(pages, wal, 1, 100, 1e6), /more of it is durable/);
  }
});

run();
