import * as assert from 'uvu/assert';
import { PRESSURE_REASONS, PRESSURE_STATES, STAT_NAMES } from '../../src/rpc/shard-stats.js';
import { PressureRecord } from '../../src/shard/pressure-record.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('PressureRecord');

const DELAY = { kind: 'delay', because: 'sorted-runs', ms: 2 } as const;
const HOLD = { kind: 'hold', because: 'arena' } as const;
const REFUSE = { kind: 'refuse', because: 'arena', message: 'ENOSPC', retryAfterMs: 5 } as const;
const ACCEPT = { kind: 'accept' } as const;

function stateOf(record: PressureRecord): string {
  const { pressureState, pressureReason } = record.figures(0);
  assert.is(PRESSURE_STATES[pressureState], record.state);
  assert.is(PRESSURE_REASONS[pressureReason], record.reason);
  return `${record.state} ${record.reason}`.trim();
}

test('begins with nothing, and every figure has a place in the shared counters', () => {
  const record = new PressureRecord();
  record.look(0, undefined);
  assert.is(stateOf(record), 'none');
  for (const [name, value] of Object.entries(record.figures(0))) {
    assert.is(value, 0, name);
    assert.ok(
      STAT_NAMES.some((known) => known === name),
      `${name} is no counter`,
    );
  }
});

test('counts groups that had to wait, and how long, by reason', () => {
  const record = new PressureRecord();
  record.met(10, ACCEPT);
  record.met(11, DELAY);
  assert.ok(record.isDelaying);
  record.met(12, DELAY);
  assert.is(record.figures(13).delayedMsTotal, 2, 'what waits still counts already');
  record.met(14, ACCEPT);
  assert.not(record.isDelaying);
  record.met(20, HOLD);
  record.met(27, { kind: 'settle' });
  record.met(30, ACCEPT);
  const figures = record.figures(40);
  assert.is(figures.delayedGroupsTotal, 2);
  assert.is(figures.delayedMsBySortedRunsTotal, 3);
  assert.is(figures.delayedMsByArenaTotal, 10);
  assert.is(figures.delayedMsTotal, 13);
});

test('splits the wait of a group whose reason changes', () => {
  const record = new PressureRecord();
  record.met(0, DELAY);
  record.met(5, HOLD);
  assert.not(record.isDelaying, 'a write that is held has nothing to do with the pace');
  record.met(7, { ...DELAY, because: 'mem-tables' });
  record.met(8, ACCEPT);
  const figures = record.figures(8);
  assert.is(figures.delayedMsBySortedRunsTotal, 5);
  assert.is(figures.delayedMsByArenaTotal, 2);
  assert.is(figures.delayedMsByMemTablesTotal, 1);
  assert.is(figures.delayedGroupsTotal, 1);
});

test('counts refusals by what could not be had', () => {
  const record = new PressureRecord();
  record.met(0, HOLD);
  record.met(4, REFUSE);
  record.met(5, REFUSE);
  record.met(6, { ...REFUSE, because: 'segment' });
  const figures = record.figures(6);
  assert.is(figures.refusedByArenaTotal, 2);
  assert.is(figures.refusedBySegmentTotal, 1);
  assert.is(figures.delayedMsByArenaTotal, 4);
  assert.is(figures.delayedGroupsTotal, 0, 'a refused group was not delayed');
});

test('rises at once to the worst state and falls when it was not seen for two seconds', () => {
  const record = new PressureRecord();
  record.look(0, 'mem-tables');
  assert.is(stateOf(record), 'delaying mem-tables');
  record.met(1, HOLD);
  record.look(2, 'mem-tables');
  assert.is(stateOf(record), 'holding arena');
  record.met(3, REFUSE);
  record.look(3, 'mem-tables');
  assert.is(stateOf(record), 'refusing arena');
  for (let ms = 10; ms < 2000; ms += 10) record.look(ms, 'sorted-runs');
  assert.is(stateOf(record), 'refusing arena');
  record.look(2010, 'sorted-runs');
  assert.is(stateOf(record), 'delaying sorted-runs');
  record.look(3000, undefined);
  assert.is(stateOf(record), 'delaying sorted-runs');
  record.look(4011, undefined);
  assert.is(stateOf(record), 'none');
});

test('logs a change once, and no more than one in ten seconds', () => {
  const record = new PressureRecord();
  const lines: string[] = [];
  for (let ms = 0; ms <= 60_000; ms += 100) {
    // Two storms, one that ends between two lines, one that stays.
    const isStrained = ms < 3000 || ms >= 30_000;
    record.look(ms, isStrained ? 'compaction-debt' : undefined);
    const line = record.takeLogLine(ms, { debtBytes: 7 });
    if (line === undefined) continue;
    assert.is(line.kind, 'log');
    assert.is(line.fields['debtBytes'], 7);
    lines.push(`${ms} ${line.level} ${line.fields['reason'] ?? '-'}`);
  }
  assert.equal(lines, ['0 info compaction-debt', '10000 info -', '30000 info compaction-debt']);
});

run();
