/**
 * What can still be read of a table file: its intact blocks, and between which keys something is
 * missing. Where the index is damaged, blocks are looked for by their checksums, which cover the
 * place in the file: the end of a block is where the sum of all before it stands.
 */
import { messageOf } from '../base/errors.js';
import type { TableMeta } from '../base/table-meta.js';
import { decompressBlock } from '../storage/block-codec.js';
import { BlockReader } from '../storage/block-reader.js';
import { readWhole } from '../storage/check-wal.js';
import { type EntryCursor, type EntryKind, KIND_PUT } from '../storage/entry-cursor.js';
import type { FileSystem } from '../storage/file-system.js';
import {
  CODEC_LZ4,
  CODEC_RAW,
  checkRawSection,
  checkSection,
  FOOTER_BYTES,
  readFooter,
  readU32,
  TRAILER_BYTES,
} from '../storage/table-format.js';
import { TableIndex } from '../storage/table-index.js';
import { readProperties, type TableProperties } from '../storage/table-properties.js';

/** How far an end is looked for behind a place where a block begins, and where one may begin. */
const BLOCK_BYTES_MAX = 4 << 20;
const LOST_BLOCK_BYTES_MAX = 64 << 10;

export interface LostKeys {
  /** Both included; undefined where nothing is known. */
  fromKey: Uint8Array | undefined;
  toKey: Uint8Array | undefined;
}

export interface SalvagedTable {
  path: string;
  /** Places of the intact blocks, ascending. */
  blocks: { offset: number; length: number }[];
  entries: number;
  maxSequence: number;
  lost: LostKeys[];
  why: string;
}

type Described = Pick<TableMeta, 'minKey' | 'maxKey' | 'entryCount'>;

/** Never throws for damage. `meta`: what a manifest says of the table, if there is one. */
export function surveyTableFile(
  fs: FileSystem,
  path: string,
  meta: TableMeta | undefined,
): SalvagedTable {
  const table: SalvagedTable = { path, blocks: [], entries: 0, maxSequence: 0, lost: [], why: '' };
  let bytes: Uint8Array;
  try {
    bytes = readWhole(fs, path);
  } catch (error) {
    const { minKey: fromKey, maxKey: toKey } = meta ?? { minKey: undefined, maxKey: undefined };
    return { ...table, lost: [{ fromKey, toKey }], why: messageOf(error) };
  }
  const survey = new Survey(bytes, path, meta, table);
  survey.run();
  return table;
}

class Survey {
  readonly #bytes: Uint8Array;
  readonly #path: string;
  readonly #table: SalvagedTable;
  readonly #reader: BlockReader;
  #described: Described | undefined;
  /** Behind the last intact block something was lost. */
  #hasGap = false;
  #lastKey: Uint8Array | undefined;

  constructor(bytes: Uint8Array, path: string, meta: TableMeta | undefined, table: SalvagedTable) {
    this.#bytes = bytes;
    this.#path = path;
    this.#described = meta;
    this.#table = table;
    this.#reader = new BlockReader(path);
  }

  run(): void {
    const { index, dataEnd } = this.#sections();
    if (index !== undefined) this.#byIndex(index);
    else this.#byChecksum(dataEnd);
    if (this.#hasGap) this.#lose(this.#described?.maxKey);
    const { entries, lost } = this.#table;
    const expected = this.#described?.entryCount;
    if (lost.length > 0 || entries === expected) return;
    // The blocks are whole, but not all: or nobody knows how many there were.
    const { minKey: fromKey, maxKey: toKey } = this.#described ?? {};
    lost.push({ fromKey, toKey });
    this.#table.why ||= `it holds ${entries} entries, expected were ${expected ?? 'unknown'}`;
  }

  /** What can be had of footer, properties and index; and where data ends at the latest. */
  #sections(): { index: TableIndex | undefined; dataEnd: number } {
    const bytes = this.#bytes;
    let dataEnd = bytes.length;
    try {
      const footerAt = bytes.length - FOOTER_BYTES;
      const footer = readFooter(bytes, footerAt, this.#path, footerAt);
      dataEnd = footer.indexOffset;
      const { propertiesOffset, propertiesLength, indexOffset, indexLength } = footer;
      const found = this.#try(() => this.#properties(propertiesOffset, propertiesLength));
      this.#described ??= found;
      const index = this.#try(() => {
        checkRawSection(bytes, indexOffset, indexLength, this.#path, indexOffset);
        const length = indexLength - TRAILER_BYTES;
        return new TableIndex(bytes, indexOffset, length, indexOffset, this.#path, indexOffset);
      });
      return { index, dataEnd };
    } catch (error) {
      this.#note(error);
      return { index: undefined, dataEnd };
    }
  }

  #properties(offset: number, length: number): TableProperties {
    checkRawSection(this.#bytes, offset, length, this.#path, offset);
    return readProperties(this.#bytes, offset, length - TRAILER_BYTES, this.#path, offset);
  }

  #byIndex(index: TableIndex): void {
    for (let block = 0; block < index.count; block++) {
      const offset = index.blockStart(block);
      if (!this.#take(offset, index.blockEnd(block) - offset)) this.#hasGap = true;
    }
  }

  #byChecksum(dataEnd: number): void {
    let lostSince = -1;
    for (let at = 0; at + TRAILER_BYTES <= dataEnd; ) {
      const span = lostSince < 0 ? BLOCK_BYTES_MAX : LOST_BLOCK_BYTES_MAX;
      const end = this.#endOfBlock(at, Math.min(dataEnd, at + span));
      if (end !== undefined) {
        at = end;
        lostSince = -1;
        continue;
      }
      if (lostSince < 0) lostSince = at;
      this.#hasGap = true;
      at++;
    }
  }

  /** The end of the block that begins at `start`, taken; undefined where none does. */
  #endOfBlock(start: number, limit: number): number | undefined {
    const bytes = this.#bytes;
    let crc = ~start;
    for (let at = start; at + TRAILER_BYTES <= limit; at++) {
      const byte = bytes[at]!;
      crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
      if (byte > CODEC_LZ4 || ~crc >>> 0 !== readU32(bytes, at + 1)) continue;
      if (this.#take(start, at + TRAILER_BYTES - start)) return at + TRAILER_BYTES;
    }
    return undefined;
  }

  /** Takes the block if all of it can be read. */
  #take(offset: number, length: number): boolean {
    const keys: Uint8Array[] = [];
    let maxSequence = 0;
    let entries = 0;
    try {
      const reader = this.#reader;
      openBlock(reader, this.#bytes, offset, length, this.#path);
      for (reader.toFirst(); reader.valid; reader.nextInBlock()) {
        if (entries++ === 0) keys.push(reader.keyBytes.slice(0, reader.keyLength));
        maxSequence = Math.max(maxSequence, reader.sequence);
        keys[1] = reader.keyBytes.slice(0, reader.keyLength);
      }
    } catch (error) {
      this.#note(error);
      return false;
    }
    const [first, last] = keys;
    if (first === undefined || last === undefined || !this.#isPlausible(first, last)) return false;
    if (this.#hasGap) this.#lose(first);
    this.#lastKey = last;
    this.#table.blocks.push({ offset, length });
    this.#table.entries += entries;
    this.#table.maxSequence = Math.max(this.#table.maxSequence, maxSequence);
    return true;
  }

  #isPlausible(first: Uint8Array, last: Uint8Array): boolean {
    if (this.#lastKey !== undefined && Buffer.compare(this.#lastKey, first) > 0) return false;
    if (this.#described === undefined) return true;
    const { minKey, maxKey } = this.#described;
    return Buffer.compare(first, minKey) >= 0 && Buffer.compare(last, maxKey) <= 0;
  }

  #lose(toKey: Uint8Array | undefined): void {
    const fromKey = this.#lastKey ?? this.#described?.minKey;
    this.#table.lost.push({ fromKey, toKey });
    this.#hasGap = false;
  }

  #try<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#note(error);
      return undefined;
    }
  }

  #note(error: unknown): void {
    if (this.#table.why === '') this.#table.why = messageOf(error);
  }
}

function openBlock(
  reader: BlockReader,
  bytes: Uint8Array,
  offset: number,
  length: number,
  file: string,
): void {
  const codec = checkSection(bytes, offset, length, file, offset);
  const stored = bytes.subarray(offset, offset + length - TRAILER_BYTES);
  const content = codec === CODEC_RAW ? stored : decompressBlock(codec, stored, file, offset);
  reader.openBlock(content, 0, content.length, offset);
}

/** The entries of the intact blocks, in order; only forward. */
export class SalvagedCursor implements EntryCursor {
  valid = false;
  keyBytes: Uint8Array = new Uint8Array(0);
  readonly keyStart = 0;
  keyLength = 0;
  sequence = 0;
  kind: EntryKind = KIND_PUT;
  expiresAtMs = 0;
  valueBytes: Uint8Array = new Uint8Array(0);
  valueStart = 0;
  valueLength = 0;
  readonly #fs: FileSystem;
  readonly #table: SalvagedTable;
  readonly #reader: BlockReader;
  #next = 0;

  constructor(fs: FileSystem, table: SalvagedTable) {
    this.#fs = fs;
    this.#table = table;
    this.#reader = new BlockReader(table.path);
  }

  seekToFirst(): void {
    this.#next = 0;
    this.#nextBlock();
  }

  seek(_key: Uint8Array): void {
    this.seekToFirst();
  }

  next(): void {
    this.#reader.nextInBlock();
    if (this.#reader.valid) this.#show();
    else this.#nextBlock();
  }

  #nextBlock(): void {
    this.valid = false;
    const block = this.#table.blocks[this.#next++];
    if (block === undefined) return;
    const bytes = new Uint8Array(block.length);
    const handle = this.#fs.open(this.#table.path, 'read');
    try {
      handle.readAt(bytes, 0, bytes.length, block.offset);
    } finally {
      handle.close();
    }
    const { path } = this.#table;
    const codec = checkSection(bytes, 0, bytes.length, path, block.offset);
    const stored = bytes.subarray(0, bytes.length - TRAILER_BYTES);
    const isRaw = codec === CODEC_RAW;
    const content = isRaw ? stored : decompressBlock(codec, stored, path, block.offset);
    this.#reader.openBlock(content, 0, content.length, block.offset);
    this.#reader.toFirst();
    if (this.#reader.valid) this.#show();
  }

  #show(): void {
    const from = this.#reader;
    this.valid = true;
    this.keyBytes = from.keyBytes;
    this.keyLength = from.keyLength;
    this.sequence = from.sequence;
    this.kind = from.kind;
    this.expiresAtMs = from.expiresAtMs;
    this.valueBytes = from.valueBytes;
    this.valueStart = from.valueStart;
    this.valueLength = from.valueLength;
  }
}

/** Of CRC-32, as zlib has it; a step per byte, which zlib does not offer. */
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
