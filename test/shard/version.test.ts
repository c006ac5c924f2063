import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { type OpenTable, type TableOpener, Version } from '../../src/shard/version.js';
import type { FileHandle, OpenMode } from '../../src/storage/file-system.js';
import { LookupResult } from '../../src/storage/lookup.js';
import { LookupKey } from '../../src/storage/lookup-key.js';
import type { PlacedTable } from '../../src/storage/manifest-format.js';
import { EMPTY_STATE, type ManifestState } from '../../src/storage/manifest-state.js';
import { MergeCursor, ReverseMergeCursor } from '../../src/storage/merge-cursor.js';
import {
  allOf,
  backwardFrom,
  bytesOf,
  expectedBackward,
  expectedVersion,
  inTableOrder,
  put,
  type TestEntry,
  textOf,
} from '../harness/entries.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';
import { arbitraryEntries, writeTable } from '../harness/table-cases.js';

const { test, run } = suite('Version');
const DIR = '/data';
const NEWEST = Number.MAX_SAFE_INTEGER;

function makeDisk(): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.makeDir(DIR);
  return disk;
}

class CountingDisk extends SimulatedDisk {
  openCount = 0;

  override open(path: string, mode: OpenMode): FileHandle {
    const handle = super.open(path, mode);
    const close = handle.close.bind(handle);
    this.openCount++;
    handle.close = () => {
      this.openCount--;
      close();
    };
    return handle;
  }
}

function openerOf(disk: SimulatedDisk): TableOpener {
  return { fs: disk, dir: DIR, options: { mode: 'pread', verify: 'always' } };
}

/** Runs, newest first, each of tables with ascending keys. */
function stateOf(runs: readonly (readonly PlacedTable[])[]): ManifestState {
  const placed = runs.filter(({ length }) => length > 0);
  return { ...EMPTY_STATE, runs: placed.map((tables, i) => ({ id: tables[0]?.run ?? i, tables })) };
}

function tableOf(
  disk: SimulatedDisk,
  number: number,
  run: number,
  entries: TestEntry[],
): PlacedTable {
  return { ...writeTable(disk, DIR, number, entries), run };
}

/** The entries as one run: a new table after every third key. */
function runOf(disk: SimulatedDisk, run: number, entries: readonly TestEntry[]): PlacedTable[] {
  const keys = [...new Set(entries.map(({ key }) => key))];
  const tables: PlacedTable[] = [];
  for (let from = 0; from < keys.length; from += 3) {
    const part = new Set(keys.slice(from, from + 3));
    const chosen = entries.filter(({ key }) => part.has(key));
    tables.push(tableOf(disk, run * 1000 + tables.length, run, chosen));
  }
  return tables;
}

function find(version: Version, key: string, snapshot = NEWEST): TestEntry | undefined {
  const found = new LookupResult();
  if (!version.get(new LookupKey().set(bytesOf(key)), snapshot, found)) return undefined;
  const { sequence, kind, expiresAtMs } = found;
  const value = textOf(found.valueBytes, found.valueStart, found.valueLength);
  return { key, sequence, kind, expiresAtMs, value };
}

function numbersOf(tables: readonly OpenTable[]): number[] {
  return tables.map(({ meta }) => meta.number as number);
}

test('finds, in whichever run and table, what a snapshot sees, and walks it both ways', () => {
  const bounds = fc.tuple(fc.nat(60), fc.nat(60));
  fc.assert(
    fc.property(arbitraryEntries(0, 60), bounds, fc.nat(60), (list, cuts, snapshot) => {
      const disk = makeDisk();
      // Sequences across the keys, each once (61 shares no factor with a length up to 60), and runs
      // that hold descending spans of them.
      const entries = inTableOrder(
        list.map((entry, i) => ({ ...entry, sequence: 1 + ((i * 61) % list.length) })),
      );
      const [low = 0, high = 0] = [...cuts].sort((a, b) => a - b);
      const spans = [
        entries.filter(({ sequence }) => sequence > high),
        entries.filter(({ sequence }) => sequence > low && sequence <= high),
        entries.filter(({ sequence }) => sequence <= low),
      ];
      const state = stateOf(spans.map((span, i) => runOf(disk, i + 1, span)));
      const version = Version.open(openerOf(disk), state);
      for (const { key } of entries) {
        for (const at of [snapshot, NEWEST]) {
          assert.equal(find(version, key, at), expectedVersion(entries, key, at));
        }
      }
      assert.is(find(version, 'never written'), undefined);
      assert.equal(allOf(new MergeCursor(version.cursors())), inTableOrder(entries));
      const backward = new ReverseMergeCursor(version.reverseCursors());
      backward.seekToLast(snapshot);
      assert.equal(backwardFrom(backward), expectedBackward(entries, snapshot));
      version.close();
    }),
    { numRuns: 60 },
  );
});

test('looks for a key in front of, between and behind the tables of a run', () => {
  const disk = makeDisk();
  const tables = ['c', 'f', 'i'].map((key, i) => tableOf(disk, i + 1, 1, [put(key, i + 1, 'v')]));
  const version = Version.open(openerOf(disk), stateOf([tables]));
  for (const key of ['a', 'd', 'g', 'z', 'ca', 'c\0']) assert.is(find(version, key), undefined);
  for (const key of ['c', 'f', 'i']) assert.is(find(version, key)?.value, 'v');
});

test('shares the readers of tables that stay, and tells which have left', () => {
  const disk = makeDisk();
  const [one, two, three] = [1, 2, 3].map((n) => tableOf(disk, n, n, [put(`k${n}`, n, 'v')])) as [
    PlacedTable,
    PlacedTable,
    PlacedTable,
  ];
  const first = Version.open(openerOf(disk), stateOf([[two], [one]]));
  const opened = disk.counts.open;
  const second = first.advance(openerOf(disk), stateOf([[three], [two]]));
  assert.is(disk.counts.open, opened + 1, 'only the new one is opened');
  assert.equal(numbersOf(first.tablesNotIn(second)), [1]);
  assert.equal(numbersOf(second.tables()), [3, 2]);
  assert.is(first.tables()[0]?.reader, second.tables()[1]?.reader);
  assert.is(find(first, 'k1')?.value, 'v', 'the old version is still good');
  assert.is(find(second, 'k1'), undefined);
  assert.equal(numbersOf(second.tablesNotIn(second)), []);
});

test('adds up the sizes of its runs', () => {
  const disk = makeDisk();
  const tables = runOf(
    disk,
    1,
    Array.from({ length: 9 }, (_, i) => put(`k${i}`, i + 1, 'v')),
  );
  const version = Version.open(openerOf(disk), stateOf([tables]));
  const bytes = tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  assert.is(tables.length, 3);
  assert.is(version.runs[0]?.sizeBytes, bytes);
});

test('refuses a table that is missing or has another size, and names the file', () => {
  const disk = makeDisk();
  const table = tableOf(disk, 1, 1, [put('k', 1, 'v')]);
  const short = disk.clone();
  const path = `${DIR}/table-000001.sst`;
  short.replaceContent(path, short.contentOf(path).subarray(1));
  const gone = disk.clone();
  gone.remove(path);
  for (const damaged of [short, gone]) {
    try {
      Version.open(openerOf(damaged), stateOf([[table]]));
      assert.unreachable('it opened');
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      assert.is(error.site.file, path);
    }
  }
});

test('leaves nothing open when a table of the next state cannot be opened', () => {
  const disk = new CountingDisk();
  disk.makeDir(DIR);
  const tables = ['a', 'b', 'c'].map((key, i) => tableOf(disk, i + 1, 1, [put(key, i + 1, 'v')]));
  const before = Version.open(openerOf(disk), stateOf([tables.slice(0, 1)]));
  assert.is(disk.openCount, 1);
  disk.fail({ kind: 'open', code: 'EMFILE', nth: 2 });
  assert.throws(() => before.advance(openerOf(disk), stateOf([tables])), /EMFILE/);
  assert.is(disk.openCount, 1);
  assert.is(find(before, 'a')?.value, 'v', 'what was open before is still good');
  const next = before.advance(openerOf(disk), stateOf([tables]));
  assert.is(disk.openCount, 3);
  assert.is(find(next, 'c')?.value, 'v');
  next.close();
  assert.is(disk.openCount, 0);
});

run();
