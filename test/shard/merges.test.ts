/** Merges through a real engine: space that comes back, nothing that comes back with it. */
import * as assert from 'uvu/assert';
import { RunBuilder } from '../../src/base/run-builder.js';
import type { EngineOptions } from '../../src/rpc/control.js';
import type { Job, MergeJob } from '../../src/rpc/jobs.js';
import { MergeControl } from '../../src/rpc/merge-control.js';
import { type Change, EngineRig, RIG_DIR, smallOptions } from '../harness/engine-rig.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Merges');
const KEYS = 400;
const { table: TABLE } = smallOptions();
const SMALL_TABLES = { ...TABLE, tableBytesMax: 4096 };
/** Nothing is merged but what is dead or free to merge when it is quiet. */
const LAZY = { mergeFanIn: 16, mergeGarbagePercentBusy: 1000 };

class Shard {
  readonly disk = new SimulatedDisk();
  readonly rig: EngineRig;

  constructor(options: Partial<EngineOptions> = {}) {
    this.rig = new EngineRig(this.disk, 1, smallOptions(options));
    this.rig.settle();
  }

  get figures() {
    return this.rig.engine.figures();
  }

  write(changes: Change[]): void {
    for (let tries = 0; this.rig.write([changes]) === undefined; tries++) {
      assert.ok(tries < 100, 'writes go on');
      this.rig.engine.maintain();
      this.rig.jobs.runAll('flush');
      this.rig.jobs.runAll('fill-segment');
    }
  }

  /** Every key once, `each` says what becomes of it; then more of one other key until a flush. */
  /** Has the tables that nobody reads any more removed, which waits until their maps are gone. */
  bury(): void {
    this.rig.clock.advance(300);
    this.rig.engine.maintain();
    this.rig.jobs.runAll('remove');
  }

  writeAll(each: (n: number) => string | undefined, from = 0, to = KEYS): void {
    for (let n = from; n < to; n += 20) {
      const numbers = Array.from({ length: Math.min(20, to - n) }, (_, i) => n + i);
      this.write(numbers.map((number) => ({ key: keyOf(number), value: each(number) })));
    }
  }

  /** Keys that expire. */
  writeMortal(ttlMs: number, value: string, from = 0, to = KEYS): void {
    for (let n = from; n < to; n += 20) {
      const builder = new RunBuilder();
      for (let i = n; i < Math.min(to, n + 20); i++) {
        builder.put(Buffer.from(keyOf(i)), Buffer.from(value), ttlMs);
      }
      const { engine } = this.rig;
      const group = engine.openGroup();
      assert.ok(group !== undefined);
      const encoded = builder.runView();
      group.stage(0, 0, encoded, 0, encoded.length);
      if (engine.admitStaged(group).kind !== 'accept') {
        engine.recycle(group);
        engine.maintain();
        this.rig.jobs.runAll('flush');
        this.rig.jobs.runAll('fill-segment');
        n -= 20;
        continue;
      }
      engine.commit(group);
      const settled = engine.nextSettled();
      assert.ok(settled !== undefined);
      engine.recycle(settled);
    }
  }

  flush(): void {
    const goal = this.figures.flushesTotal + this.figures.frozenMemTables + 1;
    for (let i = 0; this.figures.flushesTotal < goal; i++) {
      assert.ok(i < 1000, 'it is flushed');
      this.write([{ key: 'filler', value: 'f'.repeat(2000) }]);
      this.rig.engine.maintain();
      this.rig.jobs.runAll('flush');
      this.rig.jobs.runAll('fill-segment');
    }
  }

  /** The same without a key that lives on. */
  flushMortal(): void {
    const goal = this.figures.flushesTotal + this.figures.frozenMemTables + 1;
    for (let i = 0; this.figures.flushesTotal < goal; i++) {
      assert.ok(i < 1000, 'it is flushed');
      this.writeMortal(10_000, 'f'.repeat(300), KEYS, KEYS + 20);
      this.rig.engine.maintain();
      this.rig.jobs.runAll('flush');
      this.rig.jobs.runAll('fill-segment');
    }
  }

  /** Nobody writes for so long; what is due is done. */
  quiet(ms = 60_000): void {
    for (let i = 0; i < 5; i++) {
      this.rig.clock.advance(ms / 5);
      this.rig.settle();
    }
  }

  files(): string[] {
    return this.disk.list(RIG_DIR).filter((name) => name.startsWith('table-'));
  }

  check(expected: (n: number) => string | undefined): void {
    for (let n = 0; n < KEYS; n++) assert.is(this.rig.get(keyOf(n)), expected(n), keyOf(n));
  }
}

const keyOf = (n: number): string => `key-${String(n).padStart(4, '0')}`;

test('gives the space back after everything was overwritten and half of it deleted', () => {
  const shard = new Shard({ ...LAZY, table: SMALL_TABLES });
  shard.writeAll((n) => `first ${n}`.padEnd(300, '.'));
  shard.flush();
  shard.quiet();
  const { tableBytes } = shard.figures;
  shard.writeAll((n) => `second ${n}`.padEnd(300, '.'));
  shard.flush();
  shard.writeAll((n) => (n % 2 === 0 ? undefined : `third ${n}`.padEnd(300, '.')));
  shard.flush();
  assert.ok(shard.figures.tableBytes > 2 * tableBytes, 'the test makes garbage');
  shard.quiet();
  const { tableBytes: after, tables } = shard.figures;
  assert.ok(after < 0.7 * tableBytes, `${after} of ${tableBytes} bytes`);
  assert.is(shard.files().length, tables);
  shard.check((n) => (n % 2 === 0 ? undefined : `third ${n}`.padEnd(300, '.')));
});

test('comes to rest when it is quiet, without a merge that frees nothing', () => {
  const shard = new Shard();
  shard.writeAll((n) => `first ${n}`.padEnd(300, '.'));
  shard.writeAll((n) => (n % 2 === 0 ? undefined : `second ${n}`));
  shard.flush();
  shard.quiet();
  const { mergesTotal } = shard.figures;
  shard.quiet(600_000);
  assert.is(shard.figures.mergesTotal, mergesTotal);
});

test('comes to rest also while a snapshot keeps deleted entries, and frees them afterwards', () => {
  const shard = new Shard();
  shard.writeAll((n) => `first ${n}`.padEnd(300, '.'));
  const snapshot = shard.rig.engine.openSnapshot();
  shard.writeAll(() => undefined);
  shard.flush();
  const pages = (): number => {
    shard.rig.engine.useSnapshot(snapshot.id);
    return shard.rig.scan(snapshot, 'key-', 'key.').length;
  };
  for (let i = 0; i < 10; i++) {
    shard.quiet(2000);
    assert.is(pages(), KEYS);
  }
  const { mergesTotal, tableBytes } = shard.figures;
  shard.quiet(2000);
  assert.is(pages(), KEYS);
  assert.is(shard.figures.mergesTotal, mergesTotal, 'nothing to gain, nothing done');
  shard.rig.engine.closeSnapshot(snapshot.id);
  shard.quiet();
  assert.ok(shard.figures.tableBytes < tableBytes / 10, `${shard.figures.tableBytes} bytes`);
});

test('frees what was overwritten while a snapshot was open, once it is closed', () => {
  const shard = new Shard({ mergeFanIn: 2 });
  shard.writeAll((n) => `first ${n}`.padEnd(300, '.'));
  const snapshot = shard.rig.engine.openSnapshot();
  shard.writeAll((n) => `second ${n}`.padEnd(300, '.'));
  shard.flush();
  shard.quiet(10_000);
  assert.is(shard.figures.sortedRuns, 1, 'both versions lie in one run');
  const { tableBytes } = shard.figures;
  shard.rig.engine.closeSnapshot(snapshot.id);
  shard.quiet();
  assert.ok(shard.figures.tableBytes < 0.6 * tableBytes, `${shard.figures.tableBytes} bytes`);
  shard.check((n) => `second ${n}`.padEnd(300, '.'));
});

test('cuts a large merge into parts, which count together or not at all', () => {
  const shard = new Shard({ ...LAZY, table: SMALL_TABLES });
  shard.writeAll((n) => `first ${n}`.padEnd(300, '.'));
  shard.flush();
  shard.writeAll((n) => `second ${n}`.padEnd(300, '.'));
  shard.flush();
  const before = shard.files();
  const runsBefore = shard.figures.sortedRuns;
  shard.rig.clock.advance(60_000);
  let parts = 0;
  for (shard.rig.engine.maintain(); shard.rig.jobs.count > 0; parts++) {
    assert.is(shard.figures.sortedRuns, runsBefore, 'no part counts alone');
    for (const name of before) assert.ok(shard.files().includes(name));
    shard.rig.jobs.runOne();
    shard.rig.engine.maintain();
  }
  assert.ok(parts > 5, `${parts} parts`);
  assert.is(shard.figures.mergesTotal, 1);
  assert.is(shard.figures.sortedRuns, 1);
  shard.bury();
  assert.is(shard.files().length, shard.figures.tables);
  shard.check((n) => `second ${n}`.padEnd(300, '.'));
});

test('removes what the other parts wrote when one fails, and tries again after a pause', () => {
  const shard = new Shard({ ...LAZY, table: SMALL_TABLES });
  shard.writeAll((n) => `first ${n}`.padEnd(300, '.'));
  shard.flush();
  shard.writeAll((n) => `second ${n}`.padEnd(300, '.'));
  shard.flush();
  const before = shard.files();
  shard.rig.clock.advance(60_000);
  shard.rig.engine.maintain();
  for (let part = 0; part < 3; part++) {
    shard.rig.jobs.runOne();
    shard.rig.engine.maintain();
  }
  assert.ok(shard.files().length > before.length, 'parts have written');
  shard.disk.fail({ kind: 'write', code: 'ENOSPC', path: '.sst', sticky: true });
  for (let i = 0; shard.rig.jobs.count > 0; i++) {
    assert.ok(i < 10, 'no part starts after one failed');
    shard.rig.jobs.runOne();
    shard.rig.engine.maintain();
  }
  assert.is(shard.rig.jobs.count, 0, 'not at once');
  shard.bury();
  assert.equal(shard.files(), before);
  shard.check((n) => `second ${n}`.padEnd(300, '.'));
  shard.disk.clearFaults();
  shard.quiet();
  assert.is(shard.figures.mergesTotal, 1);
  assert.is(shard.figures.sortedRuns, 1);
  shard.check((n) => `second ${n}`.padEnd(300, '.'));
});

test('drops a run unread once everything in it has expired', () => {
  const shard = new Shard({ ...LAZY, table: SMALL_TABLES });
  for (let round = 0; round < 3; round++) {
    shard.writeMortal(10_000, 'v'.repeat(300), 0, 100);
    shard.flushMortal();
  }
  assert.ok(shard.files().length > 0);
  shard.rig.clock.advance(10_000);
  shard.rig.engine.maintain();
  assert.equal(shard.rig.jobs.waiting('merge'), [], 'no job reads it');
  shard.bury();
  assert.equal(shard.files(), []);
  assert.is(shard.figures.tableBytes, 0);
  shard.check(() => undefined);
});

test('lets nothing come back that an expired entry hides', () => {
  const shard = new Shard({ ...LAZY, table: SMALL_TABLES });
  shard.writeAll((n) => `lives ${n}`.padEnd(300, '.'));
  shard.flush();
  shard.writeMortal(10_000, 'expires', 100, 300);
  shard.flushMortal();
  const expected = (n: number) => (n < 100 || n >= 300 ? `lives ${n}`.padEnd(300, '.') : undefined);
  shard.check((n) => expected(n) ?? 'expires');
  shard.rig.clock.advance(10_000);
  shard.rig.engine.maintain();
  shard.check(expected);
  shard.quiet();
  shard.check(expected);
  assert.ok(shard.figures.mergesTotal > 0);
});

test('merges what is flushed while a large merge is under way, and only one such stretch', () => {
  const shard = new Shard({ mergeFanIn: 3, mergeGarbagePercentBusy: 100, table: SMALL_TABLES });
  for (let round = 0; round < 4; round++) {
    shard.writeAll((n) => `${round} ${n}`.padEnd(100, '.'));
    shard.rig.settle();
  }
  shard.quiet();
  const partOf = (job: Job): boolean => job.kind === 'merge' && job.part !== undefined;
  for (let n = 0; !shard.rig.jobs.waiting('merge').some(partOf); n++) {
    assert.ok(n < 50, 'a large merge becomes due');
    shard.writeAll((number) => `again ${number}`.padEnd(100, '.'), (n * 20) % KEYS);
    shard.rig.engine.maintain();
  }
  for (let i = 0; i < 12; i++) {
    shard.write([{ key: 'one', value: 'x'.repeat(2000) }]);
    shard.flush();
  }
  const waiting = shard.rig.jobs.waiting('merge');
  assert.ok(waiting.filter(partOf).length <= 2);
  assert.is(waiting.filter((job) => !partOf(job)).length, 1);
  shard.rig.settle();
  assert.is(shard.rig.get(keyOf(0))?.startsWith('again'), true);
});

test('has its merges end when it is closed, and nothing of them counts', () => {
  const shard = new Shard({ ...LAZY, table: SMALL_TABLES });
  shard.writeAll((n) => `first ${n}`.padEnd(300, '.'));
  shard.flush();
  shard.writeAll((n) => `second ${n}`.padEnd(300, '.'));
  shard.flush();
  shard.rig.clock.advance(60_000);
  shard.rig.engine.maintain();
  const [job] = shard.rig.jobs.waiting('merge') as MergeJob[];
  assert.ok(job?.control !== undefined);
  const control = new MergeControl(job.control);
  assert.not(control.isCancelled);
  const before = shard.files();
  shard.rig.engine.close();
  assert.ok(control.isCancelled);
  while (shard.rig.jobs.count > 0) shard.rig.jobs.runOne();
  const next = new EngineRig(shard.disk, 2, smallOptions({ ...LAZY, table: SMALL_TABLES }));
  assert.equal(shard.files(), before, 'what was written for nothing is swept');
  for (let n = 0; n < KEYS; n++) {
    assert.is(next.get(keyOf(n)), `second ${n}`.padEnd(300, '.'));
  }
});

run();
