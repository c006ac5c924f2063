import * as assert from 'uvu/assert';
import { createZeroFile } from '../../src/storage/zero-file.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('createZeroFile');
const PATH = '/zeros';

test('makes a file of zeros whose blocks exist and survive a power loss', () => {
  for (const sizeBytes of [0, 4096, 1 << 20, (1 << 20) + 512]) {
    const disk = new SimulatedDisk();
    createZeroFile(disk, PATH, sizeBytes);
    assert.is(disk.usedBytes, Math.ceil(sizeBytes / 4096) * 4096);
    disk.syncDir('/');
    disk.crash(1, 'synced-only');
    assert.equal(disk.contentOf(PATH), new Uint8Array(sizeBytes));
  }
});

test('leaves nothing behind on a full disk', () => {
  const disk = new SimulatedDisk({ quotaBytes: 64 * 1024 });
  assert.throws(() => createZeroFile(disk, PATH, 128 * 1024), /ENOSPC/);
  assert.is(disk.stat(PATH), undefined);
  assert.is(disk.usedBytes, 0);
});

test('leaves nothing behind when the sync fails, and tells of the sync', () => {
  const disk = new SimulatedDisk();
  disk.fail({ kind: 'sync', code: 'EIO' });
  disk.fail({ kind: 'remove', code: 'EROFS' });
  assert.throws(() => createZeroFile(disk, PATH, 4096), /EIO/);
  createZeroFile(disk, `${PATH}-2`, 4096);
  disk.fail({ kind: 'sync', code: 'EIO' });
  assert.throws(() => createZeroFile(disk, `${PATH}-3`, 4096), /EIO/);
  assert.equal(disk.list('/'), ['zeros', 'zeros-2']);
});

test('never writes over a file', () => {
  const disk = new SimulatedDisk();
  disk.open(PATH, 'create').close();
  assert.throws(() => createZeroFile(disk, PATH, 4096), /EEXIST/);
  assert.is(disk.stat(PATH)?.sizeBytes, 0);
});

run();
