/**
 * What describes a table file to everyone who handles one: storage writes and reads it, jobs carry
 * it between threads, the shard records it in its manifest.
 */
import type { FileNumber } from './ids.js';

/** `auto`: what the machine has and what pays; see storage/block-codec.ts. */
export type Compression = 'none' | 'lz4' | 'deflate' | 'auto';

/** How tables are written; the same for flushes and merges. */
export interface TableOptions {
  /** Target size of a data block before compression. */
  blockBytes: number;
  /** A merge starts the next output table when this many bytes are written. */
  tableBytesMax: number;
  /** Bits per key of the bloom filter; 0 = no filter. */
  bloomBitsPerKey: number;
  /** Keys between restart points in a block. */
  restartInterval: number;
  /** Of data blocks; left out = none. */
  compression?: Compression;
}

/** One finished table: what the manifest must know of it. */
export interface TableMeta {
  number: FileNumber;
  sizeBytes: number;
  /** CRC-32 of the whole file, kept outside of it. */
  crc32: number;
  entryCount: number;
  tombstoneCount: number;
  minKey: Uint8Array;
  maxKey: Uint8Array;
  minSequence: number;
  maxSequence: number;
  /** Earliest and latest expiry among entries that expire; 0 = none expires. */
  minExpiresAtMs: number;
  maxExpiresAtMs: number;
  /** Entries that never expire; 0 means the file is dead after maxExpiresAtMs. */
  immortalCount: number;
}
