import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { BlockCache } from '../../src/storage/block-cache.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { TableReader } from '../../src/storage/table-reader.js';
import { allOf, bytesOf, put } from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { COMPRESSIONS, writeTable } from '../harness/table-cases.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('BlockCache');

test('never holds more than its budget, nor anything that was not put', () => {
  const step = fc.record({
    table: fc.nat(2),
    block: fc.nat(20),
    what: fc.constantFrom('get', 'put', 'put', 'close'),
    length: fc.nat(2000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(20_000), (steps, bytesMax) => {
      const cache = new BlockCache(bytesMax);
      const tables = [cache.openTable(21), cache.openTable(21), cache.openTable(21)];
      const known = new Map<string, Uint8Array>();
      let gets = 0;
      for (const { table, block, what, length } of steps) {
        const cached = tables[table];
        const name = `${table}/${block}`;
        if (what === 'get') {
          gets++;
          const content = cached?.get(block);
          if (content === undefined) cached?.noteMiss();
          else assert.is(content, known.get(name));
        } else if (what === 'put') {
          const content = new Uint8Array(length);
          // A second block of the number would be the same one.
          if (cached?.get(block) === undefined) known.set(name, content);
          else gets++;
          cached?.put(block, content);
        } else {
          cached?.close();
          for (const key of known.keys()) if (key.startsWith(`${table}/`)) known.delete(key);
        }
        assert.ok(cache.stats.bytes <= bytesMax, `${cache.stats.bytes} of ${bytesMax}`);
      }
      assert.is(cache.stats.hits + cache.stats.misses, gets);
      for (const table of tables) table.close();
      assert.is(cache.stats.bytes, 0);
      assert.is(cache.stats.blocks, 0);
    }),
  );
});

test('keeps what is used again before what was used once', () => {
  const cache = new BlockCache(10 * 1160);
  const table = cache.openTable(40);
  for (let block = 0; block < 10; block++) table.put(block, new Uint8Array(1000));
  for (let i = 10; i < 40; i++) {
    assert.ok(table.get(3), 'block 3 stays');
    table.put(i, new Uint8Array(1000));
  }
  assert.is(cache.stats.blocks, 10);
  assert.is(cache.stats.evictions, 30);
});

test('serves tables that were read or compressed, and lets go of what is closed', () =>
  withTempDir((dir) => {
    const entries = Array.from({ length: 400 }, (_, i) =>
      put(`key-${1000 + i}`, i + 1, `value ${'x'.repeat(20)} ${i}`),
    );
    COMPRESSIONS.forEach((compression, i) => {
      const table = {
        blockBytes: 256,
        tableBytesMax: 1e6,
        bloomBitsPerKey: 10,
        restartInterval: 4,
      };
      const meta = writeTable(nodeFileSystem, dir, i + 1, entries, { ...table, compression });
      for (const mode of ['mmap', 'pread'] as const) {
        const cache = new BlockCache(8000);
        const options = { mode, verify: 'first-touch', cache } as const;
        const reader = TableReader.open(nodeFileSystem, dir, meta, options);
        const isNeeded = !reader.isMapped || (compression !== 'none' && reader.index.count > 0);
        for (let round = 0; round < 2; round++) {
          assert.equal(allOf(reader.cursor()), entries);
          assert.ok(cache.stats.bytes <= 8000);
        }
        const { blocks } = cache.stats;
        allOf(reader.cursor(64 * 1024));
        assert.is(cache.stats.blocks, blocks, 'reading ahead does not fill the cache');
        const before = cache.stats.hits;
        const cursor = reader.cursor();
        for (let j = 0; j < 5; j++) cursor.seek(bytesOf('key-1200'));
        const isCompressed = compression === 'deflate' || compression === 'lz4';
        if (mode === 'pread' || isCompressed) assert.ok(cache.stats.hits >= before + 4);
        if (!isNeeded) assert.is(cache.stats.blocks, 0);
        reader.close();
        assert.is(cache.stats.bytes, 0);
      }
    });
  }));

run();
