/** Goes through a table's entries, forward; several cursors may be in use at once. */
import { CorruptionError } from '../base/errors.js';
import { BlockReader } from './block-reader.js';
import { BlockWindow } from './block-source.js';
import type { EntryCursor } from './entry-cursor.js';
import type { TableIndex } from './table-index.js';

/** What a cursor needs of its table. */
export interface TableBlocks {
  readonly path: string;
  readonly index: TableIndex;
  /** Shows the verified, raw content of a block in `window`; returns its length. */
  loadBlock(block: number, window: BlockWindow): number;
}

export class TableCursor extends BlockReader implements EntryCursor {
  readonly #table: TableBlocks;
  readonly #window: BlockWindow;
  #block = 0;

  /** Made by `TableReader.cursor`. */
  constructor(table: TableBlocks, readaheadBytes: number) {
    super(table.path);
    this.#table = table;
    this.#window = new BlockWindow(readaheadBytes);
  }

  seekToFirst(): void {
    this.#open(0);
    this.toFirst();
  }

  seek(key: Uint8Array): void {
    this.seekVersion(key, Number.MAX_SAFE_INTEGER);
  }

  /**
   * Moves to the newest version of `key` whose sequence is at most `sequence`, or, where there is
   * none, to the first entry of the next greater key.
   */
  seekVersion(key: Uint8Array, sequence: number): void {
    const { index } = this.#table;
    const block = index.find(key, 0, key.length, sequence);
    if (block === index.count) {
      this.valid = false;
      return;
    }
    this.#open(block);
    this.search(key, sequence);
    if (this.valid) return;
    throw new CorruptionError('The table index names a block that ends too early', {
      file: this.#table.path,
      offset: index.blockStart(block),
    });
  }

  next(): void {
    this.nextInBlock();
    if (this.valid || this.#block + 1 >= this.#table.index.count) return;
    this.#open(this.#block + 1);
    this.toFirst();
  }

  /** Lets go of the memory that the current entry is in. */
  release(): void {
    this.closeBlock();
    this.#window.release();
  }

  #open(block: number): void {
    // Should loading throw, no entry of the block before may seem to be current.
    this.valid = false;
    const window = this.#window;
    const length = this.#table.loadBlock(block, window);
    this.#block = block;
    const offset = this.#table.index.blockStart(block);
    this.openBlock(window.bytes, window.start, window.start + length, offset);
  }
}
