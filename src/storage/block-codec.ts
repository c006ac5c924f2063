/**
 * Compression of data blocks (docs/formats/table.md, "Codecs"): the only importer of the optional
 * addon lz4-napi. A compressed block is
 *
 *   rawLength u32, compressed bytes
 *
 * with lz4 in its plain block format and deflate without a header. Callers verify the checksum
 * first; what comes out must still have exactly the length that was promised.
 */
import { createRequire } from 'node:module';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { CorruptionError, messageOf, StormError } from '../base/errors.js';
import type { Compression } from '../base/table-meta.js';
import {
  CODEC_DEFLATE,
  CODEC_LZ4,
  CODEC_RAW,
  readU32,
  TABLE_BYTES_LIMIT,
  unknownCodec,
  writeU32,
} from './table-format.js';

const LENGTH_BYTES = 4;
/** A block stays raw unless compression saves an eighth: reading a raw one costs nothing. */
const SAVED_SHARE_MIN = 1 / 8;
/** After blocks that were not worth it, so many at most are stored without trying. */
const SKIPPED_MAX = 16;
/** Deflate makes no byte into more than this, lz4 into a quarter of it. */
const RATIO_MAX = 1032;
const ZLIB_CHUNK_BYTES_MIN = 64;
const LZ4_PACKAGE = 'lz4-napi';
const DEFLATE_OPTIONS = { level: 1 };

/** Both take the length before the compressed bytes as u32, which is the layout of our blocks. */
interface Lz4Addon {
  compressSync(data: Buffer): Uint8Array;
  uncompressSync(data: Uint8Array): Uint8Array;
}

let loaded: Lz4Addon | undefined;
let loadTried = false;

/** True where this thread has lz4. Loads the addon at the first call. */
export function lz4Available(): boolean {
  return lz4() !== undefined;
}

/**
 * What `auto` means here: lz4 where it loads, because it costs a tenth of a flush and stops trying
 * where it does not pay. Without it deflate for what is merged, which stays, but not for a flush,
 * whose cost it would double (docs/formats/table.md has the figures).
 */
export function compressionFor(
  wanted: Compression,
  purpose: 'flush' | 'merge',
): Exclude<Compression, 'auto'> {
  if (wanted !== 'auto') return wanted;
  if (lz4Available()) return 'lz4';
  return purpose === 'merge' ? 'deflate' : 'none';
}

/** Compresses the blocks of one table, as long as it is worth it. */
export class BlockCompressor {
  /** The codec of the block that was compressed last. */
  codec = CODEC_RAW;
  readonly #codec: number;
  readonly #lz4: Lz4Addon | undefined;
  #skip = 0;
  #toSkip = 0;

  /** Undefined for `none`. Throws FAILED_PRECONDITION when the addon it needs is missing. */
  static for(compression: Exclude<Compression, 'auto'>): BlockCompressor | undefined {
    if (compression === 'none') return undefined;
    return new BlockCompressor(compression);
  }

  private constructor(compression: 'lz4' | 'deflate') {
    this.#codec = compression === 'lz4' ? CODEC_LZ4 : CODEC_DEFLATE;
    this.#lz4 = compression === 'lz4' ? requireLz4('Cannot write tables with lz4') : undefined;
  }

  /**
   * Puts the compressed form in the place of the content at [start, end), where that saves enough,
   * sets `codec` and returns the new end.
   */
  compress(bytes: Uint8Array, start: number, end: number): number {
    this.codec = CODEC_RAW;
    if (this.#toSkip > 0) {
      this.#toSkip--;
      return end;
    }
    const rawLength = end - start;
    const lengthMax = Math.floor(rawLength * (1 - SAVED_SHARE_MIN));
    const newEnd =
      this.#lz4 === undefined
        ? deflateInto(bytes, start, rawLength, lengthMax)
        : lz4Into(this.#lz4, bytes, start, rawLength, lengthMax);
    if (newEnd < 0) {
      this.#skip = Math.min(Math.max(1, 2 * this.#skip), SKIPPED_MAX);
      this.#toSkip = this.#skip;
      return end;
    }
    this.#skip = 0;
    this.codec = this.#codec;
    return newEnd;
  }
}

function lz4Into(
  addon: Lz4Addon,
  bytes: Uint8Array,
  start: number,
  rawLength: number,
  lengthMax: number,
): number {
  const packed = addon.compressSync(Buffer.from(bytes.buffer, bytes.byteOffset + start, rawLength));
  if (packed.length > lengthMax) return -1;
  bytes.set(packed, start);
  return start + packed.length;
}

function deflateInto(
  bytes: Uint8Array,
  start: number,
  rawLength: number,
  lengthMax: number,
): number {
  const packed = deflateRawSync(bytes.subarray(start, start + rawLength), DEFLATE_OPTIONS);
  if (LENGTH_BYTES + packed.length > lengthMax) return -1;
  writeU32(bytes, start, rawLength);
  bytes.set(packed, start + LENGTH_BYTES);
  return start + LENGTH_BYTES + packed.length;
}

/**
 * The raw content, in memory of its own, of the compressed block whose verified content (without
 * trailer) is `packed`. Throws CorruptionError where it is malformed, FAILED_PRECONDITION where the
 * addon that it needs is missing, and UNIMPLEMENTED for an unknown codec.
 */
export function decompressBlock(
  codec: number,
  packed: Uint8Array,
  file: string,
  offset: number,
): Uint8Array {
  if (codec !== CODEC_DEFLATE && codec !== CODEC_LZ4) {
    throw unknownCodec(codec, file, offset);
  }
  const addon =
    codec === CODEC_LZ4 ? requireLz4(`Cannot read ${file}, written with lz4`) : undefined;
  const rawLength = packed.length < LENGTH_BYTES ? 0 : readU32(packed, 0);
  // Before memory is asked for: a checksum vouches for the bytes, not for the writer's sanity.
  const lengthMax = Math.min(TABLE_BYTES_LIMIT, RATIO_MAX * packed.length);
  if (rawLength === 0 || rawLength > lengthMax) {
    throw new CorruptionError('A compressed block has an impossible length', { file, offset });
  }
  let raw: Uint8Array;
  try {
    raw =
      addon === undefined
        ? inflated(packed.subarray(LENGTH_BYTES), rawLength)
        : plain(addon.uncompressSync(packed));
  } catch (error) {
    const site = { file, offset };
    throw new CorruptionError(`A block cannot be decompressed: ${messageOf(error)}`, site, error);
  }
  if (raw.length === rawLength) return raw;
  throw new CorruptionError(
    `A block has ${raw.length} bytes after decompression and should have ${rawLength}`,
    { file, offset },
  );
}

/** In memory of the right size: zlib's default would pin 16 KiB for each block. */
function inflated(packed: Uint8Array, rawLength: number): Uint8Array {
  const chunkSize = Math.max(rawLength + 1, ZLIB_CHUNK_BYTES_MIN);
  const raw = inflateRawSync(packed, { maxOutputLength: rawLength, chunkSize });
  return raw.buffer.byteLength > raw.length + ZLIB_CHUNK_BYTES_MIN
    ? new Uint8Array(raw)
    : plain(raw);
}

/** A plain array, because a Buffer's `slice` would hand out views where callers expect copies. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The addon; where it is missing FAILED_PRECONDITION, which says `what` for. */
export function requireLz4(what: string): Lz4Addon {
  const addon = lz4();
  if (addon !== undefined) return addon;
  throw new StormError(
    'FAILED_PRECONDITION',
    `${what}: the optional package ${LZ4_PACKAGE} cannot be loaded on this machine. Install it ` +
      `(npm install ${LZ4_PACKAGE}), or write tables with another table.compression`,
  );
}

function lz4(): Lz4Addon | undefined {
  if (loadTried) return loaded;
  loadTried = true;
  try {
    const module: unknown = createRequire(import.meta.url)(LZ4_PACKAGE);
    if (isLz4Addon(module)) loaded = module;
  } catch {
    // An optional dependency: npm leaves it out where there is no binary for the platform.
    loaded = undefined;
  }
  return loaded;
}

function isLz4Addon(module: unknown): module is Lz4Addon {
  if (typeof module !== 'object' || module === null) return false;
  return (
    'compressSync' in module &&
    typeof module.compressSync === 'function' &&
    'uncompressSync' in module &&
    typeof module.uncompressSync === 'function'
  );
}
