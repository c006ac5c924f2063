import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  isExpired,
  type PageEnd,
  type PageSink,
  type ScanRange,
  scanBackward,
  scanForward,
} from '../../src/shard/range-scan.js';
import { type EntryView, KIND_DELETE } from '../../src/storage/entry-cursor.js';
import {
  ArrayCursor,
  bytesOf,
  del,
  entryAt,
  expectedVersion,
  inTableOrder,
  put,
  type TestEntry,
  textOf,
} from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { arbitraryEntries } from '../harness/table-cases.js';

const { test, run } = suite('A range scan');
const NOW_MS = 50;
const NEWEST = Number.MAX_SAFE_INTEGER;
const ALL: ScanRange = { from: undefined, to: undefined, snapshot: NEWEST, nowMs: NOW_MS };

class Page implements PageSink {
  readonly entries: TestEntry[] = [];
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(entry: EntryView): boolean {
    if (this.entries.length === this.#max) return false;
    this.entries.push(entryAt(entry));
    return true;
  }
}

/** What a reader at the snapshot sees within the bounds, ascending. */
function expected(entries: readonly TestEntry[], range: ScanRange): TestEntry[] {
  const keys = [...new Set(inTableOrder(entries).map(({ key }) => key))];
  return keys.flatMap((key) => {
    if (range.from !== undefined && key < textOf(range.from)) return [];
    if (range.to !== undefined && key >= textOf(range.to)) return [];
    const entry = expectedVersion(entries, key, range.snapshot);
    if (entry === undefined || entry.kind === KIND_DELETE) return [];
    return isExpired(entry.expiresAtMs, range.nowMs) ? [] : [entry];
  });
}

/** All pages, each from a fresh cursor, as the shard does it. */
function pages(entries: readonly TestEntry[], range: ScanRange, max: number, reverse: boolean) {
  const all: TestEntry[] = [];
  let bounds = range;
  for (let i = 0; i <= Math.min(entries.length, 100) + 1; i++) {
    const page = new Page(max);
    const cursor = new ArrayCursor(entries);
    const end: PageEnd = reverse
      ? scanBackward(cursor, bounds, page)
      : scanForward(cursor, bounds, page);
    all.push(...page.entries);
    if (end.kind === 'done') return all;
    bounds = reverse
      ? { ...bounds, to: Buffer.concat([end.key, Buffer.of(0)]) }
      : { ...bounds, from: end.key };
  }
  throw new Error('The scan does not end');
}

test('shows what the snapshot sees, in pages of any size, in both directions', () => {
  const bounds = fc.option(fc.constantFrom('', 'a', 'ab', 'b/', 'p', '\xff'), { nil: undefined });
  const snapshots = fc.constantFrom(0, 5, 15, 30, 2 ** 32, NEWEST);
  const sizes = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(
      arbitraryEntries(0, 60),
      bounds,
      bounds,
      snapshots,
      sizes,
      (entries, from, to, snapshot, max) => {
        const range: ScanRange = {
          from: from === undefined ? undefined : bytesOf(from),
          to: to === undefined ? undefined : bytesOf(to),
          snapshot,
          nowMs: NOW_MS,
        };
        const wanted = expected(entries, range);
        assert.equal(pages(entries, range, max, false), wanted);
        assert.equal(pages(entries, range, max, true), [...wanted].reverse());
      },
    ),
  );
});

test('does not look past a newer version that hides an older one', () => {
  const entries = [del('a', 3), put('a', 2, 'old'), put('b', 4, 'gone', 10), put('b', 1, 'old')];
  assert.equal(pages(entries, ALL, 5, false), []);
  assert.equal(pages(entries, ALL, 5, true), []);
  const earlier = { ...ALL, snapshot: 2 };
  assert.equal(pages(entries, earlier, 5, false), [entries[1], entries[3]]);
});

test('ends a page after so many tombstones, and goes on behind them', () => {
  const count = 45_000;
  const entries = Array.from({ length: count }, (_, i) => del(`k${100_000 + i}`, i + 1));
  entries.push(put('last', count + 1, 'v'));
  const page = new Page(5);
  const end = scanForward(new ArrayCursor(entries), ALL, page);
  if (end.kind !== 'more') throw new Error(end.kind);
  assert.equal(page.entries, []);
  assert.is(textOf(end.key), 'k120000');
  assert.equal(pages(entries, ALL, 5, false), entries.slice(-1));
});

test('passes over the many versions of one key, however many they are', () => {
  const count = 45_000;
  const entries = Array.from({ length: count }, (_, i) => put('k', count - i, 'v'));
  entries.push(put('next', 1, 'v'));
  assert.equal(pages(entries, ALL, 5, false), [entries[0], entries[count]]);
  const early = { ...ALL, snapshot: 1 };
  assert.equal(pages(entries, early, 5, false), [entries[count - 1], entries[count]]);
});

test('judges expiry to the millisecond, and 0 as never', () => {
  assert.not(isExpired(0, 2 ** 45));
  assert.not(isExpired(NOW_MS + 1, NOW_MS));
  assert.ok(isExpired(NOW_MS, NOW_MS));
});

run();
