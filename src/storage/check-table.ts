/**
 * Looks at every byte of a table and reports all that is wrong with it, going on behind damage
 * where it can. Changes nothing. For inspection and checks; normal reading is table-reader.ts.
 */
import { crc32 } from 'node:zlib';
import { CorruptionError } from '../base/errors.js';
import { hash32 } from '../base/hash.js';
import type { TableMeta } from '../base/table-meta.js';
import { decompressBlock } from './block-codec.js';
import { BlockReader } from './block-reader.js';
import { BlockWindow, ReadSource } from './block-source.js';
import { BloomFilter, FILTER_HASH_SEED } from './bloom-filter.js';
import { type Finding, type FindingSink, findingOf, reporting } from './check-finding.js';
import { TableTally } from './check-tally.js';
import type { EntryView } from './entry-cursor.js';
import { tableFileName } from './file-names.js';
import type { FileSystem } from './file-system.js';
import {
  CODEC_RAW,
  checkRawSection,
  checkSection,
  FOOTER_BYTES,
  type Footer,
  readFooter,
  TRAILER_BYTES,
} from './table-format.js';
import { TableIndex } from './table-index.js';
import { differenceFrom, readProperties, type TableProperties } from './table-properties.js';

const READ_BYTES = 1 << 20;

/** Is told what is there, in the order of reading: footer, properties, index, filter, blocks. */
export interface TableVisitor {
  footer?(footer: Footer, sizeBytes: number): void;
  properties?(properties: TableProperties, footer: Footer): void;
  index?(index: TableIndex, footer: Footer): void;
  filter?(filter: BloomFilter | undefined, footer: Footer): void;
  /** Before the entries of a block that could be read. */
  block?(block: SurveyedBlock): void;
  /** The bytes are borrowed. */
  entry?(entry: EntryView): void;
}

export interface SurveyedBlock {
  block: number;
  offset: number;
  /** In the file, trailer included. */
  length: number;
  codec: number;
  /** Of the content, decompressed. */
  rawLength: number;
}

/** What was found out about a table. */
export interface TableSurvey {
  /** Undefined where the section is damaged. */
  properties: TableProperties | undefined;
  entryCount: number;
}

/** Surveys the table at `path` on its own, without a manifest. */
export function surveyTable(
  fs: FileSystem,
  path: string,
  visitor: TableVisitor,
  found: FindingSink,
): TableSurvey {
  const source = reporting(found, path, 0, () => new ReadSource(fs.open(path, 'read')));
  if (source === undefined) return { properties: undefined, entryCount: 0 };
  try {
    return new Surveyor(source, path, visitor, found).run();
  } finally {
    source.close();
  }
}

/**
 * Checks the table that `meta` describes in `dir`: every block, the order of its entries, index,
 * filter and properties against the entries, and the file against the manifest. `name`: of the file
 * in `dir`, where it is not the usual one.
 */
export function checkTable(
  fs: FileSystem,
  dir: string,
  meta: TableMeta,
  found: FindingSink,
  name = tableFileName(meta.number),
): TableSurvey {
  const path = `${dir}/${name}`;
  let findings = 0;
  const count = (finding: Finding): void => {
    findings++;
    found(finding);
  };
  const damage = (offset: number, what: string): void =>
    count({ severity: 'damage', file: path, offset, what });
  const stat = reporting(count, path, 0, () => fs.stat(path));
  if (stat === undefined) {
    if (findings === 0) damage(0, 'A table that the manifest names is missing');
    return { properties: undefined, entryCount: 0 };
  }
  if (stat.sizeBytes !== meta.sizeBytes) {
    const offset = Math.min(stat.sizeBytes, meta.sizeBytes);
    damage(offset, `The table has ${stat.sizeBytes} bytes and should have ${meta.sizeBytes}`);
  }
  const survey = surveyTable(fs, path, {}, count);
  if (survey.properties !== undefined) {
    const difference = differenceFrom(survey.properties, meta);
    if (difference !== undefined) damage(0, `Not the table that the manifest means: ${difference}`);
  }
  // Where a section is damaged, the sum of the whole has nothing to add.
  if (findings > 0) return survey;
  const sum = reporting(count, path, 0, () => crcOfFile(fs, path));
  if (sum !== undefined && sum !== meta.crc32) {
    damage(0, `The checksum of the whole file is ${sum} and should be ${meta.crc32}`);
  }
  return survey;
}

class Surveyor {
  readonly #source: ReadSource;
  readonly #path: string;
  readonly #visitor: TableVisitor;
  readonly #found: FindingSink;
  readonly #tally = new TableTally();
  readonly #reader: BlockReader;
  #filter: BloomFilter | undefined;
  #unreadableBlocks = 0;

  constructor(source: ReadSource, path: string, visitor: TableVisitor, found: FindingSink) {
    this.#source = source;
    this.#path = path;
    this.#visitor = visitor;
    this.#found = found;
    this.#reader = new BlockReader(path);
  }

  run(): TableSurvey {
    const { sizeBytes } = this.#source;
    const visitor = this.#visitor;
    const footerAt = Math.max(0, sizeBytes - FOOTER_BYTES);
    const footer = reporting(this.#found, this.#path, footerAt, () => this.#readFooter(footerAt));
    if (footer === undefined) return { properties: undefined, entryCount: 0 };
    visitor.footer?.(footer, sizeBytes);
    const { propertiesOffset, indexOffset, filterOffset, filterLength } = footer;
    const properties = this.#section(propertiesOffset, footer.propertiesLength, readProperties);
    if (properties !== undefined) visitor.properties?.(properties, footer);
    const index = this.#section(
      indexOffset,
      footer.indexLength,
      (...at) => new TableIndex(at[0], at[1], at[2], indexOffset, at[3], at[4]),
    );
    if (index !== undefined) visitor.index?.(index, footer);
    if (filterLength > 0) {
      this.#filter = this.#section(filterOffset, filterLength, (...at) => new BloomFilter(...at));
    }
    if (filterLength === 0 || this.#filter !== undefined) visitor.filter?.(this.#filter, footer);
    if (index !== undefined) this.#blocks(index);
    if (properties !== undefined && index !== undefined && this.#unreadableBlocks === 0) {
      this.#compare(properties, propertiesOffset);
    }
    return { properties, entryCount: this.#tally.entryCount };
  }

  #readFooter(footerAt: number): Footer {
    if (this.#source.sizeBytes < FOOTER_BYTES) {
      throw new CorruptionError('The file is too short for a table', {
        file: this.#path,
        offset: this.#source.sizeBytes,
      });
    }
    const window = new BlockWindow();
    this.#source.load(footerAt, FOOTER_BYTES, window);
    return readFooter(window.bytes, window.start, this.#path, footerAt);
  }

  /** Verifies a section and lets `read` make something of its content. */
  #section<T>(
    offset: number,
    length: number,
    read: (bytes: Uint8Array, start: number, length: number, file: string, offset: number) => T,
  ): T | undefined {
    return reporting(this.#found, this.#path, offset, () => {
      const window = new BlockWindow();
      this.#source.load(offset, length, window);
      checkRawSection(window.bytes, window.start, length, this.#path, offset);
      return read(window.bytes, window.start, length - TRAILER_BYTES, this.#path, offset);
    });
  }

  #blocks(index: TableIndex): void {
    const window = new BlockWindow(READ_BYTES);
    for (let block = 0; block < index.count; block++) {
      const offset = index.blockStart(block);
      try {
        this.#block(index, block, window);
      } catch (error) {
        this.#unreadableBlocks++;
        this.#tally.forgetLast();
        this.#found(findingOf(error, this.#path, offset));
      }
    }
  }

  #block(index: TableIndex, block: number, window: BlockWindow): void {
    const file = this.#path;
    const offset = index.blockStart(block);
    const length = index.blockEnd(block) - offset;
    this.#source.load(offset, length, window);
    const codec = checkSection(window.bytes, window.start, length, file, offset);
    const stored = window.bytes.subarray(window.start, window.start + length - TRAILER_BYTES);
    const content = codec === CODEC_RAW ? stored : decompressBlock(codec, stored, file, offset);
    this.#visitor.block?.({ block, offset, length, codec, rawLength: content.length });
    const reader = this.#reader;
    reader.openBlock(content, 0, content.length, offset);
    for (reader.toFirst(); reader.valid; reader.nextInBlock()) this.#entry(offset);
    const tally = this.#tally;
    const endsRight =
      index.lastSequence(block) === tally.lastSequence &&
      index.endsWithKey(block, tally.lastKey, 0, tally.lastKeyLength);
    if (!endsRight) this.#damage(offset, 'The block does not end where the index says');
  }

  #entry(blockOffset: number): void {
    const entry = this.#reader;
    const place = this.#tally.add(entry);
    if (place === 'out-of-order') {
      this.#damage(blockOffset, `The entry of sequence ${entry.sequence} is out of order`);
    }
    if (place !== 'older-version' && this.#filter !== undefined) {
      const hash = hash32(entry.keyBytes, entry.keyStart, entry.keyLength, FILTER_HASH_SEED);
      if (!this.#filter.mayContain(hash)) {
        this.#damage(blockOffset, 'The filter denies a key that the table holds');
      }
    }
    this.#visitor.entry?.(entry);
  }

  #compare(properties: TableProperties, offset: number): void {
    const difference = this.#tally.differenceFrom(properties);
    if (difference !== undefined) {
      this.#damage(offset, `The properties contradict the entries: ${difference}`);
    }
  }

  #damage(offset: number, what: string): void {
    this.#found({ severity: 'damage', file: this.#path, offset, what });
  }
}

function crcOfFile(fs: FileSystem, path: string): number {
  const handle = fs.open(path, 'read');
  try {
    const buffer = new Uint8Array(Math.min(READ_BYTES, handle.sizeBytes() + 1));
    let sum = 0;
    for (let at = 0; ; ) {
      const got = handle.readAt(buffer, 0, buffer.length, at);
      if (got === 0) return sum;
      sum = crc32(buffer.subarray(0, got), sum);
      at += got;
    }
  } finally {
    handle.close();
  }
}
