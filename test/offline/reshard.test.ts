/** Reshards on a simulated disk: content, versions, and a power loss or a kill at every moment. */
import * as assert from 'uvu/assert';
import { type ReshardOptions, reshard } from '../../src/offline/reshard.js';
import { storedEntries } from '../../src/offline/stored-entries.js';
import { finishReshard, RESHARD_DIR } from '../../src/storage/reshard-switch.js';
import { createRoot, readRoot } from '../../src/storage/root-manifest.js';
import { check, filesOf } from '../harness/check-rig.js';
import { EngineRig, smallOptions } from '../harness/engine-rig.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { SimulatedCrash } from '../harness/simulated-operations.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('reshard');
/** The long run: RESHARD_MOMENTS=100000 takes every moment. */
const MOMENTS = Number(process.env['RESHARD_MOMENTS'] ?? 60);
const DIR = '/data';

function optionsFor(shardCount: number, change: Partial<ReshardOptions> = {}): ReshardOptions {
  return {
    shardCount,
    table: smallOptions().table,
    walSegmentBytes: 16 * 1024,
    random: new SeededRandom(3),
    nowMs: 1,
    progress: () => {},
    ...change,
  };
}

/** Two shards with tables, deletes, and writes that are in the log only. */
function storeOnDisk(writes = 150): SimulatedDisk {
  const disk = new SimulatedDisk();
  const { storeUuid } = createRoot(disk, DIR, { shardCount: 2, random: new SeededRandom(7) });
  for (let shard = 0; shard < 2; shard++) {
    const options = smallOptions({ storeUuid, shard, dir: `${DIR}/shard-00${shard}` });
    const rig = new EngineRig(disk, shard + 1, options);
    const random = new SeededRandom(shard);
    for (let i = 0; i < writes * (shard + 1); i++) {
      const key = `s${shard}k${random.nextInt(90)}`;
      const value = random.chance(0.2) ? undefined : `value ${i} `.repeat(8);
      while (rig.write([[{ key, value }]]) === undefined) rig.settle();
      rig.engine.maintain();
      if (rig.jobs.count > 0) rig.jobs.runOne();
    }
    rig.settle();
    rig.write([[{ key: `late${shard}`, value: 'in the log' }]]);
    rig.engine.close();
  }
  disk.syncAll();
  return disk;
}

/** Key → version and value; throws where anything is damaged. */
function contentOf(disk: SimulatedDisk): Map<string, string> {
  const found = new Map<string, string>();
  for (const e of storedEntries(disk, DIR, { prefix: Buffer.alloc(0), nowMs: 1 })) {
    const key = Buffer.from(e.keyBytes.subarray(e.keyStart, e.keyStart + e.keyLength));
    const value = e.valueBytes.subarray(e.valueStart, e.valueStart + e.valueLength);
    found.set(key.toString(), `${e.sequence} ${Buffer.from(value).toString()}`);
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

test('keeps keys, values and versions, and goes on above every one of them', () => {
  const disk = storeOnDisk();
  const before = contentOf(disk);
  const digests = new Set<string>();
  let lastSequence = 0;
  for (const [i, shardCount] of [5, 1, 3].entries()) {
    const result = reshard(disk, DIR, optionsFor(shardCount));
    assert.equal([result.toShards, result.entries], [shardCount, before.size]);
    digests.add(result.digest);
    lastSequence = result.lastSequence;
    const root = readRoot(disk, DIR);
    assert.equal([root?.shardCount, root?.slotMapEpoch], [shardCount, i + 2]);
    assert.equal(contentOf(disk), before);
    assert.equal(check(disk).findings, []);
    const folders = Array.from({ length: shardCount }, (_, id) => `shard-00${id}`);
    assert.equal(disk.list(DIR), ['ROOT', ...folders]);
  }
  assert.is(digests.size, 1, 'the same content has the same digest');
  const dir = `${DIR}/shard-001`;
  const storeUuid = readRoot(disk, DIR)?.storeUuid ?? '';
  const rig = new EngineRig(disk, 9, smallOptions({ storeUuid, shard: 1, dir }));
  const [version] = rig.write([[{ key: 'new', value: 'v' }]]) ?? [];
  const versions = [...before.values()].map((text) => Number(text.split(' ')[0]));
  assert.ok(lastSequence >= Math.max(...versions));
  assert.ok(version !== undefined && version > lastSequence, `version ${version}`);
});

test('an empty store becomes an empty one', () => {
  const disk = new SimulatedDisk();
  createRoot(disk, DIR, { shardCount: 2, random: new SeededRandom(7) });
  assert.is(reshard(disk, DIR, optionsFor(3)).entries, 0);
  assert.is(contentOf(disk).size, 0);
  assert.is(readRoot(disk, DIR)?.shardCount, 3);
});

test('what has expired is left behind', () => {
  const disk = storeOnDisk();
  const before = contentOf(disk).size;
  assert.is(reshard(disk, DIR, optionsFor(3, { nowMs: 2 ** 50 })).entries, before);
});

test('a crash at any moment leaves the old store or the new one, whole', () => {
  const whole = storeOnDisk(40);
  const before = contentOf(whole);
  const rehearsal = whole.clone();
  reshard(rehearsal, DIR, optionsFor(3));
  const changes = rehearsal.changeCount;
  const stride = Math.max(1, Math.floor(changes / MOMENTS));
  const counts: Record<number, number> = { 2: 0, 3: 0 };
  for (let moment = 1; moment <= changes; moment += changes - moment < 60 ? 1 : stride) {
    for (const power of [false, true]) {
      const disk = whole.clone();
      disk.crashBeforeChange(moment);
      try {
        reshard(disk, DIR, optionsFor(3));
      } catch (error) {
        if (!(error instanceof SimulatedCrash)) throw error;
      }
      if (power) disk.crash(moment);
      else disk.processCrash();
      // A second crash, in the middle of what completes or clears away.
      disk.crashBeforeChange(1 + (moment % 7));
      try {
        finishReshard(disk, DIR);
      } catch (error) {
        if (!(error instanceof SimulatedCrash)) throw error;
      }
      if (power) disk.crash(moment + 1);
      else disk.processCrash();
      finishReshard(disk, DIR);
      const shardCount = readRoot(disk, DIR)?.shardCount ?? 0;
      counts[shardCount]!++;
      assert.equal(contentOf(disk), before, `moment ${moment} of ${changes}, power ${power}`);
      assert.is(disk.list(DIR).includes(RESHARD_DIR), false);
      const folders = disk.list(DIR).filter((name) => name.startsWith('shard-'));
      assert.is(folders.length, shardCount);
      assert.equal(check(disk).damage, []);
    }
  }
  console.log(`RIG reshard-crash ${JSON.stringify({ changes, old: counts[2], new: counts[3] })}`);
  assert.ok(counts[2]! > 0 && counts[3]! > 0, JSON.stringify(counts));
}, 3_600_000);

test('damage in the old store stops it before the switch', () => {
  const disk = storeOnDisk();
  const [table] = filesOf(disk, /^table/, `${DIR}/shard-001`);
  const handle = disk.open(table ?? '', 'update');
  handle.writeAt(Uint8Array.of(1, 2, 3), 0, 3, 20);
  handle.close();
  assert.throws(() => reshard(disk, DIR, optionsFor(3)), /table/);
  assert.is(readRoot(disk, DIR)?.shardCount, 2);
  finishReshard(disk, DIR);
  assert.is(disk.list(DIR).includes(RESHARD_DIR), false);
});

test('what the new shards do not hold as it was written is not switched to', () => {
  const disk = storeOnDisk();
  const before = contentOf(disk);
  let spoiled = 0;
  disk.beforeOperation = ({ kind, path }) => {
    // Once the last manifest of the new shards is there, one of them loses its table.
    if (kind !== 'rename' || !path.includes(`${RESHARD_DIR}/shard-002/CURRENT`)) return;
    disk.beforeOperation = undefined;
    const [table] = filesOf(disk, /^table/, `${DIR}/${RESHARD_DIR}/shard-000`);
    disk.remove(table ?? '');
    spoiled++;
  };
  assert.throws(() => reshard(disk, DIR, optionsFor(3)), /table/);
  assert.is(spoiled, 1);
  finishReshard(disk, DIR);
  assert.equal(contentOf(disk), before);
});

test('a number of shards that cannot be, and too little room, are refused', () => {
  const disk = storeOnDisk();
  for (const shardCount of [0, 1.5, 257]) {
    assert.throws(() => reshard(disk, DIR, optionsFor(shardCount)), /number of shards/);
  }
  disk.quotaBytes = 1;
  assert.throws(() => reshard(disk, DIR, optionsFor(3)), /make room|ENOSPC/);
});

run();
