import * as assert from 'uvu/assert';
import { runJob } from '../../src/compactor/run-job.js';
import type { Job, JobResult } from '../../src/rpc/jobs.js';
import { Scrubber } from '../../src/shard/scrubber.js';
import { Version } from '../../src/shard/version.js';
import { readManifest } from '../../src/storage/manifest-log.js';
import type { ManifestState } from '../../src/storage/manifest-state.js';
import { tablesOf } from '../../src/storage/manifest-state.js';
import { readRoot } from '../../src/storage/root-manifest.js';
import type { LogSegment } from '../../src/storage/write-ahead-log.js';
import { dataDirOnDisk, filesOf } from '../harness/check-rig.js';
import { RIG_DIR, smallOptions } from '../harness/engine-rig.js';
import { ManualClock } from '../harness/manual-clock.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Scrubber');

/** A scrubber over real tables, whose jobs run when the test says so. */
function rig(bytesPerSecond: number) {
  const disk = dataDirOnDisk();
  const clock = new ManualClock();
  const storeUuid = readRoot(disk, '/data')?.storeUuid ?? '';
  const state = readManifest(disk, RIG_DIR, { shard: 0, storeUuid })?.state as ManifestState;
  const options = { mode: 'pread', verify: 'always' } as const;
  const version = Version.open({ fs: disk, dir: RIG_DIR, options }, state);
  const out: number[] = [];
  const flushes: number[] = [];
  const segments: LogSegment[] = [];
  const waiting: { job: Job; done: (result: JobResult) => void }[] = [];
  let failWith: string | undefined;
  const env = {
    fs: disk,
    clock,
    random: new SeededRandom(1),
    jobs: {
      submit: (job: Job, done: (result: JobResult) => void) => void waiting.push({ job, done }),
    },
    arenas: { take: () => undefined, give: () => {}, atHand: false },
  };
  const engine = { ...smallOptions(), dir: RIG_DIR, scrubBytesPerSecond: bytesPerSecond };
  const scrubber = new Scrubber(env, engine, {
    version: () => version,
    segments: () => segments,
    outOfService: (table) => void out.push(table),
    flushSoon: () => void flushes.push(1),
  });
  return {
    disk,
    clock,
    scrubber,
    segments,
    out,
    flushes,
    tables: tablesOf(state),
    failNext: (code: string) => {
      failWith = code;
    },
    /** Runs until nothing is due; returns how many jobs ran. */
    settle(): number {
      for (let jobs = 0; ; jobs++) {
        scrubber.run(clock.monotonicMs());
        const next = waiting.shift();
        if (next === undefined) return jobs;
        const code = failWith;
        failWith = undefined;
        next.done(code ? { ok: false, code, message: code } : runJob(disk, next.job));
      }
    },
  };
}

function flip(disk: ReturnType<typeof dataDirOnDisk>, path: string): void {
  const handle = disk.open(path, 'update');
  handle.writeAt(Uint8Array.of((disk.contentOf(path)[40] ?? 0) ^ 1), 0, 1, 40);
  handle.close();
}

test('a pass at full speed reads every byte of every table and finds nothing in sound ones', () => {
  const { scrubber, settle, tables, out } = rig(0);
  assert.is(settle(), 0, 'without a budget nothing runs by itself');
  const { id } = scrubber.startPass();
  settle();
  const pass = scrubber.status(id);
  const bytes = tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  assert.equal([pass?.isDone, pass?.doneBytes, pass?.damage], [true, bytes, []]);
  assert.equal([scrubber.totals.scrubPassesTotal, out], [1, []]);
});

test('a flipped byte takes exactly its table out of service, with a line for the log', () => {
  const { disk, scrubber, settle, tables, out } = rig(0);
  const path = filesOf(disk, /^table-/)[1] as string;
  flip(disk, path);
  const { id } = scrubber.startPass();
  settle();
  const number = tables.find((t) => path.includes(String(t.number).padStart(6, '0')))?.number;
  assert.equal(out, [number]);
  assert.match(scrubber.status(id)?.damage[0] ?? '', path);
  assert.is(scrubber.takeLogLine()?.level, 'error');
});

test('a table that is gone is damage; a pool that is busy is not', () => {
  const busy = rig(0);
  const { id } = busy.scrubber.startPass();
  busy.failNext('RESOURCE_EXHAUSTED');
  busy.settle();
  assert.is(busy.scrubber.status(id)?.isDone, false);
  busy.clock.advance(1000);
  busy.settle();
  assert.equal([busy.scrubber.status(id)?.isDone, busy.out], [true, []]);
  const gone = rig(0);
  gone.disk.remove(filesOf(gone.disk, /^table-/)[0] as string);
  gone.scrubber.startPass();
  gone.settle();
  assert.is(gone.out.length, 1);
});

test('in the background it keeps within its bytes per second', () => {
  const { scrubber, settle, clock, tables } = rig(1000);
  const bytes = tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  clock.advance(60_000);
  const begun = clock.monotonicMs();
  while (scrubber.totals.scrubPassesTotal === 0) {
    settle();
    clock.advance(50);
    const passed = clock.monotonicMs() - begun;
    assert.ok(scrubber.totals.scrubBytesTotal <= passed + 1000, `${passed} ms`);
  }
  assert.is(scrubber.totals.scrubBytesTotal, bytes);
});

run();
