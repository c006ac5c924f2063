import * as assert from 'uvu/assert';
import { NewestEntries } from '../../src/offline/newest-entries.js';
import { rootOf } from '../../src/offline/stored-entries.js';
import { openWholeStore } from '../../src/offline/whole-store.js';
import { dataDirOnDisk } from '../harness/check-rig.js';
import { RIG_DIR, smallOptions } from '../harness/engine-rig.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('openWholeStore');

test('shows every entry of tables and log, as many as it says', () => {
  const disk = dataDirOnDisk();
  disk.makeDir('/temporary');
  const store = openWholeStore(disk, {
    storeUuid: rootOf(disk, '/data').storeUuid,
    dirs: [RIG_DIR],
    temporaryDir: '/temporary',
    table: smallOptions().table,
  });
  store.cursor.seekToFirst();
  const newest = new NewestEntries(store.cursor, 0);
  let count = 0;
  while (newest.next()) count++;
  store.close();
  assert.is(newest.seen, store.entryCount);
  assert.ok(count > 100 && count < store.entryCount);
  assert.equal(disk.list('/temporary'), []);
});

run();
