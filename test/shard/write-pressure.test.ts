import * as assert from 'uvu/assert';
import { decidePressure, type PressureInput } from '../../src/shard/write-pressure.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('decidePressure');

const FREE: PressureInput = {
  memTableHasRoom: true,
  memTableEmpty: false,
  groupOpen: false,
  arenaAtHand: true,
  walHasRoom: true,
  jobFailure: undefined,
};
const FULL = { memTableHasRoom: false };
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
  ['a full segment and a full MemTable', { walHasRoom: false, ...FULL }, 'hold segment'],
];

for (const [what, change, decision] of GOLDEN) {
  test(`at ${what} decides: ${decision}`, () => {
    const pressure = decidePressure({ ...FREE, ...change });
    const because = 'because' in pressure ? ` ${pressure.because}` : '';
    assert.is(`${pressure.kind}${because}`, decision);
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
            const input = { memTableHasRoom, memTableEmpty, arenaAtHand, walHasRoom, jobFailure };
            const { kind } = decidePressure({ ...input, groupOpen: true });
            assert.ok(kind === 'accept' || kind === 'settle', JSON.stringify(input));
          }
        }
      }
    }
  }
});

run();
