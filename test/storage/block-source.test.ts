import { truncateSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import {
  type BlockSource,
  BlockWindow,
  MemorySource,
  ReadSource,
} from '../../src/storage/block-source.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('BlockSource');

const CONTENT = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 7) % 251);

function loaded(source: BlockSource, window: BlockWindow, offset: number, length: number) {
  source.load(offset, length, window);
  return window.bytes.slice(window.start, window.start + length);
}

const isDamage = (error: unknown) => error instanceof CorruptionError;

test('shows the same bytes whatever the source and the readahead', () =>
  withTempDir((dir) => {
    writeFileSync(`${dir}/f`, CONTENT);
    const sources = [
      new MemorySource(CONTENT, 'f'),
      new ReadSource(nodeFileSystem.open(`${dir}/f`, 'read')),
    ];
    for (const source of sources) {
      assert.is(source.sizeBytes, CONTENT.length);
      for (const readahead of [0, 100, 5000, 1_000_000]) {
        const window = new BlockWindow(readahead);
        for (let offset = 0; offset < CONTENT.length; offset += 900) {
          for (const length of [0, 1, 99, 700]) {
            const expected = CONTENT.slice(offset, offset + length);
            assert.equal(loaded(source, window, offset, expected.length), expected);
          }
        }
        assert.equal(loaded(source, window, 5, 50), CONTENT.slice(5, 55));
      }
      assert.throws(() => loaded(source, new BlockWindow(), 9_999, 2), isDamage);
      assert.throws(() => loaded(source, new BlockWindow(), -1, 2), isDamage);
      source.close();
      assert.throws(() => loaded(source, new BlockWindow(), 0, 1), /closed/);
    }
  }));

test('reads large pieces when going through in order', () =>
  withTempDir((dir) => {
    writeFileSync(`${dir}/f`, CONTENT);
    const handle = nodeFileSystem.open(`${dir}/f`, 'read');
    let reads = 0;
    const readAt = handle.readAt.bind(handle);
    handle.readAt = (...args) => {
      reads++;
      return readAt(...args);
    };
    const source = new ReadSource(handle);
    const window = new BlockWindow(4000);
    for (let offset = 0; offset < 10_000; offset += 100) loaded(source, window, offset, 100);
    assert.is(reads, 3);
    source.close();
  }));

test('reports a file that became shorter as damage', () =>
  withTempDir((dir) => {
    writeFileSync(`${dir}/f`, CONTENT);
    const source = new ReadSource(nodeFileSystem.open(`${dir}/f`, 'read'));
    truncateSync(`${dir}/f`, 5000);
    const window = new BlockWindow(8000);
    assert.equal(loaded(source, window, 0, 100), CONTENT.slice(0, 100));
    assert.throws(() => loaded(source, window, 4990, 100), isDamage);
    assert.equal(loaded(source, window, 100, 100), CONTENT.slice(100, 200));
    source.close();
  }));

run();
