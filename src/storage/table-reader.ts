/**
 * Reads a finished table (docs/formats/table.md): point lookups and cursors. Belongs to the thread
 * that opened it.
 *
 * Invariants: nothing unverified is ever used. Footer, properties, index and filter are verified
 * when the table is opened; a block each time its bytes come from a read or are decompressed (that
 * is, when it comes into the cache), and raw in mapped memory at the first touch or always, as
 * asked. Damage is a CorruptionError, never "not found".
 */
import { CorruptionError } from '../base/errors.js';
import type { TableMeta } from '../base/table-meta.js';
import type { BlockCache, CachedTable } from './block-cache.js';
import { decompressBlock } from './block-codec.js';
import { BlockSearch } from './block-search.js';
import { type BlockSource, BlockWindow, MemorySource, ReadSource } from './block-source.js';
import { BloomFilter } from './bloom-filter.js';
import { tableFileName } from './file-names.js';
import type { FileSystem } from './file-system.js';
import { KeyRange } from './key-range.js';
import type { LookupResult } from './lookup.js';
import type { LookupKey } from './lookup-key.js';
import { TableCursor } from './table-cursor.js';
import {
  CODEC_RAW,
  checkRawSection,
  checkSection,
  FOOTER_BYTES,
  readFooter,
  TRAILER_BYTES,
} from './table-format.js';
import { TableIndex } from './table-index.js';
import { differenceFrom, readProperties } from './table-properties.js';
import { TableReverseCursor } from './table-reverse-cursor.js';

export interface TableReaderOptions {
  /** `mmap` falls back to `pread` where the file cannot be mapped. */
  mode: 'mmap' | 'pread';
  /** How often a block in mapped memory is verified; bytes from a read always are. */
  verify: 'first-touch' | 'always';
  /** Keeps blocks that were read or decompressed; without one, each use reads them again. */
  cache?: BlockCache;
}

export class TableReader {
  readonly meta: TableMeta;
  readonly path: string;
  readonly #source: BlockSource;
  /** For this table's cursors. */
  readonly index: TableIndex;
  readonly #filter: BloomFilter | undefined;
  readonly #cached: CachedTable | undefined;
  /** One bit per raw block that needs no further verification; absent when each touch verifies. */
  readonly #verified: Uint8Array | undefined;
  readonly #range: KeyRange;
  /** Of point lookups. */
  readonly #window = new BlockWindow();
  readonly #search: BlockSearch;

  /**
   * Opens the table that `meta` describes in `dir`. Throws CorruptionError when the file is
   * missing, damaged or another one.
   */
  static open(
    fs: FileSystem,
    dir: string,
    meta: TableMeta,
    options: TableReaderOptions,
  ): TableReader {
    const path = `${dir}/${tableFileName(meta.number)}`;
    const source = openSource(fs, path, meta, options.mode);
    try {
      return new TableReader(source, path, meta, options.verify, options.cache);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /** Reads a table from `source`, which it owns from now on; `path` names it in errors. */
  constructor(
    source: BlockSource,
    path: string,
    meta: TableMeta,
    verify: TableReaderOptions['verify'] = 'first-touch',
    cache?: BlockCache,
  ) {
    this.meta = meta;
    this.path = path;
    this.#source = source;
    checkSize(source.sizeBytes, meta, path);
    const footerAt = source.sizeBytes - FOOTER_BYTES;
    const window = new BlockWindow();
    source.load(footerAt, FOOTER_BYTES, window);
    const footer = readFooter(window.bytes, window.start, path, footerAt);
    this.#checkProperties(footer.propertiesOffset, footer.propertiesLength);
    this.index = this.#openIndex(footer.indexOffset, footer.indexLength);
    this.#filter = this.#openFilter(footer.filterOffset, footer.filterLength);
    if (verify === 'first-touch' && source.isResident) {
      this.#verified = new Uint8Array(Math.ceil(this.index.count / 8));
    }
    this.#range = new KeyRange(meta.minKey, meta.maxKey);
    this.#search = new BlockSearch(path);
    this.#cached = cache?.openTable(this.index.count);
  }

  /** Length of the file. */
  get sizeBytes(): number {
    return this.#source.sizeBytes;
  }

  /** True where blocks are seen in mapped memory, false where they are read. */
  get isMapped(): boolean {
    return this.#source.isResident;
  }

  /**
   * Finds the newest version of `key` whose sequence is at most `snapshotSequence`; a tombstone is
   * found too, with kind delete. The value's bytes are valid until the next call of `get`.
   */
  get(key: LookupKey, snapshotSequence: number, into: LookupResult): boolean {
    if (!this.#mayContain(key) || snapshotSequence < this.meta.minSequence) return false;
    const { index } = this;
    const block = index.find(key.bytes, key.start, key.length, snapshotSequence);
    if (block === index.count) return false;
    const window = this.#window;
    const length = this.loadBlock(block, window);
    const { bytes, start } = window;
    const offset = index.blockStart(block);
    return this.#search.find(bytes, start, start + length, offset, key, snapshotSequence, into);
  }

  /** False: the table surely has no version of the key. Touches no block. */
  #mayContain(key: LookupKey): boolean {
    if (!this.#range.has(key.bytes, key.start, key.length)) return false;
    return this.#filter === undefined || this.#filter.mayContain(key.filterHash);
  }

  /**
   * A new cursor, not yet positioned. `readaheadBytes` makes reads that large, for going through
   * many blocks in order, and keeps what it passes out of the cache.
   */
  cursor(readaheadBytes = 0): TableCursor {
    return new TableCursor(this, readaheadBytes);
  }

  /** A new cursor for going backward, not yet positioned. */
  reverseCursor(): TableReverseCursor {
    return new TableReverseCursor(this);
  }

  /**
   * Ends the use. Cursors must not be moved any more; a map is released when the garbage collector
   * finds neither the reader nor one of its cursors referenced.
   */
  close(): void {
    this.#search.release();
    this.#window.release();
    this.#cached?.close();
    this.#source.close();
  }

  /** For this table's cursors: shows the block's raw content in `window`; returns its length. */
  loadBlock(block: number, window: BlockWindow): number {
    return this.#source.isResident
      ? this.#loadResident(block, window)
      : this.#loadRead(block, window);
  }

  #loadResident(block: number, window: BlockWindow): number {
    // Before the map is touched: what was decompressed needs nothing of it any more.
    const cached = this.#fromCache(block, window);
    if (cached >= 0) return cached;
    const offset = this.index.blockStart(block);
    const length = this.index.blockEnd(block) - offset;
    this.#source.load(offset, length, window);
    const content = length - TRAILER_BYTES;
    const verified = this.#verified;
    if (verified !== undefined && (verified[block >>> 3]! & (1 << (block & 7))) !== 0) {
      return content;
    }
    // Not verified yet: if the codec is damaged, the checksum will say so in either branch.
    if (window.bytes[window.start + content] !== CODEC_RAW) {
      return this.#unpack(block, offset, length, window);
    }
    checkSection(window.bytes, window.start, length, this.path, offset);
    if (verified !== undefined) verified[block >>> 3]! |= 1 << (block & 7);
    return content;
  }

  #loadRead(block: number, window: BlockWindow): number {
    const cached = this.#fromCache(block, window);
    if (cached >= 0) return cached;
    const offset = this.index.blockStart(block);
    const length = this.index.blockEnd(block) - offset;
    this.#source.load(offset, length, window);
    return this.#unpack(block, offset, length, window);
  }

  /** The content's length, or −1 where the cache does not have the block. */
  #fromCache(block: number, window: BlockWindow): number {
    const content = this.#cached?.get(block);
    if (content === undefined) return -1;
    window.bytes = content;
    window.start = 0;
    return content.length;
  }

  /** Verifies the loaded section, decompresses it if need be, and offers it to the cache. */
  #unpack(block: number, offset: number, length: number, window: BlockWindow): number {
    this.#cached?.noteMiss();
    const { bytes, start } = window;
    const codec = checkSection(bytes, start, length, this.path, offset);
    const end = start + length - TRAILER_BYTES;
    const keep = this.#cached !== undefined && window.readaheadBytes === 0;
    if (codec === CODEC_RAW && !keep) return end - start;
    const content =
      codec === CODEC_RAW
        ? bytes.slice(start, end)
        : decompressBlock(codec, bytes.subarray(start, end), this.path, offset);
    if (keep) this.#cached.put(block, content);
    window.bytes = content;
    window.start = 0;
    return content.length;
  }

  #checkProperties(offset: number, length: number): void {
    const { bytes, start } = this.#loadSection(offset, length);
    const content = length - TRAILER_BYTES;
    const properties = readProperties(bytes, start, content, this.path, offset);
    const difference = differenceFrom(properties, this.meta);
    if (difference === undefined) return;
    throw new CorruptionError(`Not the table that the manifest means: ${difference}`, {
      file: this.path,
      offset,
    });
  }

  #openIndex(offset: number, length: number): TableIndex {
    const { bytes, start } = this.#loadSection(offset, length);
    return new TableIndex(bytes, start, length - TRAILER_BYTES, offset, this.path, offset);
  }

  #openFilter(offset: number, length: number): BloomFilter | undefined {
    if (length === 0) return undefined;
    const { bytes, start } = this.#loadSection(offset, length);
    return new BloomFilter(bytes, start, length - TRAILER_BYTES, this.path, offset);
  }

  /** A window of its own: index and filter stay in use for as long as the reader lives. */
  #loadSection(offset: number, length: number): BlockWindow {
    const window = new BlockWindow();
    this.#source.load(offset, length, window);
    checkRawSection(window.bytes, window.start, length, this.path, offset);
    return window;
  }
}

function openSource(
  fs: FileSystem,
  path: string,
  meta: TableMeta,
  mode: TableReaderOptions['mode'],
): BlockSource {
  if (fs.stat(path) === undefined) {
    throw new CorruptionError('A table that the manifest names is missing', {
      file: path,
      offset: 0,
    });
  }
  const handle = fs.open(path, 'read');
  let owned = false;
  try {
    // Before mapping: a page behind the end of the file would kill the process when touched.
    checkSize(handle.sizeBytes(), meta, path);
    const map = mode === 'mmap' ? handle.map() : undefined;
    if (map !== undefined) return new MemorySource(map, path);
    owned = true;
    return new ReadSource(handle);
  } finally {
    if (!owned) handle.close();
  }
}

function checkSize(found: number, meta: TableMeta, file: string): void {
  if (found === meta.sizeBytes && found >= FOOTER_BYTES) return;
  throw new CorruptionError(`The table has ${found} bytes and should have ${meta.sizeBytes}`, {
    file,
    offset: Math.min(found, meta.sizeBytes),
  });
}
