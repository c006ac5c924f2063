/**
 * The table file, version 0: constants and the fixed-size parts (docs/formats/table.md).
 *
 *   table   = block* index filter properties footer, without gaps
 *   section = content, codec u8, crc32 u32        (block, index, filter and properties alike)
 *
 * Numbers of fixed width are little-endian. Each checksum is seeded with the section's offset in
 * the file, so a section found at another place than its own never verifies.
 */
import { crc32 } from 'node:zlib';
import { CorruptionError, StormError } from '../base/errors.js';

export const TABLE_FORMAT = 0;
/** "STORMTBL", the last bytes but four of a table. */
export const TABLE_MAGIC = new Uint8Array([0x53, 0x54, 0x4f, 0x52, 0x4d, 0x54, 0x42, 0x4c]);

/** Offsets are 32-bit, and a file of 2 GiB or more could not be mapped. */
export const TABLE_BYTES_LIMIT = 2 ** 31 - 1;

export const TRAILER_BYTES = 5;
/**
 * Of data blocks (block-codec.ts); all other sections are raw, because they are searched in place.
 */
export const CODEC_RAW = 0;
export const CODEC_DEFLATE = 1;
export const CODEC_LZ4 = 2;

/** An entry's flags: the kind in the low four bits, then whether an expiry follows. */
export const FLAG_KIND_MASK = 0x0f;
export const FLAG_EXPIRES = 0x10;
export const FLAGS_KNOWN = FLAG_KIND_MASK | FLAG_EXPIRES;

/** Behind a block's entries: one offset per restart point, then their count. */
export const RESTART_BYTES = 4;
export const RESTART_COUNT_BYTES = 4;

const FOOTER_MAGIC_AT = 28;
const FOOTER_CRC_AT = 36;
export const FOOTER_BYTES = 40;

export function readU32(bytes: Uint8Array, at: number): number {
  const b = bytes;
  return (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** May exceed 2^53 where the bytes are not ours; the caller checks. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 4) * 2 ** 32 + readU32(bytes, at);
}

export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value >>> 0);
  writeU32(bytes, at + 4, Math.floor(value / 2 ** 32));
}

/** CRC-32 of bytes that lie at `offset` of the file. */
function checksum(bytes: Uint8Array, start: number, length: number, offset: number): number {
  return crc32(bytes.subarray(start, start + length), offset);
}

/** Writes the trailer behind the content at [start, end), whose place in the file is `offset`. */
export function sealSection(
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
  codec = CODEC_RAW,
): number {
  bytes[end] = codec;
  writeU32(bytes, end + 1, checksum(bytes, start, end + 1 - start, offset));
  return end + TRAILER_BYTES;
}

/**
 * Verifies the section at [start, start + length), which lies at `offset` of `file`, and returns
 * its codec. Throws CorruptionError.
 */
export function checkSection(
  bytes: Uint8Array,
  start: number,
  length: number,
  file: string,
  offset: number,
): number {
  if (length < TRAILER_BYTES) {
    throw new CorruptionError('A table section is cut off', { file, offset });
  }
  const codecAt = start + length - TRAILER_BYTES;
  const found = checksum(bytes, start, codecAt + 1 - start, offset);
  if (found !== readU32(bytes, codecAt + 1)) {
    throw new CorruptionError('A table section fails its checksum: restore the file from a copy', {
      file,
      offset,
    });
  }
  return bytes[codecAt]!;
}

/** The same for a section that is never compressed: another codec is UNIMPLEMENTED. */
export function checkRawSection(
  bytes: Uint8Array,
  start: number,
  length: number,
  file: string,
  offset: number,
): void {
  const codec = checkSection(bytes, start, length, file, offset);
  if (codec !== CODEC_RAW) throw unknownCodec(codec, file, offset);
}

export function unknownCodec(codec: number, file: string, offset: number): StormError {
  return new StormError(
    'UNIMPLEMENTED',
    `${file} uses compression codec ${codec} at offset ${offset}, which this version cannot ` +
      'read there: use the version that wrote it or a newer one',
  );
}

/** Where the sections behind the blocks lie; lengths include the trailer. */
export interface Footer {
  indexOffset: number;
  indexLength: number;
  filterOffset: number;
  /** 0 = the table has no filter. */
  filterLength: number;
  propertiesOffset: number;
  propertiesLength: number;
}

/** Writes the footer at `at`; `offset` is its place in the file. Returns the offset behind it. */
export function writeFooter(target: Uint8Array, at: number, offset: number, f: Footer): number {
  writeU32(target, at, f.indexOffset);
  writeU32(target, at + 4, f.indexLength);
  writeU32(target, at + 8, f.filterOffset);
  writeU32(target, at + 12, f.filterLength);
  writeU32(target, at + 16, f.propertiesOffset);
  writeU32(target, at + 20, f.propertiesLength);
  writeU32(target, at + 24, TABLE_FORMAT);
  target.set(TABLE_MAGIC, at + FOOTER_MAGIC_AT);
  writeU32(target, at + FOOTER_CRC_AT, checksum(target, at, FOOTER_CRC_AT, offset));
  return at + FOOTER_BYTES;
}

/** Reads and checks the footer at `at`, which lies at `offset` of `file`, its last bytes. */
export function readFooter(bytes: Uint8Array, at: number, file: string, offset: number): Footer {
  for (let i = 0; i < TABLE_MAGIC.length; i++) {
    if (bytes[at + FOOTER_MAGIC_AT + i] !== TABLE_MAGIC[i]) {
      throw new CorruptionError('The file does not end like a table', { file, offset });
    }
  }
  if (checksum(bytes, at, FOOTER_CRC_AT, offset) !== readU32(bytes, at + FOOTER_CRC_AT)) {
    throw new CorruptionError('The table footer fails its checksum', { file, offset });
  }
  const format = readU32(bytes, at + 24);
  if (format !== TABLE_FORMAT) {
    throw new StormError(
      'UNIMPLEMENTED',
      `${file} has table format ${format}; this version reads format ${TABLE_FORMAT} only`,
    );
  }
  const footer: Footer = {
    indexOffset: readU32(bytes, at),
    indexLength: readU32(bytes, at + 4),
    filterOffset: readU32(bytes, at + 8),
    filterLength: readU32(bytes, at + 12),
    propertiesOffset: readU32(bytes, at + 16),
    propertiesLength: readU32(bytes, at + 20),
  };
  const contiguous =
    footer.indexOffset + footer.indexLength === footer.filterOffset &&
    footer.filterOffset + footer.filterLength === footer.propertiesOffset &&
    footer.propertiesOffset + footer.propertiesLength === offset;
  if (contiguous) return footer;
  throw new CorruptionError('The sections of the table do not adjoin', { file, offset });
}
