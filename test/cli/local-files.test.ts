import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import {
  isEmptyDir,
  makeTempDir,
  readLocalFile,
  readLocalFileIfAny,
  removeDir,
} from '../../src/cli/local-files.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('Local files');

test('are read whole, or refused with their name', () =>
  withTempDir((dir) => {
    const path = join(dir, 'a');
    writeFileSync(path, Buffer.from([0, 255]));
    assert.equal(readLocalFile(path), Buffer.from([0, 255]));
    assert.equal(readLocalFileIfAny(path), Buffer.from([0, 255]));
    assert.is(readLocalFileIfAny(join(dir, 'b')), undefined);
    assert.throws(() => readLocalFile(join(dir, 'b')), /^Cannot read .*b: ENOENT/);
    // Being there and unreadable is not the same as not being there.
    assert.throws(() => readLocalFileIfAny(dir), /^Cannot read .*: EISDIR/);
  }));

test('an empty folder is made where there is none, for the owner only', () =>
  withTempDir((dir) => {
    const path = join(dir, 'x', 'y');
    assert.ok(isEmptyDir(path));
    assert.is(statSync(path).mode & 0o777, 0o700);
    writeFileSync(join(path, 'z'), '');
    assert.not.ok(isEmptyDir(path));
  }));

test('temporary folders are new each time and can be removed whole', () => {
  const [first, second] = [makeTempDir('stormkv-test-'), makeTempDir('stormkv-test-')];
  assert.is.not(first, second);
  writeFileSync(join(first, 'z'), '');
  removeDir(first);
  removeDir(second);
  removeDir(second);
  assert.not.ok(existsSync(first) || existsSync(second));
});

run();
