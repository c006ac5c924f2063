import * as assert from 'uvu/assert';
import {
  decidePressure,
  type Load,
  NO_STRAIN,
  type PressureInput,
  paceOf,
  type Strain,
  strainOf,
} from '../../src/shard/write-pressure.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('decidePressure');

const FREE: PressureInput = {
  memTableHasRoom: true,
  memTableEmpty: false,
  groupOpen: false,
  groupHasOthers: false,
  arenaAtHand: true,
  walHasRoom: true,
  delayMs: 0,
  groupIsFull: false,
  strainedBy: undefined,
  jobFailure: undefined,
};
const FULL = { memTableHasRoom: false };
const PACED = { delayMs: 1.5, groupIsFull: true, strainedBy: 'sorted-runs' } as const;
const FAILED = { jobFailure: { message: 'ENOSPC', retryInMs: 250 } };

const GOLDEN: readonly [what: string, change: Partial<PressureInput>, decision: string][] = [
  ['room everywhere', {}, 'accept'],
  ['room everywhere, a group open', { groupOpen: true }, 'accept'],
  ['room everywhere, though a job failed', FAILED, 'accept'],
  ['room, and no arena for later', { arenaAtHand: false }, 'accept'],
  ['a full MemTable', FULL, 'freeze'],
  ['a full MemTable, a group open', { ...FULL, groupOpen: true }, 'settle'],
  ['a full MemTable and no arena', { ...FULL, arenaAtHand: false }, 'hold arena'],
  [
    'a full MemTable, no arena, a group open',
    { ...FULL, arenaAtHand: false, groupOpen: true },
    'settle',
  ],
  [
    'a full MemTable, no arena, a failed job',
    { ...FULL, ...FAILED, arenaAtHand: false },
    'refuse arena',
  ],
  ['a full MemTable, a failed job', { ...FULL, ...FAILED }, 'freeze'],
  [
    'a write for which an empty MemTable is too small',
    { ...FULL, memTableEmpty: true },
    'too-large',
  ],
  ['the same behind a group', { ...FULL, memTableEmpty: true, groupOpen: true }, 'settle'],
  ['no MemTable at all', { ...FULL, arenaAtHand: false }, 'hold arena'],
  ['a full segment', { walHasRoom: false }, 'hold segment'],
  ['a full segment, a group open', { walHasRoom: false, groupOpen: true }, 'settle'],
  ['a full segment, a failed job', { walHasRoom: false, ...FAILED }, 'refuse segment'],
  ['a pace, its time not come', PACED, 'delay sorted-runs'],
  ['a pace, its time come', { ...PACED, delayMs: 0 }, 'accept'],
  ['a pace, a group open, its time not come', { ...PACED, groupOpen: true }, 'delay sorted-runs'],
  [
    'a pace, in a group that has what it may have',
    { ...PACED, groupOpen: true, groupHasOthers: true },
    'settle',
  ],
  [
    'a pace, in a group that may have more',
    { ...PACED, groupOpen: true, groupHasOthers: true, groupIsFull: false },
    'accept',
  ],
  ['a pace and a full MemTable', { ...PACED, ...FULL }, 'freeze'],
  ['a pace, a full MemTable and no arena', { ...PACED, ...FULL, arenaAtHand: false }, 'hold arena'],
  ['a pace and a failed job', { ...PACED, ...FAILED }, 'delay sorted-runs'],
  ['a full segment and a full MemTable', { walHasRoom: false, ...FULL }, 'hold segment'],
];

for (const [what, change, decision] of GOLDEN) {
  test(`at ${what} decides: ${decision}`, () => {
    const pressure = decidePressure({ ...FREE, ...change });
    const because = 'because' in pressure ? ` ${pressure.because}` : '';
    assert.is(`${pressure.kind}${because}`, decision);
    if (pressure.kind === 'delay') assert.is(pressure.ms, 1.5);
    if (pressure.kind !== 'refuse') return;
    assert.is(pressure.message, 'ENOSPC');
    assert.is(pressure.retryAfterMs, 250);
  });
}

test('never lets a write wait or freezes behind writes that only it could settle', () => {
  const flags = [true, false];
  for (const memTableHasRoom of flags) {
    for (const memTableEmpty of flags) {
      for (const arenaAtHand of flags) {
        for (const walHasRoom of flags) {
          for (const jobFailure of [undefined, FAILED.jobFailure]) {
            const change = { memTableHasRoom, memTableEmpty, arenaAtHand, walHasRoom, jobFailure };
            const input = { ...FREE, ...change };
            const { kind } = decidePressure({ ...input, groupOpen: true });
            assert.ok(kind === 'accept' || kind === 'settle', JSON.stringify(input));
          }
        }
      }
    }
  }
});

const IDLE: Load = {
  activeFill: 0.2,
  frozenMemTables: 0,
  arenaAtHand: true,
  sortedRuns: 5,
  debtBytes: 0,
  oldestRunBytes: 0,
};
const LIMITS = {
  runsSoft: 20,
  runsHard: 56,
  debtBytesSoft: 1000,
  debtBytesHard: 4800,
  bytesPerSecondMin: 100,
};
const NO_ARENA = { arenaAtHand: false, frozenMemTables: 2 };

/** The strain as text, for tables: `mem-tables 0.50`. */
function strainText(change: Partial<Load>, before: Strain = NO_STRAIN): string {
  const strain = strainOf({ ...IDLE, ...change }, LIMITS, before);
  return Object.entries(strain)
    .filter(([, x]) => x > 0)
    .map(([reason, x]) => `${reason} ${x.toFixed(2)}`)
    .join(', ');
}

const STRAINS: readonly [what: string, change: Partial<Load>, strain: string][] = [
  ['nothing to do', {}, ''],
  ['a full MemTable, an arena at hand', { activeFill: 1, frozenMemTables: 2 }, ''],
  ['no arena, as nothing waits for a flush', { activeFill: 0.9, arenaAtHand: false }, ''],
  ['no arena, half a MemTable left', { ...NO_ARENA, activeFill: 0.49 }, ''],
  ['no arena, less than half left', { ...NO_ARENA, activeFill: 0.7 }, 'mem-tables 0.50'],
  ['no arena, nothing left', { ...NO_ARENA, activeFill: 1 }, 'mem-tables 1.00'],
  ['nearly too many runs', { sortedRuns: 19 }, ''],
  ['runs at the soft limit', { sortedRuns: 20 }, 'sorted-runs 0.10'],
  ['runs half way', { sortedRuns: 36 }, 'sorted-runs 0.50'],
  ['runs beyond the hard limit', { sortedRuns: 99 }, 'sorted-runs 1.00'],
  ['debt half way', { debtBytes: 2800 }, 'compaction-debt 0.50'],
  ['debt beyond the hard limit', { debtBytes: 9999 }, 'compaction-debt 1.00'],
  ['the same debt in a large store', { debtBytes: 9999, oldestRunBytes: 5000 }, ''],
  ['six times as much', { debtBytes: 42_000, oldestRunBytes: 5000 }, 'compaction-debt 0.50'],
  ['two at once', { sortedRuns: 36, debtBytes: 4800 }, 'sorted-runs 0.50, compaction-debt 1.00'],
];

for (const [what, change, strain] of STRAINS) {
  test(`with ${what} strain is: ${strain === '' ? 'none' : strain}`, () => {
    assert.is(strainText(change), strain);
  });
}

test('ends strain only below four fifths of the soft limit', () => {
  const before = { ...NO_STRAIN, 'sorted-runs': 0.1 };
  assert.is(strainText({ sortedRuns: 18 }), '');
  assert.is(strainText({ sortedRuns: 18 }, before), 'sorted-runs 0.05');
  assert.is(strainText({ sortedRuns: 16 }, before), '');
});

const DRAIN = { flush: 10_000, merge: 4000 };
const PACES: readonly [strain: Partial<Strain>, rate: number, because: string | undefined][] = [
  [{}, Number.POSITIVE_INFINITY, undefined],
  [{ 'mem-tables': 0.01 }, 990_000, 'mem-tables'],
  [{ 'mem-tables': 0.2 }, 40_000, 'mem-tables'],
  [{ 'mem-tables': 0.5 }, 10_000, 'mem-tables'],
  [{ 'mem-tables': 1 }, 1000, 'mem-tables'],
  [{ 'sorted-runs': 0.5 }, 4000, 'sorted-runs'],
  [{ 'compaction-debt': 0.8 }, 1000, 'compaction-debt'],
  [{ 'compaction-debt': 1 }, 400, 'compaction-debt'],
  [{ 'mem-tables': 0.5, 'sorted-runs': 0.5 }, 4000, 'sorted-runs'],
  [{ 'mem-tables': 0.9, 'sorted-runs': 0.1 }, 1111, 'mem-tables'],
];

for (const [strain, rate, because] of PACES) {
  test(`a strain of ${JSON.stringify(strain)} sets a pace of ${rate} bytes per second`, () => {
    const pace = paceOf({ ...NO_STRAIN, ...strain }, DRAIN, 100);
    assert.is(Math.round(pace.bytesPerSecond), rate);
    assert.is(pace.because, because);
  });
}

test('never slows writes down below the floor', () => {
  const strain = { 'mem-tables': 1, 'sorted-runs': 1, 'compaction-debt': 1 };
  assert.is(paceOf(strain, { flush: 0, merge: 0 }, 100).bytesPerSecond, 100);
});

test('falls without a step from no strain to the most', () => {
  let before = 0;
  for (let x = 0.001; x <= 1; x += 0.001) {
    const { bytesPerSecond } = paceOf({ ...NO_STRAIN, 'sorted-runs': x }, DRAIN, 1);
    const secondsPerByte = 1 / bytesPerSecond;
    assert.ok(secondsPerByte >= before, `at ${x} writes are faster`);
    // The steepest part is just before the floor: a hundredth of what is between the ends.
    assert.ok(secondsPerByte - before < (1 / DRAIN.merge) * 0.13, `at ${x} there is a step`);
    before = secondsPerByte;
  }
});

run();
