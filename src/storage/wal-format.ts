/** Constants and the header block of a WAL segment; the document is docs/formats/wal.md. */
import { crc32 } from 'node:zlib';
import { FRAME_ALIGN_BYTES, getUint53, setUint53 } from './log-frame.js';

export const WAL_VERSION = 0;
/** The header owns the first block; frames begin behind it. */
export const SEGMENT_HEADER_BYTES = FRAME_ALIGN_BYTES;
/** What of the block holds content, so that one sector carries all of it. */
const CONTENT_BYTES = 512;
const SEGMENT_MAGIC = 0x5756_4b53;
const UUID_BYTES = 16;

/** Whose log it is: segments of anybody else are refused. */
export interface WalIdentity {
  storeUuid: Uint8Array;
  shard: number;
}

/** Where and how a segment ended, as its successor's header records it. */
export interface SegmentEnd {
  number: number;
  nonce: number;
  endOffset: number;
  lastSequence: number;
  /** CRC of its last frame, or of its header if it has none. */
  chain: number;
}

export interface SegmentHeader {
  crc: number;
  version: number;
  shard: number;
  storeUuid: Uint8Array;
  number: number;
  nonce: number;
  /** Rises with every opening of the shard: tells a stale owner from the present one. */
  ownerEpoch: number;
  sizeBytes: number;
  firstSequence: number;
  predecessor: SegmentEnd;
}

export const NO_PREDECESSOR: SegmentEnd = {
  number: 0,
  nonce: 0,
  endOffset: 0,
  lastSequence: 0,
  chain: 0,
};

/** A fresh 4 KiB block with the header in it. */
export function encodeSegmentHeader(header: Omit<SegmentHeader, 'crc' | 'version'>): Uint8Array {
  const block = new Uint8Array(SEGMENT_HEADER_BYTES);
  const view = new DataView(block.buffer);
  view.setUint32(4, SEGMENT_MAGIC, true);
  view.setUint32(8, WAL_VERSION, true);
  view.setUint32(12, header.shard, true);
  block.set(header.storeUuid.subarray(0, UUID_BYTES), 16);
  setUint53(view, 32, header.number);
  setUint53(view, 40, header.nonce);
  setUint53(view, 48, header.ownerEpoch);
  setUint53(view, 56, header.sizeBytes);
  setUint53(view, 64, header.firstSequence);
  setUint53(view, 72, header.predecessor.number);
  setUint53(view, 80, header.predecessor.nonce);
  setUint53(view, 88, header.predecessor.endOffset);
  setUint53(view, 96, header.predecessor.lastSequence);
  view.setUint32(104, header.predecessor.chain, true);
  view.setUint32(0, crc32(block.subarray(4, CONTENT_BYTES)), true);
  return block;
}

export type HeaderReading =
  | { kind: 'valid'; header: SegmentHeader }
  /** Never used since it was filled with zeros. */
  | { kind: 'blank' }
  | { kind: 'damaged' };

export function decodeSegmentHeader(block: Uint8Array): HeaderReading {
  if (block.length < CONTENT_BYTES) return { kind: 'damaged' };
  const view = new DataView(block.buffer, block.byteOffset, CONTENT_BYTES);
  const content = block.subarray(0, CONTENT_BYTES);
  if (content.every((byte) => byte === 0)) return { kind: 'blank' };
  const crc = view.getUint32(0, true);
  if (crc32(content.subarray(4)) !== crc || view.getUint32(4, true) !== SEGMENT_MAGIC) {
    return { kind: 'damaged' };
  }
  const header: SegmentHeader = {
    crc,
    version: view.getUint32(8, true),
    shard: view.getUint32(12, true),
    storeUuid: block.slice(16, 16 + UUID_BYTES),
    number: getUint53(view, 32),
    nonce: getUint53(view, 40),
    ownerEpoch: getUint53(view, 48),
    sizeBytes: getUint53(view, 56),
    firstSequence: getUint53(view, 64),
    predecessor: {
      number: getUint53(view, 72),
      nonce: getUint53(view, 80),
      endOffset: getUint53(view, 88),
      lastSequence: getUint53(view, 96),
      chain: view.getUint32(104, true),
    },
  };
  return { kind: 'valid', header };
}
