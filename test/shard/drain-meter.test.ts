import * as assert from 'uvu/assert';
import type { Job, JobResult } from '../../src/rpc/jobs.js';
import { DrainMeter } from '../../src/shard/drain-meter.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('DrainMeter');

const MIB = 2 ** 20;

class MeterRig {
  nowMs = 0;
  readonly waiting: { job: Job; done: (result: JobResult) => void }[] = [];
  readonly results: JobResult[] = [];
  readonly meter: DrainMeter;

  constructor(flushBytes = 0) {
    const submit = (job: Job, done: (result: JobResult) => void): void => {
      this.waiting.push({ job, done });
    };
    this.meter = new DrainMeter(
      { submit },
      () => this.nowMs,
      () => flushBytes,
    );
  }

  submit(kind: Job['kind'], sizeBytes = 0): void {
    const runs = [[{ sizeBytes }]];
    this.meter.submit({ kind, runs } as Job, (result) => this.results.push(result));
  }

  finish(bytesRead = 0, ok = true): void {
    const output = { tables: [], bytesRead, bytesWritten: 0 };
    const result: JobResult = ok
      ? { ok, output }
      : { ok, code: 'ENOSPC', message: 'no space', file: 'x' };
    this.waiting.shift()?.done(result);
  }

  /** So many of them, one after the other. */
  repeat(kind: Job['kind'], times: number, ms: number, bytes = 0): void {
    for (let i = 0; i < times; i++) {
      this.submit(kind);
      this.nowMs += ms;
      this.finish(bytes);
      // What it does between jobs says nothing about how fast they are.
      this.nowMs += 5000;
    }
  }
}

test('hands every job on and every result back', () => {
  const rig = new MeterRig();
  for (const kind of ['fill-segment', 'flush', 'merge'] as const) rig.submit(kind);
  assert.equal(
    rig.waiting.map(({ job }) => job.kind),
    ['fill-segment', 'flush', 'merge'],
  );
  rig.finish();
  rig.finish(0, false);
  rig.finish(7);
  assert.equal(
    rig.results.map(({ ok }) => ok),
    [true, false, true],
  );
});

test('learns how fast flushes are while they run', () => {
  const rig = new MeterRig(64 * MIB);
  rig.repeat('flush', 10, 500);
  near(rig.meter.drain(0).flush, 128 * MIB);
});

test('takes merges that run side by side as one', () => {
  const rig = new MeterRig();
  for (let i = 0; i < 20; i++) {
    rig.submit('merge');
    rig.submit('merge');
    rig.nowMs += 1000;
    rig.finish(50 * MIB);
    rig.finish(50 * MIB);
  }
  // 2,000 MiB merged for 1,000 MiB written, beside what was assumed: two passes.
  near(rig.meter.drain(1000 * MIB).merge, 50 * MIB, 0.25);
});

test('counts for writes how often merges read each byte', () => {
  const rig = new MeterRig();
  rig.repeat('merge', 100, 1000, 100 * MIB);
  near(rig.meter.drain(1_000_000 * MIB).merge, 100 * MIB, 0.1);
  near(rig.meter.drain(1000 * MIB).merge, 10 * MIB, 0.1);
});

test('notices that a job takes long while it runs, and forgets it when that was not so', () => {
  const rig = new MeterRig();
  rig.repeat('merge', 20, 100, 10 * MIB);
  near(rig.meter.drain(36 * MIB).merge, 31 * MIB, 0.1);
  rig.submit('merge', 100 * MIB);
  rig.nowMs += 500;
  near(rig.meter.drain(36 * MIB).merge, 31 * MIB, 0.1);
  rig.nowMs += 9500;
  const late = rig.meter.drain(36 * MIB).merge;
  assert.ok(late < 10 * MIB, `${late} though it takes ten seconds already`);
  rig.finish(10_000 * MIB);
  assert.ok(rig.meter.drain(36 * MIB).merge > late);
});

test('slows its expectations down when jobs fail', () => {
  const rig = new MeterRig(64 * MIB);
  const before = rig.meter.drain(0).flush;
  rig.submit('flush');
  rig.nowMs += 1000;
  rig.finish(0, false);
  assert.ok(rig.meter.drain(0).flush < before / 5);
});

function near(actual: number, expected: number, share = 0.05): void {
  assert.ok(Math.abs(actual / expected - 1) < share, `${actual} is not near ${expected}`);
}

run();
