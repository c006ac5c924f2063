import * as assert from 'uvu/assert';
import { type ErrorCode, StormError } from '../../src/base/errors.js';
import { LoadThread, type LoadThreadOptions } from '../../src/storm/load-thread.js';
import { makeWork } from '../../src/storm/make-work.js';
import { Meter } from '../../src/storm/meter.js';
import type { StormDoor } from '../../src/storm/storm-door.js';
import { latencyOf } from '../../src/storm/storm-result.js';
import { verify } from '../../src/storm/verify.js';
import { suite } from '../harness/suite.js';
import { eachEntry } from './each-entry.js';

const { test, run } = suite('A thread of load');

/** Time that passes only when nothing else is to be done. */
class StepTimers {
  #nowMs = 0;
  #tasks: { atMs: number; task: () => void }[] = [];

  wallMs = () => this.#nowMs;
  monotonicMs = () => this.#nowMs;
  random = () => 0.5;
  soon = (task: () => void) => void this.after(0, task);
  after = (ms: number, task: () => void) => {
    const entry = { atMs: this.#nowMs + ms, task };
    this.#tasks.push(entry);
    return () => {
      this.#tasks = this.#tasks.filter((one) => one !== entry);
    };
  };

  /** Runs all tasks in the order of their times, those that come up meanwhile too. */
  runAll(): void {
    for (;;) {
      const next = this.#tasks.reduce((least, one) => (one.atMs < least.atMs ? one : least), {
        atMs: Number.POSITIVE_INFINITY,
        task: () => {},
      });
      if (next.atMs === Number.POSITIVE_INFINITY) return;
      this.#tasks = this.#tasks.filter((one) => one !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.task();
    }
  }
}

type Answer = StormError | undefined;

/** A server that keeps what it answers well, 1 ms after it was asked. */
function rig(
  answerTo: (attempt: number, nowMs: number) => Answer,
  changes: Partial<LoadThreadOptions> = {},
  isLossy = false,
) {
  const timers = new StepTimers();
  const store = new Map<string, Buffer>();
  const most = { open: 0 };
  let open = 0;
  let attempts = 0;
  const door: StormDoor = {
    write(bytes, _count, done) {
      eachEntry(bytes, (position, key, value) => {
        most.open = Math.max(most.open, ++open);
        const error = answerTo(attempts++, timers.monotonicMs());
        if (error === undefined && !(isLossy && attempts === 1)) store.set(key, value);
        timers.after(1, () => {
          open--;
          done(position, error);
        });
      });
    },
    read: (_key, done) => done(undefined, undefined),
    close: async () => {},
  };
  const profile = { name: 'uniform', entries: 2, valueBytes: 40 } as const;
  const share = { profile, seed: 1, run: 5, thread: 0, threads: 1, submissions: 10 };
  const work = makeWork(share);
  const meter = new Meter(0);
  const dues = Array.from({ length: 10 }, (_, i) => i * 100);
  const thread = new LoadThread({
    work,
    door,
    meter,
    timers,
    thread: 0,
    threads: 1,
    arrivals: { next: () => dues.shift() ?? Number.POSITIVE_INFINITY },
    callers: 0,
    submissions: 10,
    durationMs: 1000,
    patienceMs: 5000,
    openEntriesMax: 1000,
    ...changes,
  });
  return {
    most,
    async run() {
      const ended = thread.run();
      timers.runAll();
      await ended;
      const getMany = async (keys: readonly (string | Uint8Array)[]) =>
        keys.map((key) => store.get(Buffer.from(key).toString('latin1')));
      const { counts } = await verify({ getMany }, work.checks(1), () => {});
      return { counts, report: meter.takeInterval(), latency: latencyOf(meter.totals.writes) };
    },
  };
}

function failure(code: ErrorCode, outcome: 'none' | 'unknown'): StormError {
  return new StormError(code, 'planted', outcome === 'unknown' ? { outcome } : {});
}

test('makes all that is due, and a planted loss is found', async () => {
  const good = await rig(() => undefined).run();
  assert.equal([good.counts.found, good.counts.lost, good.report.acknowledged], [20, 0, 20]);
  const lossy = await rig(() => undefined, {}, true).run();
  assert.equal([lossy.counts.found, lossy.counts.lost], [19, 1]);
});

test('what failed is sent again until it is acknowledged, and its whole wait counts', async () => {
  const down = (_: number, nowMs: number) =>
    nowMs < 500 ? failure('UNAVAILABLE', 'none') : undefined;
  const { counts, report, latency } = await rig(down).run();
  assert.equal([counts.found, report.acknowledged, report.refused], [20, 20, 0]);
  assert.ok(report.retries > 0 && report.errors.UNAVAILABLE === report.retries);
  // The first was due at 0, and nothing was served before 500.
  assert.ok((latency?.maxMs ?? 0) >= 500, `${latency?.maxMs}`);
});

test('what is given up is unknown if one attempt had no answer, else refused', async () => {
  const never = { patienceMs: 50 };
  const refused = await rig(() => failure('UNAVAILABLE', 'none'), never).run();
  assert.equal([refused.report.refused, refused.report.unknown], [20, 0]);
  assert.is(refused.counts.absent, 20);
  const unknown = await rig(() => failure('UNAVAILABLE', 'unknown'), never).run();
  assert.equal([unknown.report.refused, unknown.report.unknown], [0, 20]);
  assert.is(unknown.counts['unknown-absent'], 20);
});

test('a failure that will not pass ends a run in which nothing succeeded', async () => {
  const denied = rig(() => failure('PERMISSION_DENIED', 'none')).run();
  const error = await denied.catch((cause: unknown) => cause);
  assert.match(`${error}`, /The first writes failed: planted/);
});

test('no more is under way than is allowed, and what waits for its turn is made later', async () => {
  const dues = new Array<number>(10).fill(0);
  const arrivals = { next: () => dues.shift() ?? Number.POSITIVE_INFINITY };
  const bounded = rig(() => undefined, { arrivals, openEntriesMax: 4 });
  const { counts } = await bounded.run();
  assert.is(counts.found, 20);
  assert.is(bounded.most.open, 4);
});

test('callers wait for their answers: never more calls than callers', async () => {
  const closed = rig(() => undefined, { arrivals: undefined, callers: 3 });
  const { counts, report } = await closed.run();
  assert.equal([counts.found, report.acknowledged], [20, 20]);
  assert.is(closed.most.open, 6);
});

run();
