import * as assert from 'uvu/assert';
import { fileNumber } from '../../src/base/ids.js';
import type { TableMeta } from '../../src/base/table-meta.js';
import { deadTables, runFigures } from '../../src/shard/dead-tables.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('deadTables');
const NOW_MS = 1000;

interface TableSketch {
  /** First and last key, a letter each. */
  range: string;
  puts?: number;
  deletes?: number;
  /** Earliest and latest expiry of `expiring` entries. */
  expiry?: [number, number];
  expiring?: number;
}

function tableOf(number: number, sketch: TableSketch): TableMeta {
  const { range, puts = 0, deletes = 0, expiry = [0, 0], expiring = 0 } = sketch;
  return {
    number: fileNumber(number),
    sizeBytes: 100,
    crc32: 0,
    entryCount: puts + deletes + expiring,
    tombstoneCount: deletes,
    minKey: Buffer.from(range.slice(0, 1)),
    maxKey: Buffer.from(range.slice(-1)),
    minSequence: number,
    maxSequence: number,
    minExpiresAtMs: expiry[0],
    maxExpiresAtMs: expiry[1],
    immortalCount: puts + deletes,
  };
}

const EXPIRED = { expiry: [900, 1000] as [number, number], expiring: 5 };
const ALIVE = { puts: 5 };

/** Runs newest first; returns the numbers of the dead tables, which count from 1 in that order. */
function dead(runs: TableSketch[][], busy: number[] = []): number[] {
  let number = 0;
  const given = runs.map((tables, id) => ({
    id,
    tables: tables.map((sketch) => tableOf(++number, sketch)),
  }));
  const found = deadTables(given, NOW_MS, ({ id }) => busy.includes(id));
  return found.map((table) => table.number as number).sort((a, b) => a - b);
}

test('drops a table of the oldest run whose last entry has expired, and no moment sooner', () => {
  assert.equal(dead([[{ range: 'az', ...EXPIRED }]]), [1]);
  assert.equal(dead([[{ range: 'az', expiry: [900, 1001], expiring: 5 }]]), []);
});

test('keeps what never expires', () => {
  assert.equal(dead([[{ range: 'az', ...EXPIRED, puts: 1 }]]), []);
  assert.equal(dead([[{ range: 'az', ...ALIVE }]]), []);
});

test('counts a delete that hides nothing as gone', () => {
  assert.equal(dead([[{ range: 'az', deletes: 5 }]]), [1]);
  assert.equal(dead([[{ range: 'az', deletes: 5, ...EXPIRED }]]), [1]);
  assert.equal(dead([[{ range: 'az', deletes: 5, puts: 1 }]]), []);
});

test('keeps what may hide an older version, which would come back', () => {
  assert.equal(dead([[{ range: 'ac', ...EXPIRED }], [{ range: 'cz', ...ALIVE }]]), []);
  assert.equal(dead([[{ range: 'ac', deletes: 5 }], [{ range: 'cz', ...ALIVE }]]), []);
  assert.equal(
    dead([[{ range: 'ac', ...EXPIRED }], [{ range: 'xz', ...ALIVE }], [{ range: 'az', ...ALIVE }]]),
    [],
    'not only the next older run counts',
  );
});

test('drops it where no older run has a key of its range', () => {
  assert.equal(dead([[{ range: 'ac', ...EXPIRED }], [{ range: 'dz', ...ALIVE }]]), [1]);
  const older = [
    { range: 'aa', ...ALIVE },
    { range: 'dz', ...ALIVE },
  ];
  assert.equal(dead([[{ range: 'bc', ...EXPIRED }], older]), [1], 'between two tables');
});

test('lets newer runs be as they are', () => {
  assert.equal(dead([[{ range: 'az', ...ALIVE }], [{ range: 'az', ...EXPIRED }]]), [2]);
});

test('drops single tables of a run, and one run after the other from the oldest on', () => {
  const run = [
    { range: 'ac', ...EXPIRED },
    { range: 'df', ...ALIVE },
    { range: 'gi', ...EXPIRED },
  ];
  assert.equal(dead([run]), [1, 3]);
  assert.equal(dead([run, [{ range: 'az', ...EXPIRED }]]), [1, 3, 4]);
  assert.equal(dead([run, [{ range: 'hz', ...ALIVE }]]), [1]);
});

test('leaves what a merge reads alone, and what lies above it', () => {
  const runs = [[{ range: 'ac', ...EXPIRED }], [{ range: 'bz', ...EXPIRED }]];
  assert.equal(dead(runs, [1]), []);
  assert.equal(dead(runs, [0]), [2]);
  assert.equal(dead([[{ range: 'aa', ...EXPIRED }], ...runs.slice(1)], [1]), [1]);
});

test('has no dead table in an empty store', () => assert.equal(dead([]), []));

test('sums up a run, with expiries taken as even between the earliest and the latest', () => {
  const tables = [
    tableOf(1, { range: 'ac', puts: 3, deletes: 2 }),
    tableOf(2, { range: 'df', expiring: 10, expiry: [500, 1500] }),
    tableOf(3, { range: 'gh', expiring: 4, expiry: [1001, 1002] }),
    tableOf(4, { range: 'kl', expiring: 4, expiry: [7, 7], deletes: 1 }),
  ];
  const figures = {
    sizeBytes: 400,
    entryCount: 24,
    tombstoneCount: 3,
    expiredCount: 9,
    shadowedCount: 7,
    isBusy: true,
  };
  assert.equal(runFigures(tables, NOW_MS, Number.POSITIVE_INFINITY, true, 7), figures);
});

test('counts no tombstone that the oldest snapshot may keep', () => {
  const tables = [
    tableOf(1, { range: 'ac', deletes: 2 }),
    tableOf(5, { range: 'df', deletes: 3 }),
    tableOf(6, { range: 'gh', deletes: 4 }),
  ];
  assert.is(runFigures(tables, NOW_MS, 5, false).tombstoneCount, 5);
});

test('counts no version as shadowed while a snapshot may need it', () => {
  const tables = [tableOf(5, { range: 'ac', puts: 9 })];
  assert.is(runFigures(tables, NOW_MS, 4, false, 3).shadowedCount, 0);
  assert.is(runFigures(tables, NOW_MS, 5, false, 3).shadowedCount, 3);
});

run();
