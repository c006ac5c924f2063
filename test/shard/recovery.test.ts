/**
 * What opening a shard refuses, and what it forgives, file by file. Power losses are in
 * crash-recovery.test.ts and recovery-order.test.ts.
 */
import * as assert from 'uvu/assert';
import { CorruptionError, StormError } from '../../src/base/errors.js';
import type { EngineOptions } from '../../src/rpc/control.js';
import { parseFileName } from '../../src/storage/file-names.js';
import { EngineRig, RIG_DIR, smallOptions } from '../harness/engine-rig.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('opening a shard');

/** Ten writes per segment of 48 KiB and one block each: key-1 … key-`count`. */
function write(rig: EngineRig, count: number, from = 1): void {
  for (let n = from; n < from + count; n++) {
    while (rig.write([[{ key: `key-${n}`, value: `value ${n}` }]]) === undefined) rig.settle();
    // Spares are made, nothing is flushed.
    rig.engine.maintain();
    rig.jobs.runAll('fill-segment');
  }
}

function filesOf(disk: SimulatedDisk, kind: string): string[] {
  return disk
    .list(RIG_DIR)
    .filter((name) => parseFileName(name).kind === kind)
    .map((name) => `${RIG_DIR}/${name}`);
}

/** The live segment with the highest number. */
function newestSegment(disk: SimulatedDisk): string {
  const numberOf = (path: string) => new DataView(disk.contentOf(path).buffer).getUint32(32, true);
  return filesOf(disk, 'wal').reduce((a, b) => (numberOf(a) > numberOf(b) ? a : b));
}

function refusal(disk: SimulatedDisk, options?: EngineOptions): StormError {
  try {
    new EngineRig(disk, 99, options);
  } catch (error) {
    if (error instanceof StormError) return error;
    throw error;
  }
  throw new Error('Expected a refusal');
}

function assertAllThere(disk: SimulatedDisk, count: number): EngineRig {
  const rig = new EngineRig(disk, 98);
  for (let n = 1; n <= count; n++) assert.is(rig.get(`key-${n}`), `value ${n}`, `key ${n}`);
  return rig;
}

test('a shard that was closed in order notices when its newest segments are gone', () => {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 1);
  write(rig, 25);
  rig.engine.close();
  disk.crash(1, 'synced-only');
  assertAllThere(disk.clone(), 25).engine.close();
  for (let gone = 1; gone <= 2; gone++) {
    disk.remove(newestSegment(disk));
    const error = refusal(disk.clone());
    assert.instance(error, CorruptionError);
    assert.match(error.message, /all through 25 was durable: its newest segment is missing/);
    assert.match(error.message, /file \/data\/shard-000\/wal-\d+\.seg, offset \d+, sequence/);
  }
});

test('so does one that was killed, as far as its last flush had noted', () => {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 1, smallOptions({ walLiveBytesMax: 64 * 1024 }));
  for (let n = 1; rig.engine.figures().flushesTotal === 0; n++) {
    write(rig, 1, n);
    if (n % 10 === 0) rig.settle();
  }
  disk.processCrash();
  // One that held writes when the flush was committed.
  for (const path of filesOf(disk, 'wal')) {
    const copy = disk.clone();
    copy.remove(path);
    try {
      const again = new EngineRig(copy, 3);
      assert.ok(again.engine.report.lastSequence > 0);
    } catch (error) {
      assert.instance(error, StormError, String(error));
      assert.match((error as StormError).message, /missing/);
    }
  }
});

test('a newest segment cut short within its header is refused once the manifest knows better', () => {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 1);
  write(rig, 15);
  rig.engine.close();
  const path = newestSegment(disk);
  const whole = disk.contentOf(path);
  for (const length of [0, 1, 511]) {
    disk.replaceContent(path, whole.subarray(0, length));
    assert.match(refusal(disk.clone()).message, /was durable/);
  }
});

test('after a failed sync the manifest claims nothing that the disk may have lost', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const disk = new SimulatedDisk();
    const rig = new EngineRig(disk, seed);
    write(rig, 12);
    disk.fail({ kind: 'sync', code: 'EIO', path: '.seg' });
    assert.throws(() => write(rig, 1, 13));
    disk.processCrash();
    // Reads what the page cache shows, and the power fails before it could flush that.
    disk.crashBeforeChange(1 + seed * 2);
    try {
      new EngineRig(disk, seed + 100);
    } catch (error) {
      assert.match(String(error), /down|safe/);
    }
    disk.crash(seed, 'synced-only');
    assertAllThere(disk, 12);
  }
});

test('a shard whose CURRENT is gone is never taken for new', () => {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 1);
  write(rig, 3);
  rig.engine.close();
  disk.remove(`${RIG_DIR}/CURRENT`);
  const names = disk.list(RIG_DIR);
  assert.match(refusal(disk).message, /holds data but no CURRENT file/);
  assert.equal(disk.list(RIG_DIR), names, 'nothing was touched');
});

test('a shard that never wrote may begin again', () => {
  const disk = new SimulatedDisk();
  new EngineRig(disk, 1);
  disk.remove(`${RIG_DIR}/CURRENT`);
  write(new EngineRig(disk, 2), 3);
  assertAllThere(disk, 3);
});

/** A closed shard with one table and some writes behind it in the log. */
function withTable(): { disk: SimulatedDisk; table: string } {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 1);
  for (let n = 1; filesOf(disk, 'table').length === 0; n++) {
    write(rig, 1, n);
    rig.jobs.runAll('flush');
  }
  rig.engine.close();
  const [table = ''] = filesOf(disk, 'table');
  return { disk, table };
}

test('a table that is missing, cut short or damaged in its fixed parts is refused and named', () => {
  const { disk, table } = withTable();
  const bytes = disk.contentOf(table);
  const cut = disk.clone();
  cut.replaceContent(table, bytes.subarray(0, bytes.length - 1));
  assert.match(refusal(cut).message, table);
  const flipped = disk.clone();
  const damaged = bytes.slice();
  damaged[bytes.length - 5] = (damaged[bytes.length - 5] ?? 0) ^ 1;
  flipped.replaceContent(table, damaged);
  assert.match(refusal(flipped).message, table);
  disk.remove(table);
  assert.match(refusal(disk).message, table);
});

test('a table that the manifest cannot know means an old copy of the manifest', () => {
  const { disk, table } = withTable();
  const strange = `${RIG_DIR}/table-999999.sst`;
  disk.open(strange, 'create').close();
  disk.replaceContent(strange, disk.contentOf(table));
  const error = refusal(disk);
  assert.instance(error, CorruptionError);
  assert.match(error.message, /newer than the manifest.*old copy.*table-999999/);
});

test('what no state names is swept, and only that', () => {
  const { disk } = withTable();
  const before = disk.list(RIG_DIR);
  const orphans = [
    'table-000000.sst',
    'table-000003.sst.tmp',
    'CURRENT.tmp',
    'manifest-000000.log',
  ];
  for (const name of orphans) disk.open(`${RIG_DIR}/${name}`, 'create').close();
  disk.open(`${RIG_DIR}/notes.txt`, 'create').close();
  new EngineRig(disk, 5).engine.close();
  const after = disk.list(RIG_DIR);
  for (const name of orphans) assert.not(after.includes(name), name);
  assert.ok(after.includes('notes.txt'), 'foreign files stay');
  for (const name of before.filter((n) => n.endsWith('.sst'))) assert.ok(after.includes(name));
});

test('a frame that says another number of entries than it holds is refused', () => {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 1);
  const group = rig.engine.openGroup();
  assert.ok(group !== undefined);
  const run = Uint8Array.of(0, 0xc4, 1, 0x61, 0xc0);
  group.stage(0, 1, run, 0, run.length);
  group.count = 2;
  rig.engine.commit(group);
  disk.processCrash();
  assert.match(refusal(disk).message, /at sequence 1 says 2 entries and holds 1/);
});

test('another store or shard is refused', () => {
  const { disk } = withTable();
  const otherStore = smallOptions({ storeUuid: 'ff'.repeat(16) });
  assert.match(refusal(disk.clone(), otherStore).message, /belongs to another store/);
  assert.match(refusal(disk.clone(), smallOptions({ shard: 1 })).message, /another store or shard/);
});

test('an opening that fails leaves the shard as it was for the next', () => {
  const { disk } = withTable();
  const count = new EngineRig(disk.clone(), 7).engine.report.lastSequence;
  for (const kind of ['open', 'read', 'write', 'sync', 'syncDir', 'rename', 'list'] as const) {
    for (let nth = 1; nth <= 12; nth++) {
      const copy = disk.clone();
      copy.fail({ kind, code: 'EIO', nth });
      try {
        new EngineRig(copy, nth);
      } catch (error) {
        assert.match(`${error} ${(error as Error).cause}`, /EIO/, `${kind} ${nth}`);
      }
      copy.processCrash();
      assertAllThere(copy, count);
      copy.crash(nth, 'synced-only');
      assertAllThere(copy, count);
    }
  }
});

run();
