import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { copyLiveVersions } from '../../src/compactor/live-versions.js';
import { PACE_ENTRIES, UNPACED } from '../../src/compactor/merge-pace.js';
import { MAY_HOLD_ANY, OlderRuns } from '../../src/compactor/older-keys.js';
import type { TableSeries } from '../../src/compactor/write-tables.js';
import { KIND_DELETE } from '../../src/storage/entry-cursor.js';
import {
  ArrayCursor,
  bytesOf,
  del,
  expectedVersion,
  inTableOrder,
  put,
  type TestEntry,
  textOf,
} from '../harness/entries.js';

import { suite } from '../harness/suite.js';

const { test, run } = suite('copyLiveVersions');
const NOW_MS = 50;

interface Rules {
  snapshots?: number[];
  /** First and last key of each table of an older run, by pairs; none = nothing is older. */
  older?: string[];
  to?: string;
}

function kept(entries: TestEntry[], { snapshots = [], older = [], to }: Rules = {}): TestEntry[] {
  const found: TestEntry[] = [];
  const sink: Pick<TableSeries, 'add'> = {
    add(keyBytes, keyStart, keyLength, sequence, kind, expiresAtMs, bytes, start, length) {
      const key = textOf(keyBytes, keyStart, keyLength);
      const value = textOf(bytes, start, length);
      found.push({ key, sequence, kind, expiresAtMs, value });
    },
  };
  const cursor = new ArrayCursor(inTableOrder(entries));
  cursor.seekToFirst();
  const ranges = older.flatMap((minKey, i) =>
    i % 2 === 0 ? [{ minKey: bytesOf(minKey), maxKey: bytesOf(older[i + 1] ?? minKey) }] : [],
  );
  const bound = to === undefined ? undefined : bytesOf(to);
  const rules = { snapshots, nowMs: NOW_MS, older: new OlderRuns([ranges]), to: bound };
  copyLiveVersions(cursor, rules, sink, UNPACED);
  return found;
}

test('drops a tombstone as soon as no older run may hold its key', () => {
  const entries = [del('b', 5), del('d', 6), del('f', 7)];
  assert.equal(kept(entries, { older: ['a', 'c', 'e', 'z'] }), [del('b', 5), del('f', 7)]);
  assert.equal(kept(entries), []);
});

test('drops what has expired likewise, and leaves a tombstone where it may hide something', () => {
  const entries = [put('b', 5, 'x', NOW_MS), put('d', 6, 'y', NOW_MS), put('e', 7, 'z', 99)];
  assert.equal(kept(entries, { older: ['a', 'c'] }), [del('b', 5), put('e', 7, 'z', 99)]);
});

test('drops what a dropped tombstone hid, not only the tombstone', () => {
  assert.equal(kept([del('a', 9), put('a', 5, 'old'), put('a', 3, 'older')]), []);
  assert.equal(kept([put('a', 9, 'gone', NOW_MS), put('a', 5, 'old')]), []);
});

test('keeps a tombstone that a snapshot cannot see while what it hides is kept for that', () => {
  const entries = [del('a', 9), put('a', 5, 'old')];
  assert.equal(kept(entries, { snapshots: [7] }), entries);
  assert.equal(kept(entries, { snapshots: [4] }), [del('a', 9)]);
  assert.equal(kept(entries, { snapshots: [9] }), []);
});

test('stops at its bound, between keys and never between versions', () => {
  const entries = [put('a', 9), put('b', 9), put('b', 8), put('c', 1)];
  assert.equal(kept(entries, { to: 'b', snapshots: [8] }), [put('a', 9)]);
  const versions = [put('a', 9), put('b', 9), put('b', 8)];
  assert.equal(kept(entries, { to: 'c', snapshots: [8] }), versions);
  assert.equal(kept(entries, { to: 'a' }), []);
});

test('changes no answer with what is older, whatever snapshots see and tables overlap', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const entry = fc.record({
    key,
    sequence: fc.integer({ min: 100, max: 130 }),
    isDelete: fc.boolean(),
    expiresAtMs: fc.constantFrom(0, 0, NOW_MS, NOW_MS + 1),
  });
  const made = fc.uniqueArray(entry, { selector: (e) => `${e.key}${e.sequence}`, maxLength: 20 });
  const views = fc.uniqueArray(fc.integer({ min: 99, max: 131 }), { maxLength: 3 });
  const cuts = fc.uniqueArray(key, { maxLength: 4 });
  fc.assert(
    fc.property(made, views, cuts, (drawn, picked, bounds) => {
      const entries = drawn.map(({ key: name, sequence, isDelete, expiresAtMs }) =>
        isDelete ? del(name, sequence) : put(name, sequence, 'new', expiresAtMs),
      );
      const older = bounds.toSorted();
      if (older.length % 2 === 1) older.push(older.at(-1) ?? 'a');
      const inRange = (name: string) =>
        older.some((min, i) => i % 2 === 0 && min <= name && name <= (older[i + 1] ?? min));
      const below = ['a', 'b', 'c', 'd', 'e', 'f'].filter(inRange).map((name) => put(name, 1));
      const snapshots = picked.toSorted((a, b) => a - b);
      const after = kept(entries, { snapshots, older });
      for (const view of [...snapshots, Number.MAX_SAFE_INTEGER]) {
        for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
          const seen = (list: TestEntry[]) => {
            const version = expectedVersion([...list, ...below], name, view);
            if (version === undefined || version.kind === KIND_DELETE) return undefined;
            return version.expiresAtMs !== 0 && version.expiresAtMs <= NOW_MS ? undefined : version;
          };
          assert.equal(seen(after), seen(entries));
        }
      }
      if (snapshots.length > 0) return;
      for (const { key: name, kind } of after) assert.ok(kind !== KIND_DELETE || inRange(name));
    }),
    { numRuns: 500 },
  );
});

test('counts the versions that only a snapshot needs', () => {
  const cursor = new ArrayCursor([put('a', 9), put('a', 5), put('a', 4), put('b', 3)]);
  cursor.seekToFirst();
  const rules = { snapshots: [4, 6], nowMs: 0, older: MAY_HOLD_ANY };
  const tally = copyLiveVersions(cursor, rules, { add: () => {} }, UNPACED);
  assert.equal(tally, { seen: 4, shadowed: 2 });
});

test('looks up now and then, with the number of entries it has seen', () => {
  const entries = Array.from({ length: 3 * PACE_ENTRIES + 1 }, (_, i) => put('a', i + 1));
  const cursor = new ArrayCursor(inTableOrder(entries));
  cursor.seekToFirst();
  const looks: number[] = [];
  const rules = { snapshots: [], nowMs: 0, older: MAY_HOLD_ANY };
  const pace = { look: (count: number) => looks.push(count) };
  assert.equal(copyLiveVersions(cursor, rules, { add: () => {} }, pace), {
    seen: entries.length,
    shadowed: 0,
  });
  assert.equal(looks, [PACE_ENTRIES, 2 * PACE_ENTRIES, 3 * PACE_ENTRIES]);
});

run();
