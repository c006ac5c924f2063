import * as assert from 'uvu/assert';
import { WatchedFolder } from '../../src/storage/watched-folder.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';
import { fileSystemSuite } from '../harness/suites/file-system-suite.js';

const { test, run } = suite('WatchedFolder');

fileSystemSuite({
  name: 'a watched one',
  use: (body) => {
    const disk = new SimulatedDisk();
    disk.makeDir('/d');
    body(new WatchedFolder(disk, '/d', () => {}), '/d');
  },
});

test('tells of failed syncs of its folder alone, and lets the error through', () => {
  const disk = new SimulatedDisk();
  disk.makeDir('/shard');
  disk.makeDir('/backup');
  let failures = 0;
  const watched = new WatchedFolder(disk, '/shard', () => failures++);
  watched.syncDir('/shard');
  for (const dir of ['/backup', '/shard']) {
    disk.fail({ kind: 'syncDir', code: 'EIO' });
    assert.throws(() => watched.syncDir(dir), /EIO/);
  }
  assert.is(failures, 1);
});

run();
