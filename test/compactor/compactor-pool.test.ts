import { readdirSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { fileNumber } from '../../src/base/ids.js';
import { CompactorPool } from '../../src/compactor/compactor-pool.js';
import type { Job, JobResult } from '../../src/rpc/jobs.js';
import { MergeControl } from '../../src/rpc/merge-control.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { put } from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { SMALL_TABLES, writeTable } from '../harness/table-cases.js';
import { withTempDir } from '../harness/temp-dir.js';
import { WORD_GO, WORD_STARTED } from './slow-worker.js';

const { test, run } = suite('CompactorPool');
const SLOW_WORKER = new URL('./slow-worker.js', import.meta.url);
const NO_SUCH_WORKER = new URL('./no-such-worker.js', import.meta.url);

async function withPool(
  body: (pool: CompactorPool, errors: string[]) => Promise<void>,
  { workerUrl = SLOW_WORKER, niceIncrement = 0 } = {},
): Promise<void> {
  const errors: string[] = [];
  const pool = new CompactorPool({
    quickThreads: 1,
    mergeThreads: 1,
    niceIncrement,
    onError: (message) => errors.push(message),
    workerUrl,
  });
  try {
    await body(pool, errors);
  } finally {
    await pool.close();
  }
}

/** A job that runs until its `go` is called. */
function heldJob() {
  const arena = new SharedArrayBuffer(16);
  const words = new Int32Array(arena);
  const job: Job = { kind: 'touch-arena', arena };
  const started = async () => {
    while (Atomics.load(words, WORD_STARTED) === 0) {
      await new Promise((soon) => setImmediate(soon));
    }
  };
  const go = () => {
    Atomics.store(words, WORD_GO, 1);
    Atomics.notify(words, WORD_GO);
  };
  return { job, started, go };
}

const codeOf = (result: JobResult) => (result.ok ? 'ok' : result.code);

test('runs quick jobs while a merge thread is busy', () =>
  withPool(async (pool) => {
    const long = heldJob();
    const merging = pool.run('merge', long.job);
    await long.started();
    const quick = heldJob();
    quick.go();
    assert.is(codeOf(await pool.run('quick', quick.job)), 'ok');
    long.go();
    assert.is(codeOf(await merging), 'ok');
    assert.is(pool.threads('quick'), 1);
    assert.is(pool.threads('merge'), 1);
  }));

test('answers WORKER_DIED when the thread is killed in mid-job, and works on', () =>
  withPool(async (pool) => {
    const held = heldJob();
    const result = pool.run('merge', held.job);
    await held.started();
    await pool.killThread('merge');
    assert.is(codeOf(await result), 'WORKER_DIED');
    const next = heldJob();
    next.go();
    assert.is(codeOf(await pool.run('merge', next.job)), 'ok');
  }));

test('turns a thrown error into an answer', () =>
  withPool(async (pool) => {
    const job: Job = { kind: 'fill-segment', dir: '/', name: 'broken', sizeBytes: 1 };
    const result = await pool.run('quick', job);
    assert.ok(!result.ok && result.code === 'WORKER_DIED' && result.message === 'broken');
  }));

test('survives a task file that cannot be loaded', () =>
  withPool(
    async (pool, errors) => {
      const job: Job = { kind: 'fill-segment', dir: '/', name: 'x', sizeBytes: 1 };
      for (let i = 0; i < 3; i++) assert.is(codeOf(await pool.run('quick', job)), 'WORKER_DIED');
      // The idle lane has nobody to answer to and reports.
      while (errors.length === 0) await new Promise((soon) => setImmediate(soon));
      assert.match(errors[0] ?? '', /no-such-worker/);
    },
    { workerUrl: NO_SUCH_WORKER },
  ));

test('refuses jobs once closed and ends running ones', () =>
  withPool(async (pool) => {
    const held = heldJob();
    const result = pool.run('merge', held.job);
    await held.started();
    await pool.close();
    assert.is(codeOf(await result), 'WORKER_DIED');
    assert.is(codeOf(await pool.run('merge', held.job)), 'UNAVAILABLE');
    assert.is(codeOf(await pool.run('quick', held.job)), 'UNAVAILABLE');
  }));

test('lets merge threads yield to everyone else, where the system can', () =>
  withPool(
    async (pool) => {
      if (process.platform !== 'linux') return;
      const [merge, quick] = [heldJob(), heldJob()];
      const results = [pool.run('merge', merge.job), pool.run('quick', quick.job)];
      await Promise.all([merge.started(), quick.started()]);
      const nice = readdirSync('/proc/self/task').map((tid) => niceOf(tid));
      merge.go();
      quick.go();
      await Promise.all(results);
      const usual = niceOf(String(process.pid));
      const raised = nice.filter((n) => n > usual);
      // Without the optional package @napi-rs/nice no thread is niced, and nothing else changes.
      assert.ok(raised.length <= 1);
      assert.ok(raised.every((n) => n === Math.min(19, usual + 7)));
    },
    { niceIncrement: 7 },
  ));

function niceOf(tid: string): number {
  const stat = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
  // Field 19; the second one, in brackets, may hold spaces.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
}

test('ends a merge that rests or works, on its own thread, when it is cancelled', () =>
  withTempDir((dir) =>
    withPool(
      async (pool) => {
        const entries = Array.from({ length: 20_000 }, (_, i) => put(`key-${100_000 + i}`, i + 1));
        const tables = [writeTable(nodeFileSystem, dir, 1, entries)];
        const control = MergeControl.create();
        // It would take more than a minute.
        control.bytesPerSecond = 4096;
        const job: Job = {
          kind: 'merge',
          dir,
          runs: [tables],
          older: [],
          snapshots: [],
          nowMs: 0,
          outputs: [fileNumber(2)],
          table: { ...SMALL_TABLES, tableBytesMax: 2 ** 30 },
          control: control.memory,
        };
        const merging = pool.run('merge', job);
        while (readdirSync(dir).length < 2) await new Promise((soon) => setTimeout(soon, 1));
        control.cancel();
        assert.is(codeOf(await merging), 'CANCELLED');
        assert.equal(readdirSync(dir), ['table-000001.sst']);
      },
      { workerUrl: new URL('../../src/compactor/worker.js', import.meta.url) },
    ),
  ));

run();
