import * as assert from 'uvu/assert';
import { MemoryFileSystem } from './memory-file-system.js';
import { suite } from './suite.js';

const { test, run } = suite('Files in memory');
const bytes = (text: string) => new TextEncoder().encode(text);

function contentOf(fs: MemoryFileSystem, path: string): string {
  const handle = fs.open(path, 'read');
  const target = new Uint8Array(handle.sizeBytes() + 10);
  const got = handle.readAt(target, 0, target.length, 0);
  return new TextDecoder().decode(target.subarray(0, got));
}

test('keep what is written where it is written', () => {
  const fs = new MemoryFileSystem();
  const handle = fs.open('/d/a', 'create');
  handle.writeAt(bytes('xhellox'), 1, 5, 3);
  assert.is(handle.sizeBytes(), 8);
  assert.is(contentOf(fs, '/d/a'), '\0\0\0hello');
  handle.writeAt(bytes('HE'), 0, 2, 3);
  handle.truncate(5);
  handle.truncate(7);
  assert.is(contentOf(fs, '/d/a'), '\0\0\0HE\0\0', 'what was cut off is zero when it comes back');
  assert.is(handle.readAt(new Uint8Array(1), 0, 1, 99), 0);
  assert.is(handle.map(), undefined);
});

test('have names in folders, which can be changed', () => {
  const fs = new MemoryFileSystem();
  fs.makeDir('/a/b');
  fs.open('/a/b/two', 'create').writeAt(bytes('2'), 0, 1, 0);
  fs.open('/a/b/one', 'create');
  assert.equal(fs.list('/a/b'), ['one', 'two']);
  assert.equal(fs.list('/a'), ['b']);
  fs.rename('/a/b/two', '/a/b/one');
  assert.is(contentOf(fs, '/a/b/one'), '2');
  fs.link('/a/b/one', '/a/three');
  fs.remove('/a/b/one');
  assert.equal(fs.list('/a'), ['b', 'three']);
  assert.equal(fs.stat('/a/three'), { kind: 'file', sizeBytes: 1 });
  assert.equal(fs.stat('/a/b'), { kind: 'directory', sizeBytes: 0 });
  assert.is(fs.stat('/a/b/one'), undefined);
});

test('must be there, or not, as the mode says', () => {
  const fs = new MemoryFileSystem();
  assert.throws(() => fs.open('/x', 'read'), /no file \/x/);
  assert.throws(() => fs.open('/x', 'update'), /no file/);
  assert.throws(() => fs.remove('/x'), /no file/);
  assert.throws(() => fs.rename('/x', '/y'), /no file/);
  fs.open('/x', 'create');
  assert.throws(() => fs.open('/x', 'create'), /already/);
});

run();
