/**
 * Goes through a table's keys in descending order (see ReverseCursor). A block is taken apart when
 * the cursor enters it from behind; whether a newer version lies in the block before is told by the
 * index, so no block is loaded in vain.
 */
import { BlockColumns } from './block-columns.js';
import { BlockReader } from './block-reader.js';
import { BlockWindow } from './block-source.js';
import { type EntryKind, KIND_PUT, type ReverseCursor } from './entry-cursor.js';
import type { TableBlocks } from './table-cursor.js';

export class TableReverseCursor implements ReverseCursor {
  valid = false;
  keyBytes: Uint8Array = EMPTY;
  keyStart = 0;
  keyLength = 0;
  sequence = 0;
  kind: EntryKind = KIND_PUT;
  expiresAtMs = 0;
  valueBytes: Uint8Array = EMPTY;
  valueStart = 0;
  valueLength = 0;
  readonly #table: TableBlocks;
  readonly #window: BlockWindow;
  readonly #reader: BlockReader;
  readonly #columns = new BlockColumns();
  #snapshot = 0;
  #block = 0;
  /** The entry of the block that is shown. */
  #at = 0;

  /** Made by `TableReader.reverseCursor`. */
  constructor(table: TableBlocks) {
    this.#table = table;
    this.#window = new BlockWindow();
    this.#reader = new BlockReader(table.path);
  }

  seekToLast(snapshot: number): void {
    this.#snapshot = snapshot;
    this.#load(this.#table.index.count - 1, undefined);
    this.#showVisible(this.#columns.count - 1);
  }

  seekBefore(key: Uint8Array, snapshot: number): void {
    this.#snapshot = snapshot;
    const { index } = this.#table;
    const block = index.find(key, 0, key.length, Number.MAX_SAFE_INTEGER);
    this.#load(Math.min(block, index.count - 1), key);
    this.#showVisible(this.#columns.count - 1);
  }

  previous(): void {
    // Newer versions of the present key stand before it; all of them are beyond the snapshot.
    this.#showVisible(this.#at - 1);
  }

  /** Lets go of the memory that the current entry is in. */
  release(): void {
    this.valid = false;
    this.keyBytes = this.valueBytes = EMPTY;
    this.#columns.release();
    this.#reader.closeBlock();
    this.#window.release();
  }

  /** Shows the last key at or before entry `from` of the block that has a visible version. */
  #showVisible(from: number): void {
    this.valid = false;
    const columns = this.#columns;
    let at = from;
    for (;;) {
      // Backward, the versions of a key become newer: the oldest one decides if any is visible.
      while (at >= 0 && columns.sequence(at) > this.#snapshot) at--;
      if (at >= 0) {
        while (at > 0 && this.#isNewerVisible(at)) at--;
        if (at > 0 || !this.#goesOnBefore()) break;
      }
      if (this.#block === 0) return;
      this.#load(this.#block - 1, undefined);
      at = columns.count - 1;
    }
    this.#at = at;
    columns.show(at, this);
  }

  #isNewerVisible(at: number): boolean {
    const columns = this.#columns;
    return columns.sequence(at - 1) <= this.#snapshot && columns.haveSameKey(at - 1, at);
  }

  /** True when the block before ends with a visible version of the first key of this one. */
  #goesOnBefore(): boolean {
    const block = this.#block - 1;
    if (block < 0) return false;
    const { index } = this.#table;
    if (index.lastSequence(block) > this.#snapshot) return false;
    return index.endsWithKey(block, this.#columns.keyBytes, 0, this.#columns.keyEnd(0));
  }

  #load(block: number, bound: Uint8Array | undefined): void {
    this.valid = false;
    const window = this.#window;
    const length = this.#table.loadBlock(block, window);
    this.#block = block;
    const offset = this.#table.index.blockStart(block);
    this.#reader.openBlock(window.bytes, window.start, window.start + length, offset);
    this.#columns.fill(this.#reader, bound);
  }
}

const EMPTY = new Uint8Array(0);
