import * as assert from 'uvu/assert';
import {
  finishReshard,
  incomingDir,
  RESHARD_DIR,
  switchShards,
} from '../../src/storage/reshard-switch.js';
import { createRoot, openOrCreateRoot, readRoot } from '../../src/storage/root-manifest.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('switchShards');
const random = new SeededRandom(1);

/** Two shards and three that are to replace them, each with a file that names it. */
function prepared(): SimulatedDisk {
  const disk = new SimulatedDisk();
  createRoot(disk, '/data', { shardCount: 2, random });
  for (const dir of ['/data/shard-000', '/data/shard-001']) put(disk, `${dir}/old`);
  for (let shard = 0; shard < 3; shard++) {
    disk.makeDir(incomingDir('/data', shard));
    put(disk, `${incomingDir('/data', shard)}/new-${shard}`);
  }
  return disk;
}

function put(disk: SimulatedDisk, path: string): void {
  disk.open(path, 'create').close();
}

function rootOf(disk: SimulatedDisk) {
  const root = readRoot(disk, '/data');
  if (root === undefined) throw new Error('No root');
  return root;
}

test('the new shards take the place of the old ones, with a slot map of their own', () => {
  const disk = prepared();
  const before = rootOf(disk);
  switchShards(disk, '/data', before, 3);
  const after = rootOf(disk);
  assert.equal([after.shardCount, after.slotMapEpoch], [3, 2]);
  assert.is(after.storeUuid, before.storeUuid);
  assert.equal(disk.list('/data'), ['ROOT', 'shard-000', 'shard-001', 'shard-002']);
  for (let shard = 0; shard < 3; shard++) {
    assert.equal(disk.list(`/data/shard-00${shard}`), [`new-${shard}`]);
  }
  openOrCreateRoot(disk, '/data', { shardCount: undefined, shardCountIfNew: 1, random });
});

test('what was built and never switched to is cleared away; a store without is left alone', () => {
  const disk = prepared();
  finishReshard(disk, '/data');
  assert.equal(disk.list('/data'), ['ROOT', 'shard-000', 'shard-001']);
  const { counts } = disk;
  const before = [counts.rename, counts.remove, counts.syncDir, counts.write];
  finishReshard(disk, '/data');
  finishReshard(disk, '/nowhere');
  assert.equal([counts.rename, counts.remove, counts.syncDir, counts.write], before);
});

test('a data dir that was left behind the switch is refused until it is completed', () => {
  const disk = prepared();
  disk.crashBeforeChange(disk.hasUnsynced ? 9 : 8);
  try {
    switchShards(disk, '/data', rootOf(disk), 3);
  } catch {
    disk.processCrash();
  }
  assert.ok(disk.list('/data').includes(RESHARD_DIR));
  assert.throws(() => readRoot(disk, '/data'), /was interrupted behind its switch/);
  finishReshard(disk, '/data');
  assert.is(rootOf(disk).shardCount, 3);
});

run();
