/**
 * The frame that both logs are made of: the WAL (docs/formats/wal.md) and the manifest
 * (docs/formats/manifest.md). A frame is one append: a 64-byte header, a payload, zeros up to the
 * next multiple of 4 KiB, so that a new write never shares a sector with promised bytes and a
 * reader finds every possible frame start. All numbers are little-endian.
 */
import { crc32 } from 'node:zlib';

export const FRAME_ALIGN_BYTES = 4096;
export const FRAME_HEADER_BYTES = 64;
export const FRAME_VERSION = 0;
const FRAME_MAGIC = 0x4653;

export const FRAME_DATA = 1;
/**
 * Empty frame whose syncedOffset witnesses the frame before it; written when a shard falls idle.
 */
export const FRAME_SEAL = 2;
/** The same, written by an orderly close. */
export const FRAME_CLOSE = 3;
export const FRAME_EDIT = 4;

const AT_CRC = 0;
const AT_LENGTH = 4;
const AT_MAGIC = 8;
const AT_TYPE = 10;
const AT_VERSION = 11;
const AT_COUNT = 12;
const AT_NONCE = 16;
const AT_OFFSET = 24;
const AT_FIRST_SEQUENCE = 32;
const AT_SYNCED_OFFSET = 40;
const AT_COMMIT_TIME = 48;
const AT_CHAIN = 56;

export interface FrameHeader {
  crc: number;
  payloadLength: number;
  type: number;
  version: number;
  /** Entries in the payload. */
  count: number;
  /** Identifies the incarnation of the file: recycled space holds frames with other nonces. */
  nonce: number;
  /** Where the frame begins in its file. */
  offset: number;
  firstSequence: number;
  /** Everything before this offset was known to be durable when the frame was built. */
  syncedOffset: number;
  /** Wall time of the commit in ms: the base of expiries, never of order. */
  commitTimeMs: number;
  /** CRC of the frame before, or of the file's header for the first one. */
  chain: number;
}

/** Bytes that a frame with this payload takes in the file. */
export function frameBytes(payloadLength: number): number {
  return alignFrame(FRAME_HEADER_BYTES + payloadLength);
}

export function alignFrame(offset: number): number {
  return Math.ceil(offset / FRAME_ALIGN_BYTES) * FRAME_ALIGN_BYTES;
}

/**
 * Completes a frame in place: `frame` holds the payload from FRAME_HEADER_BYTES on and has room for
 * `frameBytes(payloadLength)`. Writes the header, zeroes the padding, and returns the CRC.
 */
export function sealFrame(
  frame: Uint8Array,
  view: DataView,
  header: Omit<FrameHeader, 'crc' | 'version'>,
): number {
  view.setUint32(AT_LENGTH, header.payloadLength, true);
  view.setUint16(AT_MAGIC, FRAME_MAGIC, true);
  view.setUint8(AT_TYPE, header.type);
  view.setUint8(AT_VERSION, FRAME_VERSION);
  view.setUint32(AT_COUNT, header.count, true);
  setUint53(view, AT_NONCE, header.nonce);
  setUint53(view, AT_OFFSET, header.offset);
  setUint53(view, AT_FIRST_SEQUENCE, header.firstSequence);
  setUint53(view, AT_SYNCED_OFFSET, header.syncedOffset);
  setUint53(view, AT_COMMIT_TIME, header.commitTimeMs);
  view.setUint32(AT_CHAIN, header.chain, true);
  view.setUint32(AT_CHAIN + 4, 0, true);
  const end = FRAME_HEADER_BYTES + header.payloadLength;
  frame.fill(0, end, frameBytes(header.payloadLength));
  const crc = crc32(frame.subarray(AT_LENGTH, end));
  view.setUint32(AT_CRC, crc, true);
  return crc;
}

/**
 * The header of the frame that begins at `at`, or undefined where no frame with a good checksum
 * begins. `bytes` must hold the whole frame for it to be found; `base` is the file offset of
 * bytes[0].
 */
export function readFrame(bytes: Uint8Array, at: number, base = 0): FrameHeader | undefined {
  const header = peekFrame(bytes, at);
  if (header === undefined || header.offset !== base + at) return undefined;
  const end = at + FRAME_HEADER_BYTES + header.payloadLength;
  if (end > bytes.length || crc32(bytes.subarray(at + AT_LENGTH, end)) !== header.crc) {
    return undefined;
  }
  return header;
}

/** Like `readFrame` but looks only at the magic number: the fields are not verified. */
export function peekFrame(bytes: Uint8Array, at: number): FrameHeader | undefined {
  if (at + FRAME_HEADER_BYTES > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_HEADER_BYTES);
  if (view.getUint16(AT_MAGIC, true) !== FRAME_MAGIC) return undefined;
  return {
    crc: view.getUint32(AT_CRC, true),
    payloadLength: view.getUint32(AT_LENGTH, true),
    type: view.getUint8(AT_TYPE),
    version: view.getUint8(AT_VERSION),
    count: view.getUint32(AT_COUNT, true),
    nonce: getUint53(view, AT_NONCE),
    offset: getUint53(view, AT_OFFSET),
    firstSequence: getUint53(view, AT_FIRST_SEQUENCE),
    syncedOffset: getUint53(view, AT_SYNCED_OFFSET),
    commitTimeMs: getUint53(view, AT_COMMIT_TIME),
    chain: view.getUint32(AT_CHAIN, true),
  };
}

/** Writes an integer below 2^53 as u64. */
export function setUint53(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** Reads a u64; what is above 2^53 loses precision and fails the checks that follow. */
export function getUint53(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}
