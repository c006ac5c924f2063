import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { fileNumber } from '../../src/base/ids.js';
import type { TableMeta } from '../../src/base/table-meta.js';
import { runMerge } from '../../src/compactor/run-merge.js';
import type { MergeJob } from '../../src/rpc/jobs.js';
import { MergeCancelled, MergeControl } from '../../src/rpc/merge-control.js';
import { KIND_DELETE } from '../../src/storage/entry-cursor.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { TableReader } from '../../src/storage/table-reader.js';
import {
  allOf,
  bytesOf,
  del,
  expectedVersion,
  inTableOrder,
  put,
  type TestEntry,
  withoutTwins,
} from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { arbitraryEntries, SMALL_TABLES, writeTable } from '../harness/table-cases.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('runMerge');

const NOW_MS = 50;
/** The key ranges of what is older: everything, or nothing. */
const EVERYTHING = [[{ minKey: new Uint8Array(0), maxKey: new Uint8Array(64).fill(255) }]];
const NOTHING: MergeJob['older'] = [];

function jobOf(dir: string, runs: TableMeta[][], changes: Partial<MergeJob> = {}): MergeJob {
  const outputs = Array.from({ length: 100 }, (_, i) => fileNumber(100_000 + i));
  const table = SMALL_TABLES;
  const settings = { older: EVERYTHING, snapshots: [], nowMs: NOW_MS, outputs, table };
  return { kind: 'merge', dir, runs, ...settings, ...changes };
}

/** Merges runs of entries, each run in one table; returns what the outputs hold. */
function merged(runs: TestEntry[][], changes: Partial<MergeJob> = {}): Promise<TestEntry[]> {
  return withTempDir((dir) => {
    const metas = runs.map((entries, i) =>
      entries.length === 0 ? [] : [writeTable(nodeFileSystem, dir, i + 1, entries)],
    );
    return contentOf(dir, runMerge(nodeFileSystem, jobOf(dir, metas, changes)).tables);
  });
}

function contentOf(dir: string, tables: TableMeta[]): TestEntry[] {
  return tables.flatMap((meta) => {
    const options = { mode: 'pread', verify: 'always' } as const;
    const reader = TableReader.open(nodeFileSystem, dir, meta, options);
    const entries = allOf(reader.cursor());
    reader.close();
    return entries;
  });
}

/** What a reader at `snapshot` sees: a value, or nothing for what is gone or expired. */
function seen(entries: TestEntry[], key: string, snapshot: number): TestEntry | undefined {
  const entry = expectedVersion(entries, key, snapshot);
  if (entry === undefined || entry.kind === KIND_DELETE) return undefined;
  return entry.expiresAtMs !== 0 && entry.expiresAtMs <= NOW_MS ? undefined : entry;
}

test('changes no answer of the newest state or of an open snapshot, and keeps nothing else', () =>
  withTempDir((dir) => {
    let number = 0;
    const cases = [
      fc.array(arbitraryEntries(0, 25), { maxLength: 5 }),
      fc.uniqueArray(fc.integer({ min: 0, max: 31 }), { maxLength: 4 }),
      fc.boolean(),
      arbitraryEntries(0, 20),
    ] as const;
    fc.assert(
      fc.property(...cases, (lists, picked, bottom, below) => {
        const twinless = withoutTwins(lists.flat());
        const runs = lists.map((list) => list.filter((entry) => twinless.includes(entry)));
        const metas = runs.map((entries) =>
          entries.length === 0 ? [] : [writeTable(nodeFileSystem, dir, ++number, entries)],
        );
        const snapshots = [...picked].sort((a, b) => a - b);
        const outputs = Array.from({ length: 200 }, (_, i) => fileNumber(number + 1 + i));
        number += 200;
        const job = jobOf(dir, metas, { older: bottom ? NOTHING : EVERYTHING, snapshots, outputs });
        const { tables } = runMerge(nodeFileSystem, job);
        const after = contentOf(dir, tables);
        // What lies below is older than everything merged, and there is none below the bottom.
        const older = bottom ? [] : below.map((e) => ({ ...e, sequence: e.sequence / 2 ** 60 }));
        const views = [...snapshots, Number.MAX_SAFE_INTEGER];
        for (const key of new Set([...twinless, ...older].map((entry) => entry.key))) {
          for (const view of views) {
            const expected = seen([...twinless, ...older], key, view);
            assert.equal(seen([...after, ...older], key, view), expected);
          }
          const versions = after.filter((entry) => entry.key === key);
          const needed = new Set(views.map((view) => expectedVersion(after, key, view)?.sequence));
          for (const version of versions) assert.ok(needed.has(version.sequence));
        }
        if (bottom && snapshots.length === 0) {
          for (const entry of after) assert.equal(seen(after, entry.key, 2 ** 53), entry);
        }
      }),
      { numRuns: 60 },
    );
  }));

test('keeps the newest version of each key and drops what it shadows', async () => {
  const runs = [
    [put('a', 9, 'new')],
    [put('a', 5, 'old'), put('b', 4)],
    [put('a', 1), put('c', 2)],
  ];
  assert.equal(await merged(runs), [put('a', 9, 'new'), put('b', 4), put('c', 2)]);
});

test('keeps for each snapshot the newest version it may see', async () => {
  const versions = [9, 8, 6, 5, 4, 2, 1].map((sequence) => put('a', sequence));
  assert.equal(
    (await merged([versions], { snapshots: [3, 5, 7] })).map((entry) => entry.sequence),
    [9, 6, 5, 2],
  );
});

test('keeps a tombstone above the bottom, where it may hide an older value', async () => {
  assert.equal(await merged([[del('a', 9)], [put('a', 5)]]), [del('a', 9)]);
  assert.equal(await merged([[del('a', 9)], [put('a', 5)]], { older: NOTHING }), []);
});

test('keeps a tombstone at the bottom only while a snapshot sees what it hides', async () => {
  const runs = [[del('a', 9)], [put('a', 5)]];
  const older = NOTHING;
  assert.equal(await merged(runs, { older, snapshots: [7] }), [del('a', 9), put('a', 5)]);
  assert.equal(await merged(runs, { older, snapshots: [3] }), [del('a', 9)]);
  assert.equal(await merged(runs, { older, snapshots: [9] }), []);
});

test('turns an expired entry into a tombstone, and drops it at the bottom', async () => {
  const runs = [[put('a', 9, 'gone', NOW_MS), put('b', 8, 'alive', NOW_MS + 1)], [put('a', 5)]];
  const alive = put('b', 8, 'alive', NOW_MS + 1);
  assert.equal(await merged(runs), [del('a', 9), alive]);
  assert.equal(await merged(runs, { older: NOTHING }), [alive]);
});

test('merges runs of several tables and reports the bytes it moved', () =>
  withTempDir((dir) => {
    const newer = [[put('a', 9), put('c', 9)], [put('m', 8)], [put('x', 9), put('z', 9)]];
    const older = [
      [put('a', 1), put('b', 1)],
      [put('x', 2), put('y', 2)],
    ];
    let number = 0;
    const write = (entries: TestEntry[]) => writeTable(nodeFileSystem, dir, ++number, entries);
    const runs = [newer.map(write), older.map(write)];
    const output = runMerge(nodeFileSystem, jobOf(dir, runs));
    const expected = inTableOrder([...newer.flat(), put('b', 1), put('y', 2)]);
    assert.equal(contentOf(dir, output.tables), expected);
    const sizeOf = (tables: TableMeta[]) => tables.reduce((sum, t) => sum + t.sizeBytes, 0);
    assert.is(output.bytesRead, sizeOf(runs.flat()));
    assert.is(output.bytesWritten, sizeOf(output.tables));
  }));

test('makes of all its parts what it makes in one piece', () =>
  withTempDir((dir) => {
    let number = 0;
    const lists = fc.array(arbitraryEntries(1, 25), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(lists, fc.array(fc.nat(), { maxLength: 4 }), (drawn, picks) => {
        const twinless = withoutTwins(drawn.flat());
        const metas = drawn.map((list) => {
          const entries = list.filter((entry) => twinless.includes(entry));
          return entries.length === 0 ? [] : [writeTable(nodeFileSystem, dir, ++number, entries)];
        });
        const keys = [...new Set(twinless.map(({ key }) => key))].sort();
        const cuts = [...new Set(picks.map((pick) => pick % keys.length))].sort((a, b) => a - b);
        const bounds = [undefined, ...cuts.map((cut) => bytesOf(keys[cut] ?? ''))];
        const whole = runMerge(nodeFileSystem, jobOf(dir, metas, { outputs: numbers() }));
        const parts = bounds.map((from, i) => {
          const to = bounds[i + 1];
          const part = { ...(from && { from }), ...(to && { to }) };
          return runMerge(nodeFileSystem, jobOf(dir, metas, { part, outputs: numbers() }));
        });
        assert.equal(
          parts.flatMap(({ tables }) => contentOf(dir, tables)),
          contentOf(dir, whole.tables),
        );
        const seen = parts.reduce((sum, { entriesRead = 0 }) => sum + entriesRead, 0);
        assert.is(seen, whole.entriesRead);
      }),
      { numRuns: 25 },
    );
    function numbers() {
      number += 200;
      return Array.from({ length: 200 }, (_, i) => fileNumber(number - 199 + i));
    }
  }));

test('ends when it is cancelled and leaves no file behind', () =>
  withTempDir((dir) => {
    const entries = Array.from({ length: 5000 }, (_, i) => put(`k${10_000 + i}`, i + 1));
    const tables = [writeTable(nodeFileSystem, dir, 1, entries)];
    const control = MergeControl.create();
    control.sharePercent = 50;
    let nowMs = 0;
    const clock = {
      monotonicMs: () => (nowMs += 10),
      rest: () => control.cancel(),
    };
    const job = jobOf(dir, [tables], { control: control.memory });
    assert.throws(
      () => runMerge(nodeFileSystem, job, clock),
      (error: unknown) => error instanceof MergeCancelled,
    );
    assert.equal(nodeFileSystem.list(dir), ['table-000001.sst']);
  }));

test('refuses a merge over any damaged byte and leaves no file behind', () =>
  withTempDir((dir) => {
    const entries = Array.from({ length: 20 }, (_, i) => put(`k${100 + i}`, i + 1, 'v'.repeat(30)));
    const runs = [
      [writeTable(nodeFileSystem, dir, 1, entries)],
      [writeTable(nodeFileSystem, dir, 2, [put('k100', 50)])],
    ];
    const path = `${dir}/table-000001.sst`;
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += 3) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      writeFileSync(path, damaged);
      assert.throws(
        () => runMerge(nodeFileSystem, jobOf(dir, runs)),
        (error: unknown) => error instanceof CorruptionError && error.site.file === path,
        `byte ${at}`,
      );
      assert.equal(nodeFileSystem.list(dir), ['table-000001.sst', 'table-000002.sst']);
    }
  }));

test('gives nothing for nothing', async () => {
  assert.equal(await merged([]), []);
  assert.equal(await merged([[], []], { older: NOTHING }), []);
});

run();
