import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { BlockBuilder } from '../../src/storage/block-builder.js';
import type { BlockWindow } from '../../src/storage/block-source.js';
import { KIND_PUT } from '../../src/storage/entry-cursor.js';
import { type TableBlocks, TableCursor } from '../../src/storage/table-cursor.js';
import { TRAILER_BYTES } from '../../src/storage/table-format.js';
import { IndexBuilder, TableIndex } from '../../src/storage/table-index.js';
import { allOf, bytesOf, entryAt, put, type TestEntry } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('TableCursor');

/** One block per list; the index may claim other last keys than the blocks have. */
function tableOf(blocks: readonly TestEntry[][], lastKeys?: readonly string[]) {
  const builder = new BlockBuilder(16, 2);
  const builtIndex = new IndexBuilder();
  const loads: number[] = [];
  blocks.forEach((entries, i) => {
    for (const { key, sequence, value } of entries) {
      const keyBytes = bytesOf(key);
      const bytes = bytesOf(value);
      builder.add(keyBytes, 0, keyBytes.length, sequence, KIND_PUT, 0, bytes, 0, bytes.length);
    }
    builder.finishBlock(0);
    const last = bytesOf(lastKeys?.[i] ?? entries.at(-1)?.key ?? '');
    builtIndex.add(builder.length, last, last.length, entries.at(-1)?.sequence ?? 0);
  });
  const indexBytes = new Uint8Array(builtIndex.lengthBytes);
  const length = builtIndex.write(indexBytes, 0);
  const index = new TableIndex(indexBytes, 0, length, builder.length, 'f', 0);
  const table: TableBlocks = {
    path: 'f',
    index,
    loadBlock(block: number, window: BlockWindow) {
      loads.push(block);
      window.bytes = builder.bytes;
      window.start = index.blockStart(block);
      return index.blockEnd(block) - window.start - TRAILER_BYTES;
    },
  };
  return { table, loads };
}

const BLOCKS = [[put('a', 1, 'x'), put('b', 9)], [put('b', 4)], [put('c', 2), put('d', 1)]];

test('goes from block to block and loads each only when it gets there', () => {
  const { table, loads } = tableOf(BLOCKS);
  const cursor = new TableCursor(table, 0);
  assert.equal(allOf(cursor), BLOCKS.flat());
  assert.equal(loads, [0, 1, 2]);
  cursor.seekVersion(bytesOf('b'), 5);
  assert.equal(entryAt(cursor), put('b', 4));
  cursor.seek(bytesOf('e'));
  assert.is(cursor.valid, false);
  assert.equal(loads, [0, 1, 2, 1]);
  cursor.release();
  assert.is(cursor.valid, false);
});

test('refuses an index whose block does not reach its last key', () => {
  const { table } = tableOf(BLOCKS, ['b', 'b', 'x']);
  const cursor = new TableCursor(table, 0);
  assert.throws(
    () => cursor.seek(bytesOf('w')),
    (error: unknown) => error instanceof CorruptionError && error.site.file === 'f',
  );
});

run();
