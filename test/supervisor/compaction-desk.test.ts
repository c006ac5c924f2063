import * as assert from 'uvu/assert';
import type { Job, JobResult, MergeJob } from '../../src/rpc/jobs.js';
import { MergeControl } from '../../src/rpc/merge-control.js';
import {
  CompactionDesk,
  type JobClient,
  type JobPool,
  type Lane,
} from '../../src/supervisor/compaction-desk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('CompactionDesk');
const TABLE = { blockBytes: 4096, tableBytesMax: 1e6, bloomBitsPerKey: 10, restartInterval: 16 };
const DONE: JobResult = { ok: true, output: { tables: [], bytesRead: 0, bytesWritten: 0 } };

class Client implements JobClient {
  readonly results: [number, string][] = [];
  jobDone(id: number, result: JobResult): void {
    this.results.push([id, result.ok ? 'ok' : result.code]);
  }
}

/** A pool whose jobs end when the test says so. */
class ManualPool implements JobPool {
  readonly started: { name: string; end: (result?: JobResult) => Promise<void> }[] = [];
  threads(): number {
    return 1;
  }
  run(lane: Lane, job: Job): Promise<JobResult> {
    return new Promise((resolve) => {
      const end = async (result = DONE) => {
        resolve(result);
        await new Promise((soon) => setImmediate(soon));
      };
      this.started.push({ name: `${lane}: ${nameOf(job)}`, end });
    });
  }
  names(): string[] {
    return this.started.map(({ name }) => name);
  }
}

const flush = (dir: string): Job => ({
  kind: 'flush',
  dir,
  arena: new SharedArrayBuffer(8),
  snapshots: [],
  outputs: [],
  table: TABLE,
});
const merge = (dir: string, change: Partial<MergeJob> = {}): Job => ({
  kind: 'merge',
  dir,
  runs: [],
  older: [],
  snapshots: [],
  nowMs: 0,
  outputs: [],
  table: TABLE,
  ...change,
});
const touch = (): Job => ({ kind: 'touch-arena', arena: new SharedArrayBuffer(8) });
const fill = (dir: string): Job => ({ kind: 'fill-segment', dir, name: 'wal', sizeBytes: 1 });
const nameOf = (job: Job) => (job.kind === 'touch-arena' ? job.kind : `${job.kind} ${job.dir}`);

function makeDesk(queueMax = 8) {
  const pool = new ManualPool();
  const pins: string[] = [];
  const desk = new CompactionDesk({
    pool,
    queueMax,
    pinArena: () => {
      pins.push('pin');
      return () => pins.push('unpin');
    },
  });
  return { desk, pool, pins };
}

test('brings each result back to its client', async () => {
  const { desk, pool } = makeDesk();
  const [a, b] = [new Client(), new Client()];
  desk.submit(a, 1, flush('a'));
  desk.submit(b, 1, merge('b'));
  await pool.started[1]?.end();
  await pool.started[0]?.end({ ok: false, code: 'WORKER_DIED', message: 'killed' });
  assert.equal(a.results, [[1, 'WORKER_DIED']]);
  assert.equal(b.results, [[1, 'ok']]);
});

test('does not let a merge delay a flush', () => {
  const { desk, pool } = makeDesk();
  const client = new Client();
  desk.submit(client, 1, merge('x'));
  desk.submit(client, 2, merge('y'));
  desk.submit(client, 3, flush('z'));
  assert.equal(pool.names(), ['merge: merge x', 'quick: flush z']);
  assert.equal(desk.load('merge'), { waiting: 1, running: 1 });
});

test('touches arenas only when no flush and no segment waits', async () => {
  const { desk, pool } = makeDesk();
  const client = new Client();
  desk.submit(client, 1, flush('a'));
  desk.submit(client, 2, touch());
  desk.submit(client, 3, fill('b'));
  desk.submit(client, 4, flush('c'));
  for (let i = 0; i < 4; i++) await pool.started[i]?.end();
  assert.equal(pool.names(), [
    'quick: flush a',
    'quick: fill-segment b',
    'quick: flush c',
    'quick: touch-arena',
  ]);
});

test('refuses what a client submits beyond its bound, and nobody else suffers', async () => {
  const { desk, pool } = makeDesk(2);
  const [greedy, other] = [new Client(), new Client()];
  for (let id = 1; id <= 4; id++) desk.submit(greedy, id, flush('a'));
  desk.submit(other, 1, flush('b'));
  assert.equal(greedy.results, [[4, 'RESOURCE_EXHAUSTED']]);
  assert.equal(other.results, []);
  for (let i = 0; i < 4; i++) await pool.started[i]?.end();
  assert.equal(other.results, [[1, 'ok']]);
});

test('drops the jobs of a dead client; the pool goes on with the next', async () => {
  const { desk, pool, pins } = makeDesk();
  const [dead, heir] = [new Client(), new Client()];
  desk.submit(dead, 1, flush('a'));
  desk.submit(dead, 2, flush('b'));
  desk.drop(dead);
  desk.submit(dead, 3, flush('c'));
  desk.submit(heir, 1, flush('d'));
  assert.equal(pins, ['pin'], 'the running job still reads its arena');
  await pool.started[0]?.end();
  assert.equal(pins, ['pin', 'unpin', 'pin']);
  assert.equal(pool.names(), ['quick: flush a', 'quick: flush d']);
  assert.equal(dead.results, []);
});

test('lets a small merge pass the parts of a large one that wait', async () => {
  const { desk, pool } = makeDesk();
  const client = new Client();
  desk.submit(client, 1, merge('large 1', { part: {} }));
  desk.submit(client, 2, merge('large 2', { part: {} }));
  desk.submit(client, 3, merge('large 3', { part: {} }));
  desk.submit(client, 4, merge('small'));
  for (let i = 0; i < 4; i++) await pool.started[i]?.end();
  assert.equal(pool.names(), [
    'merge: merge large 1',
    'merge: merge small',
    'merge: merge large 2',
    'merge: merge large 3',
  ]);
});

test('cancels the running merge of a dead client, and nobody else', () => {
  const { desk } = makeDesk();
  const [dead, other] = [MergeControl.create(), MergeControl.create()];
  const client = new Client();
  desk.submit(client, 1, merge('a', { control: dead.memory }));
  desk.submit(new Client(), 1, merge('b', { control: other.memory }));
  desk.drop(client);
  assert.ok(dead.isCancelled);
  assert.not(other.isCancelled);
});

test('cancels running merges when it is closed', () => {
  const { desk } = makeDesk();
  const control = MergeControl.create();
  desk.submit(new Client(), 1, merge('a', { control: control.memory }));
  desk.close();
  assert.ok(control.isCancelled);
});

test('runs jobs of its own', async () => {
  const { desk, pool } = makeDesk();
  const result = desk.run(touch());
  await pool.started[0]?.end();
  assert.equal(await result, DONE);
});

test('refuses waiting and new jobs once closed', () => {
  const { desk } = makeDesk();
  const client = new Client();
  desk.submit(client, 1, flush('a'));
  desk.submit(client, 2, flush('b'));
  desk.close();
  desk.submit(client, 3, flush('c'));
  assert.equal(client.results, [
    [2, 'UNAVAILABLE'],
    [3, 'UNAVAILABLE'],
  ]);
});

run();
