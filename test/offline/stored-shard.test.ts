import * as assert from 'uvu/assert';
import { rootOf } from '../../src/offline/stored-entries.js';
import { openStoredShard } from '../../src/offline/stored-shard.js';
import { dataDirOnDisk, filesOf } from '../harness/check-rig.js';
import { RIG_DIR } from '../harness/engine-rig.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('openStoredShard');

test('tells what a shard holds and hands on the frames that are not in tables', () => {
  const disk = dataDirOnDisk();
  const identity = { shard: 0, storeUuid: rootOf(disk, '/data').storeUuid };
  let entries = 0;
  const stored = openStoredShard(disk, RIG_DIR, identity, (frame) => {
    entries += frame.header.count;
  });
  assert.ok(entries >= 12, 'those that stay in the log only');
  assert.ok(stored.lastSequence >= 600 && stored.entryCount > entries);
  assert.ok(stored.ownerEpoch >= 2 && stored.dataBytes > 0 && stored.runs.length > 1);
  for (const run of stored.runs) run.close();
});

test('a log whose newest segment is gone is refused', () => {
  const disk = dataDirOnDisk();
  const identity = { shard: 0, storeUuid: rootOf(disk, '/data').storeUuid };
  for (const path of filesOf(disk, /^wal/)) disk.remove(path);
  assert.throws(() => openStoredShard(disk, RIG_DIR, identity, () => {}), /WAL segment/);
});

run();
