/**
 * What every implementation of the file system port must do; run on the real disk and on the
 * simulated one, so that what the simulator proves means something.
 */
import * as assert from 'uvu/assert';
import { systemCodeOf } from '../../../src/base/errors.js';
import type { FileSystem } from '../../../src/storage/file-system.js';
import { SeededRandom } from '../seeded-random.js';
import { suite } from '../suite.js';

export interface FileSystemSubject {
  name: string;
  /** Calls `body` with a file system and an empty directory on it. */
  use(body: (fs: FileSystem, dir: string) => void): void | Promise<void>;
}

export function fileSystemSuite(subject: FileSystemSubject): void {
  const { test, run } = suite(`FileSystem (${subject.name})`);
  const check = (title: string, body: (fs: FileSystem, dir: string) => void) =>
    test(title, () => subject.use(body));
  nameTests(check);
  spaceTests(check);
  contentTests(check);
  modelTests(check);
  handleTests(check);
  run();
}

type Check = (title: string, body: (fs: FileSystem, dir: string) => void) => void;

function nameTests(check: Check): void {
  check('creates a file once and refuses a second time', (fs, dir) => {
    fs.open(`${dir}/a`, 'create').close();
    throwsCode(() => fs.open(`${dir}/a`, 'create'), 'EEXIST');
    assert.equal(fs.stat(`${dir}/a`), { kind: 'file', sizeBytes: 0 });
  });

  check('refuses to read or update what is not there', (fs, dir) => {
    throwsCode(() => fs.open(`${dir}/none`, 'read'), 'ENOENT');
    throwsCode(() => fs.open(`${dir}/none`, 'update'), 'ENOENT');
    throwsCode(() => fs.open(`${dir}/none/file`, 'create'), 'ENOENT');
    throwsCode(() => fs.remove(`${dir}/none`), 'ENOENT');
    throwsCode(() => fs.list(`${dir}/none`), 'ENOENT');
    throwsCode(() => fs.syncDir(`${dir}/none`), 'ENOENT');
    throwsCode(() => fs.rename(`${dir}/none`, `${dir}/x`), 'ENOENT');
    assert.is(fs.stat(`${dir}/none`), undefined);
    assert.equal(fs.list(dir), []);
  });

  check('makes directories with their parents, again without error', (fs, dir) => {
    fs.makeDir(`${dir}/x/y/z`);
    fs.makeDir(`${dir}/x/y/z`);
    assert.is(fs.stat(`${dir}/x/y/z`)?.kind, 'directory');
    fs.open(`${dir}/file`, 'create').close();
    throwsCode(() => fs.makeDir(`${dir}/file`), 'EEXIST');
    throwsCode(() => fs.open(`${dir}/file/below`, 'create'), 'ENOTDIR');
    throwsCode(() => fs.stat(`${dir}/file/below`), 'ENOTDIR');
  });

  check('lists names in order of code units', (fs, dir) => {
    for (const name of ['b', 'a10', 'B', 'a9', 'ä']) fs.open(`${dir}/${name}`, 'create').close();
    fs.makeDir(`${dir}/d`);
    assert.equal(fs.list(dir), ['B', 'a10', 'a9', 'b', 'd', 'ä']);
  });

  check('renames over an existing file, and links only to a free name', (fs, dir) => {
    put(fs, `${dir}/a`, [1]);
    put(fs, `${dir}/b`, [2]);
    throwsCode(() => fs.link(`${dir}/a`, `${dir}/b`), 'EEXIST');
    fs.rename(`${dir}/a`, `${dir}/b`);
    assert.equal(fs.list(dir), ['b']);
    assert.equal(get(fs, `${dir}/b`), [1]);
    fs.link(`${dir}/b`, `${dir}/c`);
    fs.remove(`${dir}/b`);
    assert.equal(get(fs, `${dir}/c`), [1]);
    fs.rename(`${dir}/c`, `${dir}/c`);
    assert.equal(fs.list(dir), ['c']);
  });

  check('moves a file between directories and syncs both', (fs, dir) => {
    fs.makeDir(`${dir}/x`);
    fs.makeDir(`${dir}/y`);
    put(fs, `${dir}/x/f`, [7]);
    fs.rename(`${dir}/x/f`, `${dir}/y/g`);
    fs.syncDir(`${dir}/x`);
    fs.syncDir(`${dir}/y`);
    assert.equal(fs.list(`${dir}/x`), []);
    assert.equal(get(fs, `${dir}/y/g`), [7]);
  });

  check('refuses to remove a directory as a file', (fs, dir) => {
    fs.makeDir(`${dir}/x`);
    assert.throws(() => fs.remove(`${dir}/x`), hasSomeCode);
    assert.is(fs.stat(`${dir}/x`)?.kind, 'directory');
  });
}

function spaceTests(check: Check): void {
  check('tells free space that fits into the whole', (fs, dir) => {
    const { freeBytes, totalBytes } = fs.space(dir);
    assert.ok(freeBytes > 0 && freeBytes <= totalBytes);
  });
}

function contentTests(check: Check): void {
  check('writes and reads a part of an array at any position', (fs, dir) => {
    const file = fs.open(`${dir}/f`, 'create');
    file.writeAt(Uint8Array.of(9, 1, 2, 3, 9), 1, 3, 5000);
    assert.is(file.sizeBytes(), 5003);
    const target = new Uint8Array(6).fill(0xee);
    assert.is(file.readAt(target, 1, 4, 4999), 4);
    assert.equal([...target], [0xee, 0, 1, 2, 3, 0xee]);
    file.syncData();
    file.close();
  });

  check('reads less at the end of the file and nothing behind it', (fs, dir) => {
    put(fs, `${dir}/f`, [1, 2, 3]);
    const file = fs.open(`${dir}/f`, 'read');
    const target = new Uint8Array(10);
    assert.is(file.readAt(target, 0, 10, 1), 2);
    assert.is(file.readAt(target, 0, 10, 3), 0);
    assert.is(file.readAt(target, 0, 10, 99), 0);
    assert.is(file.readAt(target, 0, 0, 0), 0);
    file.close();
  });

  check('cuts and extends; what was cut never comes back', (fs, dir) => {
    const file = fs.open(`${dir}/f`, 'create');
    file.writeAt(new Uint8Array(9000).fill(5), 0, 9000, 0);
    file.truncate(4500);
    assert.is(file.sizeBytes(), 4500);
    file.truncate(9000);
    const target = new Uint8Array(9000);
    assert.is(file.readAt(target, 0, 9000, 0), 9000);
    assert.ok(target.subarray(0, 4500).every((byte) => byte === 5));
    assert.ok(target.subarray(4500).every((byte) => byte === 0));
    file.close();
  });

  check('takes and fills shared memory', (fs, dir) => {
    const shared = new Uint8Array(new SharedArrayBuffer(64)).fill(3);
    const file = fs.open(`${dir}/f`, 'create');
    file.writeAt(shared, 8, 16, 0);
    shared.fill(0);
    assert.is(file.readAt(shared, 32, 16, 0), 16);
    assert.is(shared.indexOf(3), 32);
    assert.is(shared.lastIndexOf(3), 47);
    file.close();
  });
}

function modelTests(check: Check): void {
  check('holds what a plain array holds after random writes and cuts', (fs, dir) => {
    const random = new SeededRandom(7);
    const file = fs.open(`${dir}/f`, 'create');
    let model = new Uint8Array(0);
    for (let step = 0; step < 200; step++) {
      const position = random.nextInt(20_000);
      if (random.chance(0.1)) {
        file.truncate(position);
        model = resized(model, position);
      } else {
        const bytes = random.fill(new Uint8Array(1 + random.nextInt(9000)));
        file.writeAt(bytes, 0, bytes.length, position);
        model = resized(model, Math.max(model.length, position + bytes.length));
        model.set(bytes, position);
      }
      if (random.chance(0.2)) file.syncData();
    }
    const found = new Uint8Array(model.length);
    assert.is(file.readAt(found, 0, found.length, 0), model.length);
    assert.is(file.sizeBytes(), model.length);
    assert.ok(Buffer.from(found).equals(model));
    file.close();
  });
}

function handleTests(check: Check): void {
  check('refuses to write through a handle for reading', (fs, dir) => {
    put(fs, `${dir}/f`, [1]);
    const file = fs.open(`${dir}/f`, 'read');
    assert.throws(() => file.writeAt(Uint8Array.of(2), 0, 1, 0), hasSomeCode);
    assert.throws(() => file.truncate(0), hasSomeCode);
    file.close();
    assert.equal(get(fs, `${dir}/f`), [1]);
  });

  check('refuses a closed handle and closes twice without harm', (fs, dir) => {
    const file = fs.open(`${dir}/f`, 'create');
    file.close();
    file.close();
    // Another file may have the descriptor's number by now: it must stay untouched.
    const other = fs.open(`${dir}/other`, 'create');
    assert.throws(() => file.writeAt(Uint8Array.of(1), 0, 1, 0));
    assert.throws(() => file.readAt(new Uint8Array(1), 0, 1, 0));
    assert.throws(() => file.syncData());
    assert.throws(() => file.truncate(4));
    assert.throws(() => file.sizeBytes());
    assert.throws(() => file.map());
    assert.is(other.sizeBytes(), 0);
    other.close();
  });

  check('refuses ranges outside of the array', (fs, dir) => {
    const file = fs.open(`${dir}/f`, 'create');
    assert.throws(() => file.writeAt(new Uint8Array(4), 2, 3, 0));
    assert.throws(() => file.readAt(new Uint8Array(4), 2, 3, 0));
    assert.is(file.sizeBytes(), 0);
    file.close();
  });

  check('keeps a removed file readable through its handle', (fs, dir) => {
    put(fs, `${dir}/f`, [4, 5]);
    const file = fs.open(`${dir}/f`, 'update');
    fs.remove(`${dir}/f`);
    file.writeAt(Uint8Array.of(6), 0, 1, 2);
    const target = new Uint8Array(3);
    assert.is(file.readAt(target, 0, 3, 0), 3);
    assert.equal([...target], [4, 5, 6]);
    throwsCode(() => fs.open(`${dir}/f`, 'read'), 'ENOENT');
    file.close();
  });

  check('shows writes of one handle to another at once', (fs, dir) => {
    const writer = fs.open(`${dir}/f`, 'create');
    const reader = fs.open(`${dir}/f`, 'read');
    writer.writeAt(Uint8Array.of(8), 0, 1, 0);
    const target = new Uint8Array(1);
    assert.is(reader.readAt(target, 0, 1, 0), 1);
    assert.is(target[0], 8);
    writer.close();
    reader.close();
  });

  check('maps a file to its content or not at all', (fs, dir) => {
    put(fs, `${dir}/f`, [1, 2, 3]);
    const file = fs.open(`${dir}/f`, 'read');
    const view = file.map();
    file.close();
    if (view !== undefined) assert.equal([...view], [1, 2, 3]);
    const empty = fs.open(`${dir}/empty`, 'create');
    assert.is(empty.map(), undefined);
    empty.close();
  });
}

function put(fs: FileSystem, path: string, bytes: number[]): void {
  const file = fs.open(path, 'create');
  file.writeAt(Uint8Array.from(bytes), 0, bytes.length, 0);
  file.close();
}

function get(fs: FileSystem, path: string): number[] {
  const file = fs.open(path, 'read');
  const bytes = new Uint8Array(file.sizeBytes());
  file.readAt(bytes, 0, bytes.length, 0);
  file.close();
  return [...bytes];
}

function resized(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(0, length));
  return copy;
}

function hasSomeCode(error: unknown): boolean {
  return systemCodeOf(error) !== undefined;
}

function throwsCode(body: () => unknown, code: string): void {
  try {
    body();
  } catch (error) {
    assert.is(systemCodeOf(error), code);
    return;
  }
  assert.unreachable(`Expected ${code}`);
}
