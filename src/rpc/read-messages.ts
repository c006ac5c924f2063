/**
 * The rarer messages of the read lanes (docs/formats/messages.md):
 *
 *   94 | 5 | ce u32 callId | ce u32 epoch | c6 u32 n, keys                            MULTI_GET
 *   94 | 6 | ce u32 callId | ce u32 epoch | c6 u32 n, key                             TTL
 *   94 | 7 | ce u32 callId | ce u32 epoch | [parameters], any msgpack                 SCAN
 *   94 | 8 | ce u32 callId | ce u32 epoch | cf u64 snapshotId                         SCAN_END
 *   94 | 20 | ce u32 callId | done | c6 u32 n, items                                  VALUES
 *   94 | 21 | ce u32 callId | cf u64 sequence | cf u64 remainingMs                    TTL_IS
 *   95 | 23 | ce u32 callId | cf u64 snapshotId | done | c6 u32 n, items              PAGE
 *
 * MULTI_GET and TTL have the layout of GET. What the items are: message-items.ts.
 */
import { TTL_MS_MAX } from '../base/entry-run.js';
import {
  ARRAY_4,
  ARRAY_5,
  BIN_32,
  BIN_32_BYTES,
  FALSE,
  malformed,
  putFrameHead,
  putUint32,
  putUint64,
  REQUEST_FOURTH_AT,
  readUint64,
  THIRD_AT,
  TRUE,
  UINT_64,
  UINT_64_BYTES,
} from './message-bytes.js';
import { decodeMessage, encodeMessage } from './message-codec.js';
import type { RingConsumer, RingProducer } from './ring-channel.js';
import { frameBytes } from './ring-layout.js';

export const MESSAGE_MULTI_GET = 5;
export const MESSAGE_TTL = 6;
export const MESSAGE_SCAN = 7;
export const MESSAGE_SCAN_END = 8;
export const MESSAGE_VALUES = 20;
export const MESSAGE_TTL_IS = 21;
export const MESSAGE_PAGE = 23;

/** What a SCAN asks for: one page. The bytes are copies. */
export interface ScanParameters {
  /** 0 = open one. */
  snapshotId: number;
  /** Inclusive lower bound; undefined = none. */
  from: Uint8Array | undefined;
  /** Exclusive upper bound; undefined = none. */
  to: Uint8Array | undefined;
  /** From the upper bound down. */
  reverse: boolean;
  /** At least 1. */
  limit: number;
  /** Of the page's items; at least 1, and one entry is answered even where it is longer. */
  bytesMax: number;
  keysOnly: boolean;
}

/** Of a reply to a read, besides its items; which fields hold depends on the type. */
export interface ReadReply {
  /** VALUES: the last frame of the call; PAGE: there is nothing behind it. */
  isDone: boolean;
  snapshotId: number;
  sequence: number;
  remainingMs: number;
  itemsStart: number;
  itemsLength: number;
}

const DONE_BYTES = 1;
const SCAN_END_BYTES = REQUEST_FOURTH_AT + UINT_64_BYTES;
const TTL_IS_BYTES = THIRD_AT + 2 * UINT_64_BYTES;
/** Body bytes of a VALUES or PAGE frame besides its items. */
export const VALUES_OVERHEAD_BYTES = THIRD_AT + DONE_BYTES + BIN_32_BYTES;
export const PAGE_OVERHEAD_BYTES = THIRD_AT + UINT_64_BYTES + DONE_BYTES + BIN_32_BYTES;
/** Ring bytes of a VALUES or PAGE frame, header included. */
export const valuesReplyBytes = (items: number): number =>
  frameBytes(VALUES_OVERHEAD_BYTES + items);
export const pageReplyBytes = (items: number): number => frameBytes(PAGE_OVERHEAD_BYTES + items);
/** Body bytes that a SCAN frame takes at most, besides its bounds. */
export const SCAN_OVERHEAD_BYTES_MAX = REQUEST_FOURTH_AT + 1 + 9 + 5 + 5 + 1 + 5 + 5 + 1;

/** Sends a SCAN; false when the ring is full. */
export function tryWriteScan(
  producer: RingProducer,
  callId: number,
  slotMapEpoch: number,
  scan: ScanParameters,
): boolean {
  const { snapshotId, from, to, reverse, limit, bytesMax, keysOnly } = scan;
  const bounds = [from ?? null, to ?? null];
  const fields = encodeMessage([snapshotId, ...bounds, reverse, limit, bytesMax, keysOnly]);
  const at = producer.tryReserve(REQUEST_FOURTH_AT + fields.length);
  if (at < 0) return false;
  putRequestHead(producer, at, MESSAGE_SCAN, callId, slotMapEpoch);
  producer.bytes.set(fields, at + REQUEST_FOURTH_AT);
  producer.commit(REQUEST_FOURTH_AT + fields.length);
  return true;
}

/** Sends a SCAN_END; false when the ring is full. */
export function tryWriteScanEnd(
  producer: RingProducer,
  callId: number,
  slotMapEpoch: number,
  snapshotId: number,
): boolean {
  const at = producer.tryReserve(SCAN_END_BYTES);
  if (at < 0) return false;
  putRequestHead(producer, at, MESSAGE_SCAN_END, callId, slotMapEpoch);
  putUint64(producer.bytes, producer.view, at + REQUEST_FOURTH_AT, snapshotId);
  producer.commit(SCAN_END_BYTES);
  return true;
}

/** Answers a part of a MULTI_GET with the items from `start`; false when the ring is full. */
export function tryWriteValues(
  producer: RingProducer,
  callId: number,
  done: boolean,
  source: Uint8Array,
  start: number,
  length: number,
): boolean {
  const at = producer.tryReserve(VALUES_OVERHEAD_BYTES + length);
  if (at < 0) return false;
  putFrameHead(producer.bytes, producer.view, at, ARRAY_4, MESSAGE_VALUES, callId);
  putItems(producer, at + THIRD_AT, done, source, start, length);
  producer.commit(VALUES_OVERHEAD_BYTES + length);
  return true;
}

/** Answers a TTL; `remainingMs` 0 = never expires. False when the ring is full. */
export function tryWriteTtl(
  producer: RingProducer,
  callId: number,
  sequence: number,
  remainingMs: number,
): boolean {
  const at = producer.tryReserve(TTL_IS_BYTES);
  if (at < 0) return false;
  const { bytes, view } = producer;
  putFrameHead(bytes, view, at, ARRAY_4, MESSAGE_TTL_IS, callId);
  putUint64(bytes, view, at + THIRD_AT, sequence);
  putUint64(bytes, view, at + THIRD_AT + UINT_64_BYTES, remainingMs);
  producer.commit(TTL_IS_BYTES);
  return true;
}

/** Answers a SCAN with the items from `start`; false when the ring is full. */
export function tryWritePage(
  producer: RingProducer,
  callId: number,
  snapshotId: number,
  done: boolean,
  source: Uint8Array,
  start: number,
  length: number,
): boolean {
  const at = producer.tryReserve(PAGE_OVERHEAD_BYTES + length);
  if (at < 0) return false;
  putFrameHead(producer.bytes, producer.view, at, ARRAY_5, MESSAGE_PAGE, callId);
  putUint64(producer.bytes, producer.view, at + THIRD_AT, snapshotId);
  putItems(producer, at + THIRD_AT + UINT_64_BYTES, done, source, start, length);
  producer.commit(PAGE_OVERHEAD_BYTES + length);
  return true;
}

/** The parameters of a SCAN whose head is known to be sound. Throws INTERNAL. */
export function readScan(consumer: RingConsumer): ScanParameters {
  const { bytes, frameStart, frameLength } = consumer;
  const fault = () => malformed('request', MESSAGE_SCAN, frameLength);
  if (bytes[frameStart] !== ARRAY_4 || frameLength <= REQUEST_FOURTH_AT) throw fault();
  const start = frameStart + REQUEST_FOURTH_AT;
  const fields = decodeMessage(bytes, start, frameLength - REQUEST_FOURTH_AT);
  if (!Array.isArray(fields) || fields.length !== 7) throw fault();
  const [snapshotId, from, to, reverse, limit, bytesMax, keysOnly] = fields as unknown[];
  const isSound =
    isUint(snapshotId, 0, Number.MAX_SAFE_INTEGER) &&
    isBound(from) &&
    isBound(to) &&
    typeof reverse === 'boolean' &&
    isUint(limit, 1, 0xffff_ffff) &&
    isUint(bytesMax, 1, 0xffff_ffff) &&
    typeof keysOnly === 'boolean';
  if (!isSound) throw fault();
  const bounds = { from: from ?? undefined, to: to ?? undefined };
  return { snapshotId, ...bounds, reverse, limit, bytesMax, keysOnly };
}

/** The snapshot of a SCAN_END whose head is known to be sound. Throws INTERNAL. */
export function readScanEnd(consumer: RingConsumer): number {
  const { bytes, view, frameStart: at, frameLength } = consumer;
  const isTagged = bytes[at] === ARRAY_4 && bytes[at + REQUEST_FOURTH_AT] === UINT_64;
  const isSound = isTagged && frameLength === SCAN_END_BYTES;
  const snapshotId = isSound ? readUint64(view, at + REQUEST_FOURTH_AT) : Infinity;
  if (Number.isSafeInteger(snapshotId)) return snapshotId;
  throw malformed('request', MESSAGE_SCAN_END, frameLength);
}

/** Reads a VALUES, TTL_IS or PAGE whose head is known to be sound. Throws INTERNAL. */
export function readReadReply(consumer: RingConsumer, type: number, into: ReadReply): void {
  const { bytes, view, frameStart: at, frameLength: length } = consumer;
  const isPage = type === MESSAGE_PAGE;
  const fault = () => malformed('reply', type, length);
  if (bytes[at] !== (isPage ? ARRAY_5 : ARRAY_4)) throw fault();
  if (type === MESSAGE_VALUES) {
    readItems(consumer, type, THIRD_AT, into);
    return;
  }
  if (length < THIRD_AT + UINT_64_BYTES || bytes[at + THIRD_AT] !== UINT_64) throw fault();
  const number = readUint64(view, at + THIRD_AT);
  if (!Number.isSafeInteger(number)) throw fault();
  const fourthAt = at + THIRD_AT + UINT_64_BYTES;
  if (isPage) {
    into.snapshotId = number;
    readItems(consumer, type, THIRD_AT + UINT_64_BYTES, into);
    return;
  }
  if (length !== TTL_IS_BYTES || bytes[fourthAt] !== UINT_64) throw fault();
  into.sequence = number;
  into.remainingMs = readUint64(view, fourthAt);
  if (into.remainingMs > TTL_MS_MAX) throw fault();
}

function readItems(consumer: RingConsumer, type: number, doneAt: number, into: ReadReply): void {
  const { bytes, view, frameStart: at, frameLength: length } = consumer;
  const headLength = doneAt + DONE_BYTES + BIN_32_BYTES;
  const done = bytes[at + doneAt];
  const binAt = at + doneAt + DONE_BYTES;
  const isSound =
    length >= headLength && (done === TRUE || done === FALSE) && bytes[binAt] === BIN_32;
  if (!isSound || view.getUint32(binAt + 1) !== length - headLength) {
    throw malformed('reply', type, length);
  }
  into.isDone = done === TRUE;
  into.itemsStart = at + headLength;
  into.itemsLength = length - headLength;
}

function putItems(
  { bytes, view }: RingProducer,
  at: number,
  done: boolean,
  source: Uint8Array,
  start: number,
  length: number,
): void {
  bytes[at] = done ? TRUE : FALSE;
  bytes[at + DONE_BYTES] = BIN_32;
  view.setUint32(at + DONE_BYTES + 1, length);
  const to = at + DONE_BYTES + BIN_32_BYTES;
  bytes.set(source.subarray(start, start + length), to);
}

function putRequestHead(
  { bytes, view }: RingProducer,
  at: number,
  type: number,
  callId: number,
  slotMapEpoch: number,
): void {
  putFrameHead(bytes, view, at, ARRAY_4, type, callId);
  putUint32(bytes, view, at + THIRD_AT, slotMapEpoch);
}

function isUint(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

function isBound(value: unknown): value is Uint8Array | null {
  return value === null || value instanceof Uint8Array;
}
