import * as assert from 'uvu/assert';
import { MergePace, type PaceClock, restFor, UNPACED } from '../../src/compactor/merge-pace.js';
import { MergeCancelled, MergeControl } from '../../src/rpc/merge-control.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('MergePace');

class TestClock implements PaceClock {
  nowMs = 1000;
  readonly rests: number[] = [];
  onRest: () => void = () => {};

  monotonicMs(): number {
    return this.nowMs;
  }

  rest(_control: MergeControl, ms: number): void {
    this.rests.push(ms);
    this.nowMs += ms;
    this.onRest();
  }

  get restedMs(): number {
    return this.rests.reduce((sum, ms) => sum + ms, 0);
  }
}

function paced(bytesPerEntry = 100) {
  const control = MergeControl.create();
  const clock = new TestClock();
  return { control, clock, pace: new MergePace(control, clock, bytesPerEntry) };
}

test('never rests at full speed', () => {
  const { clock, pace } = paced();
  for (let entries = 512; entries < 1e6; entries += 512) {
    clock.nowMs += 3;
    pace.look(entries);
  }
  assert.equal(clock.rests, []);
});

for (const [share, expected] of [
  [50, 1000],
  [25, 3000],
  [80, 250],
] as const) {
  test(`rests ${expected} ms for 1000 ms of work at ${share} %`, () => {
    const { control, clock, pace } = paced();
    control.sharePercent = share;
    for (let i = 1; i <= 1000; i++) {
      clock.nowMs += 1;
      pace.look(i * 512);
    }
    assert.ok(Math.abs(clock.restedMs - expected) <= 10, `${clock.restedMs}`);
    assert.ok(
      clock.rests.every((ms) => ms >= 5),
      'few rests, no short ones',
    );
  });
}

test('cuts long rests, so that it can hurry when it is told to', () => {
  const { control, clock, pace } = paced();
  control.sharePercent = 1;
  clock.nowMs += 100;
  pace.look(512);
  assert.ok(clock.rests.every((ms) => ms <= 100));
  assert.is(clock.restedMs, 9900);
});

test('keeps below the limit of bytes per second', () => {
  const { control, clock, pace } = paced(1024);
  control.bytesPerSecond = 1024 * 1024;
  const startedMs = clock.nowMs;
  for (let entries = 512; entries <= 10 * 1024; entries += 512) {
    clock.nowMs += 1;
    pace.look(entries);
  }
  assert.ok(clock.nowMs - startedMs >= 9900, `10 MiB in ${clock.nowMs - startedMs} ms`);
});

test('ends when it is cancelled, also in the middle of a rest', () => {
  const { control, clock, pace } = paced();
  pace.look(512);
  control.sharePercent = 1;
  clock.onRest = () => control.cancel();
  clock.nowMs += 100;
  assert.throws(
    () => pace.look(1024),
    (error: unknown) => error instanceof MergeCancelled && error.code === 'CANCELLED',
  );
  assert.is(clock.rests.length, 1);
});

test('has nothing to keep to without a control', () => {
  assert.is(MergePace.of(undefined, new TestClock(), 1), UNPACED);
  assert.ok(MergePace.of(MergeControl.create().memory, new TestClock(), 1) instanceof MergePace);
});

test('rests for whichever asks for more, the share or the limit', () => {
  assert.is(restFor(10, 0, 100, 0), 0);
  assert.is(restFor(10, 1e9, 50, 0), 10);
  assert.is(restFor(10, 1000, 100, 10_000), 90);
  assert.is(restFor(100, 1000, 50, 10_000), 100);
  assert.is(restFor(200, 1000, 100, 10_000), 0);
});

run();
