/**
 * Writes one table (docs/formats/table.md) from entries in table order. Belongs to the job that
 * made it. The file bears a temporary name until it is complete and on disk; its directory entry
 * is durable only after the caller's `syncDir`, once for all tables of a job.
 *
 * 1. Entries go into blocks in one buffer (block-builder.ts), which is written when it is full.
 * 2. `finish` adds index, filter, properties and footer, syncs the data and renames the file.
 */
import { crc32 } from 'node:zlib';
import { assert } from '../base/assert.js';
import { StormError } from '../base/errors.js';
import { hash32 } from '../base/hash.js';
import type { FileNumber } from '../base/ids.js';
import type { TableMeta, TableOptions } from '../base/table-meta.js';
import { BlockBuilder } from './block-builder.js';
import { BlockCompressor, compressionFor } from './block-codec.js';
import { FILTER_HASH_SEED, FilterBuilder } from './bloom-filter.js';
import { type EntryKind, KIND_DELETE } from './entry-cursor.js';
import { tableFileName, temporaryName } from './file-names.js';
import type { FileHandle, FileSystem } from './file-system.js';
import {
  FOOTER_BYTES,
  sealSection,
  TABLE_BYTES_LIMIT,
  TRAILER_BYTES,
  writeFooter,
} from './table-format.js';
import { IndexBuilder } from './table-index.js';
import { propertiesLength, type TableProperties, writeProperties } from './table-properties.js';

/** Large writes cost the least per byte. */
const WRITE_BYTES = 1024 * 1024;
/** Room for the block that fills the buffer up, unless it is unusually large. */
const BUFFER_BYTES = WRITE_BYTES + 64 * 1024;

/**
 * Synced so often while it grows: a table that is synced only at its end leaves the system with a
 * hundred megabytes to write at once, and the log's small writes and syncs wait behind them.
 */
const SYNC_EVERY_BYTES = 8 * 1024 * 1024;

export class TableWriter {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #temporaryPath: string;
  readonly #handle: FileHandle;
  readonly #options: TableOptions;
  readonly #blocks: BlockBuilder;
  readonly #index = new IndexBuilder();
  readonly #filter: FilterBuilder | undefined;
  readonly #properties: TableProperties;
  /** Bytes written to the file, and their CRC-32. */
  #offset = 0;
  #crc32 = 0;
  #unsyncedBytes = 0;
  #isOpen = true;

  /**
   * Creates the table's temporary file in `dir`; a left-over of an earlier try is replaced. The
   * caller ends with `finish` or `abandon`.
   */
  static create(
    fs: FileSystem,
    dir: string,
    number: FileNumber,
    options: TableOptions,
  ): TableWriter {
    const path = `${dir}/${tableFileName(number)}`;
    const temporaryPath = temporaryName(path);
    const compression = compressionFor(options.compression ?? 'none', 'merge');
    const compressor = BlockCompressor.for(compression);
    if (fs.stat(temporaryPath) !== undefined) fs.remove(temporaryPath);
    const handle = fs.open(temporaryPath, 'create');
    return new TableWriter(fs, path, handle, number, options, compressor);
  }

  private constructor(
    fs: FileSystem,
    path: string,
    handle: FileHandle,
    number: FileNumber,
    options: TableOptions,
    compressor: BlockCompressor | undefined,
  ) {
    this.#fs = fs;
    this.#path = path;
    this.#temporaryPath = handle.path;
    this.#handle = handle;
    this.#options = options;
    this.#blocks = new BlockBuilder(BUFFER_BYTES, options.restartInterval, compressor);
    const bits = options.bloomBitsPerKey;
    this.#filter = bits > 0 ? new FilterBuilder(bits) : undefined;
    this.#properties = {
      number,
      entryCount: 0,
      tombstoneCount: 0,
      immortalCount: 0,
      minSequence: Number.MAX_SAFE_INTEGER,
      maxSequence: 0,
      minExpiresAtMs: 0,
      maxExpiresAtMs: 0,
      minKey: EMPTY,
      maxKey: EMPTY,
    };
  }

  get entryCount(): number {
    return this.#properties.entryCount;
  }

  /** What the file would have if it were finished now. */
  get estimatedSizeBytes(): number {
    const filter = this.#filter?.lengthBytes ?? 0;
    return this.#offset + this.#blocks.length + this.#index.lengthBytes + filter;
  }

  /** True when the key differs from the last one added. */
  isNewKey(keyBytes: Uint8Array, keyStart: number, keyLength: number): boolean {
    return this.#blocks.isNewKey(keyBytes, keyStart, keyLength);
  }

  /**
   * Adds an entry behind the last one in table order: key ascending, then sequence descending.
   * `expiresAtMs` is 0 for an entry that never expires. Copies the bytes.
   */
  add(
    keyBytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    sequence: number,
    kind: EntryKind,
    expiresAtMs: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    const blocks = this.#blocks;
    const isNewKey = blocks.add(
      keyBytes,
      keyStart,
      keyLength,
      sequence,
      kind,
      expiresAtMs,
      valueBytes,
      valueStart,
      valueLength,
    );
    if (isNewKey && this.#filter !== undefined) {
      this.#filter.add(hash32(keyBytes, keyStart, keyLength, FILTER_HASH_SEED));
    }
    const p = this.#properties;
    if (p.entryCount++ === 0) p.minKey = keyBytes.slice(keyStart, keyStart + keyLength);
    if (kind === KIND_DELETE) p.tombstoneCount++;
    if (sequence < p.minSequence) p.minSequence = sequence;
    if (sequence > p.maxSequence) p.maxSequence = sequence;
    if (expiresAtMs === 0) p.immortalCount++;
    else this.#noteExpiry(expiresAtMs);
    if (blocks.blockBytes >= this.#options.blockBytes) this.#finishBlock();
  }

  /**
   * Completes the file, syncs it and gives it its name. There must be at least one entry. After an
   * error the caller calls `abandon`.
   */
  finish(): TableMeta {
    assert(this.entryCount > 0, 'a table has at least one entry');
    const p = this.#properties;
    const blocks = this.#blocks;
    if (blocks.blockBytes > 0) this.#finishBlock();
    p.maxKey = blocks.lastKey.slice(0, blocks.lastKeyLength);
    this.#writeOut();
    const tail = this.#buildTail();
    this.#write(tail, tail.length);
    this.#handle.syncData();
    this.#close();
    this.#fs.rename(this.#temporaryPath, this.#path);
    return { ...p, sizeBytes: this.#offset, crc32: this.#crc32 };
  }

  /** Removes the unfinished file. For use after an error, so it reports none of its own. */
  abandon(): void {
    try {
      this.#close();
      if (this.#fs.stat(this.#temporaryPath) !== undefined) this.#fs.remove(this.#temporaryPath);
    } catch {
      // The error that led here matters more; recovery removes temporary files.
    }
  }

  #noteExpiry(expiresAtMs: number): void {
    const p = this.#properties;
    if (p.minExpiresAtMs === 0 || expiresAtMs < p.minExpiresAtMs) p.minExpiresAtMs = expiresAtMs;
    if (expiresAtMs > p.maxExpiresAtMs) p.maxExpiresAtMs = expiresAtMs;
  }

  #finishBlock(): void {
    const blocks = this.#blocks;
    blocks.finishBlock(this.#offset);
    const blockEnd = this.#offset + blocks.length;
    this.#checkLimit(blockEnd);
    this.#index.add(blockEnd, blocks.lastKey, blocks.lastKeyLength, blocks.lastSequence);
    if (blocks.length >= WRITE_BYTES) this.#writeOut();
  }

  #writeOut(): void {
    this.#write(this.#blocks.bytes, this.#blocks.length);
    this.#blocks.drain();
  }

  #write(bytes: Uint8Array, length: number): void {
    if (length === 0) return;
    this.#checkLimit(this.#offset + length);
    this.#handle.writeAt(bytes, 0, length, this.#offset);
    this.#crc32 = crc32(bytes.subarray(0, length), this.#crc32);
    this.#offset += length;
    this.#unsyncedBytes += length;
    if (this.#unsyncedBytes < SYNC_EVERY_BYTES) return;
    this.#handle.syncData();
    this.#unsyncedBytes = 0;
  }

  /** Everything behind the blocks. */
  #buildTail(): Uint8Array {
    const filterBytes = this.#filter === undefined ? 0 : this.#filter.lengthBytes + TRAILER_BYTES;
    const propertiesBytes = propertiesLength(this.#properties) + TRAILER_BYTES;
    const indexBytes = this.#index.lengthBytes + TRAILER_BYTES;
    const tail = new Uint8Array(indexBytes + filterBytes + propertiesBytes + FOOTER_BYTES);
    const base = this.#offset;
    this.#checkLimit(base + tail.length);
    const filterAt = sealSection(tail, 0, this.#index.write(tail, 0), base);
    let propertiesAt = filterAt;
    if (this.#filter !== undefined) {
      const end = this.#filter.write(tail, filterAt);
      propertiesAt = sealSection(tail, filterAt, end, base + filterAt);
    }
    const propertiesEnd = writeProperties(tail, propertiesAt, this.#properties);
    const footerAt = sealSection(tail, propertiesAt, propertiesEnd, base + propertiesAt);
    writeFooter(tail, footerAt, base + footerAt, {
      indexOffset: base,
      indexLength: indexBytes,
      filterOffset: base + filterAt,
      filterLength: filterBytes,
      propertiesOffset: base + propertiesAt,
      propertiesLength: propertiesBytes,
    });
    return tail;
  }

  #checkLimit(sizeBytes: number): void {
    if (sizeBytes <= TABLE_BYTES_LIMIT) return;
    throw new StormError(
      'RESOURCE_EXHAUSTED',
      `A table must have at most ${TABLE_BYTES_LIMIT} bytes: choose a smaller tableBytesMax ` +
        `(${this.#path})`,
    );
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#handle.close();
  }
}

const EMPTY = new Uint8Array(0);
