import * as assert from 'uvu/assert';
import { replaceByFreshCopy } from '../../src/storage/fresh-copy.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { CRASH_MODES } from '../harness/simulated-file.js';
import { SimulatedCrash } from '../harness/simulated-operations.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('fresh copy');
const PATH = '/d/file';
const OLD = new Uint8Array(10_000).fill(1);
const NEW = new Uint8Array(10_000).fill(2);

/** A file that shows NEW, of which the disk has only OLD, and no sync will change that. */
function suspectFile(): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.makeDir('/d');
  const handle = disk.open(PATH, 'create');
  handle.writeAt(OLD, 0, OLD.length, 0);
  handle.syncData();
  disk.syncAll();
  handle.writeAt(NEW, 0, NEW.length, 0);
  disk.fail({ kind: 'sync', code: 'EIO' });
  assert.throws(() => handle.syncData(), /EIO/);
  disk.processCrash();
  return disk;
}

test('is durable, which a second sync of the file itself is not', () => {
  const believed = suspectFile();
  believed.open(PATH, 'update').syncData();
  assert.equal(believed.contentOf(PATH), NEW);
  believed.crash(1, 'synced-only');
  assert.equal(believed.contentOf(PATH), OLD, 'this is what the copy is for');

  const copied = suspectFile();
  replaceByFreshCopy(copied, '/d', 'file');
  copied.crash(1, 'synced-only');
  assert.equal(copied.contentOf(PATH), NEW);
  assert.equal(copied.list('/d'), ['file']);
});

test('a power loss before any step leaves what the disk has, or the copy', () => {
  let crashes = 0;
  for (let step = 1; ; step++) {
    const disk = suspectFile();
    disk.crashBeforeChange(step);
    try {
      replaceByFreshCopy(disk, '/d', 'file');
      break;
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error;
    }
    for (const mode of CRASH_MODES) {
      const copy = disk.clone();
      copy.crash(step, mode);
      const content = copy.contentOf(PATH);
      assert.ok([1, 2].includes(content[0] ?? 0) && content.length === OLD.length);
      replaceByFreshCopy(copy, '/d', 'file');
      assert.equal(copy.list('/d'), ['file'], 'leftovers are no obstacle');
      crashes++;
    }
  }
  assert.ok(crashes >= 5 * CRASH_MODES.length, `${crashes} crashes`);
});

test('a failure of any call is passed on, and the file stays readable', () => {
  for (const kind of ['open', 'read', 'write', 'sync', 'rename', 'syncDir'] as const) {
    const disk = suspectFile();
    disk.fail({ kind, code: 'EIO' });
    assert.throws(() => replaceByFreshCopy(disk, '/d', 'file'), /EIO/);
    assert.equal(disk.contentOf(PATH), NEW);
  }
});

test('a read that ends early is no copy', () => {
  const disk = suspectFile();
  disk.fail({ kind: 'read', code: 'SHORT' });
  replaceByFreshCopy(disk, '/d', 'file');
  assert.equal(disk.contentOf(PATH), NEW, 'a short read goes on');
});

test('copies files of any size on the real disk, also empty ones', () =>
  withTempDir((dir) => {
    for (const size of [0, 1, 3 * 1024 * 1024 + 17]) {
      const name = `file-${size}`;
      const handle = nodeFileSystem.open(`${dir}/${name}`, 'create');
      const bytes = new Uint8Array(size).map((_, i) => i * 31);
      handle.writeAt(bytes, 0, size, 0);
      handle.close();
      replaceByFreshCopy(nodeFileSystem, dir, name);
      const copy = nodeFileSystem.open(`${dir}/${name}`, 'read');
      const found = new Uint8Array(size + 1);
      assert.is(copy.readAt(found, 0, size + 1, 0), size);
      copy.close();
      assert.ok(Buffer.from(found.subarray(0, size)).equals(bytes));
    }
  }));

run();
