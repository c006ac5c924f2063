import { closeSync, openSync, statSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { openFiles } from '../harness/open-files.js';
import { suite } from '../harness/suite.js';
import { fileSystemSuite } from '../harness/suites/file-system-suite.js';
import { withTempDir } from '../harness/temp-dir.js';

fileSystemSuite({
  name: 'the machine',
  use: (body) => withTempDir((dir) => body(nodeFileSystem, dir)),
});

const { test, run } = suite('nodeFileSystem');

/** Other descriptors of the process are Node's own, and come and go. */
const openUnder = (dir: string) => openFiles().filter((path) => `${path}/`.startsWith(`${dir}/`));

test('keeps files and directories from other users', () =>
  withTempDir((dir) => {
    nodeFileSystem.makeDir(`${dir}/a/b`);
    nodeFileSystem.open(`${dir}/a/b/f`, 'create').close();
    assert.is(statSync(`${dir}/a`).mode & 0o777, 0o700);
    assert.is(statSync(`${dir}/a/b`).mode & 0o777, 0o700);
    assert.is(statSync(`${dir}/a/b/f`).mode & 0o777, 0o600);
  }));

test('leaks no descriptor, not even when a call fails', () =>
  withTempDir((dir) => {
    for (let i = 0; i < 50; i++) {
      nodeFileSystem.syncDir(dir);
      assert.throws(() => nodeFileSystem.open(`${dir}/none`, 'read'));
      assert.throws(() => nodeFileSystem.syncDir(`${dir}/none`));
      const file = nodeFileSystem.open(`${dir}/f${i}`, 'create');
      assert.throws(() => file.writeAt(new Uint8Array(1), 0, 2, 0));
      file.close();
    }
    assert.equal(openUnder(dir), []);
    const kept = openSync(`${dir}/f0`, 'r');
    assert.equal(openUnder(dir), [`${dir}/f0`]);
    closeSync(kept);
  }));

test('does not touch the file that got the number of a closed descriptor', () =>
  withTempDir((dir) => {
    const file = nodeFileSystem.open(`${dir}/f`, 'create');
    file.close();
    const reused = openSync(`${dir}/other`, 'w');
    assert.throws(() => file.truncate(100), /closed/);
    assert.is(statSync(`${dir}/other`).size, 0);
    closeSync(reused);
  }));

test('reports the system error of a file that cannot grow', () =>
  withTempDir((dir) => {
    const file = nodeFileSystem.open(`${dir}/f`, 'create');
    assert.throws(
      () => file.writeAt(new Uint8Array(1), 0, 1, 2 ** 52),
      (error: NodeJS.ErrnoException) => error.code === 'EFBIG',
    );
    file.close();
  }));

run();
