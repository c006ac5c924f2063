/**
 * Messages between routers and shards. Every ring frame is one msgpack array, its first element the
 * type, its second the id of the call (docs/formats/messages.md has the table and an example in
 * hex). Any msgpack decoder reads them; ours reads and writes the frequent ones in place, with
 * fixed-width integers at fixed offsets, so that no object is made and no length is measured twice.
 *
 *   94 | type | ce u32 callId | ce u32 slotMapEpoch | c6 u32 n, n bytes      WRITE, GET
 *   94 | type | ce u32 callId | cf u64 firstSequence | ce u32 count          WRITTEN
 *   94 | type | ce u32 callId | cf u64 sequence | c6 u32 n, n bytes          VALUE
 *   92 | type | ce u32 callId                                                MISSING
 *   96 | type | callId, code, outcome, retryAfterMs, message                 FAILED
 *
 * Here are those, and the decoders of all; the rarer ones are in read-messages.ts and
 * write-messages.ts.
 */
import type { StormError } from '../base/errors.js';
import { MESSAGE_CHANGES } from './change-messages.js';
import {
  decodeFailure,
  encodeFailure,
  FAILED_BYTES_MAX,
  MESSAGE_FAILED,
} from './failure-message.js';
import {
  ARRAY_2,
  ARRAY_4,
  BIN_32,
  BIN_32_BYTES,
  CALL_ID_AT,
  malformed,
  putFrameHead,
  putUint32,
  putUint64,
  REQUEST_FOURTH_AT,
  readUint64,
  THIRD_AT,
  UINT_32,
  UINT_32_BYTES,
  UINT_64,
  UINT_64_BYTES,
} from './message-bytes.js';
import {
  MESSAGE_MULTI_GET,
  MESSAGE_PAGE,
  MESSAGE_SCAN,
  MESSAGE_SCAN_END,
  MESSAGE_TTL,
  MESSAGE_TTL_IS,
  MESSAGE_VALUES,
  type ReadReply,
  readReadReply,
  readScan,
  readScanEnd,
  type ScanParameters,
} from './read-messages.js';
import type { RingConsumer, RingProducer } from './ring-channel.js';
import { frameBytes } from './ring-layout.js';
import {
  type Condition,
  MESSAGE_CONDITION_FAILED,
  MESSAGE_EXPIRE,
  MESSAGE_WRITE_IF,
  payloadLengthOf,
  readConditionFailed,
  readConditions,
  readTtlMs,
} from './write-messages.js';

/** Numbers are never reused; docs/formats/messages.md lists those reserved. */
export const MESSAGE_WRITE = 1;
export const MESSAGE_GET = 2;
export const MESSAGE_WRITTEN = 16;
export const MESSAGE_VALUE = 17;
export const MESSAGE_MISSING = 18;

const REQUEST_HEADER_BYTES = REQUEST_FOURTH_AT + BIN_32_BYTES;
/** WRITTEN: the count; VALUE: the bin header; both behind a u64. */
const REPLY_FOURTH_AT = THIRD_AT + UINT_64_BYTES;
const WRITTEN_BYTES = REPLY_FOURTH_AT + UINT_32_BYTES;
const VALUE_HEADER_BYTES = REPLY_FOURTH_AT + BIN_32_BYTES;
const MISSING_BYTES = CALL_ID_AT + UINT_32_BYTES;

/** The ring bytes of a WRITTEN frame, header included. */
export const WRITTEN_REPLY_BYTES = frameBytes(WRITTEN_BYTES);
/** The most ring bytes that any reply without values takes, header included. */
export const REPLY_BYTES_MAX_SMALL = frameBytes(FAILED_BYTES_MAX);

/** The ring bytes of a VALUE frame, header included. */
export function valueReplyBytes(valueLength: number): number {
  return frameBytes(VALUE_HEADER_BYTES + valueLength);
}

/** The longest value that fits a frame of `frameBytesMax`. */
export function valueBytesMaxOf(frameBytesMax: number): number {
  return frameBytesMax - VALUE_HEADER_BYTES;
}

/** Body bytes of a WRITE, GET, MULTI_GET or TTL frame. */
export function requestBytes(payloadLength: number): number {
  return REQUEST_HEADER_BYTES + payloadLength;
}

/**
 * A request as `decodeRequest` found it; the payload (an entry run, a key, keys) lies in the
 * consumer's `bytes`. Whether `ttlMs` and `snapshotId` hold depends on the type.
 */
export class RequestView {
  type = 0;
  callId = 0;
  slotMapEpoch = 0;
  payloadStart = 0;
  payloadLength = 0;
  /** WRITE_IF: rising by index; whether the run has such entries is for its reader to find. */
  conditions: readonly Condition[] | undefined = undefined;
  /** EXPIRE: 0 = never. */
  ttlMs = 0;
  scan: ScanParameters | undefined = undefined;
  /** SCAN_END. */
  snapshotId = 0;
}

/** A reply as `decodeReply` found it; which fields hold depends on the type. */
export class ReplyView implements ReadReply {
  type = 0;
  callId = 0;
  /** VALUE, TTL_IS: of the version read; WRITTEN: of the first entry. */
  sequence = 0;
  /** WRITTEN: how many entries, and so sequence numbers, the write had. */
  count = 0;
  /** VALUE: lies in the consumer's `bytes`, until its release. */
  valueStart = 0;
  valueLength = 0;
  /** VALUES, PAGE: lie in the consumer's `bytes`, until its release. */
  itemsStart = 0;
  itemsLength = 0;
  isDone = false;
  snapshotId = 0;
  remainingMs = 0;
  /** CONDITION_FAILED: which entry, and its version now. */
  conflict: Condition | undefined = undefined;
  /** FAILED. */
  error: StormError | undefined = undefined;
}

/**
 * Begins a WRITE, GET, MULTI_GET or TTL whose payload the caller writes in place. Returns the
 * payload's offset in
 * `producer.bytes`, or −1 when the ring is full; finish with `commitRequest`.
 */
export function tryReserveRequest(
  producer: RingProducer,
  type: number,
  callId: number,
  slotMapEpoch: number,
  payloadLength: number,
): number {
  const at = producer.tryReserve(REQUEST_HEADER_BYTES + payloadLength);
  if (at < 0) return -1;
  const { bytes, view } = producer;
  putFrameHead(bytes, view, at, ARRAY_4, type, callId);
  putUint32(bytes, view, at + THIRD_AT, slotMapEpoch);
  bytes[at + REQUEST_FOURTH_AT] = BIN_32;
  view.setUint32(at + REQUEST_FOURTH_AT + 1, payloadLength);
  return at + REQUEST_HEADER_BYTES;
}

/** Publishes the request begun last, with the payload length it was begun with. */
export function commitRequest(producer: RingProducer, payloadLength: number): void {
  producer.commit(REQUEST_HEADER_BYTES + payloadLength);
}

/** Reads the frame that `consumer.tryRead()` moved to. Throws INTERNAL when it is malformed. */
export function decodeRequest(consumer: RingConsumer, into: RequestView): void {
  const { bytes, view, frameStart: at, frameLength: length } = consumer;
  const type = length >= REQUEST_FOURTH_AT ? bytes[at + 1]! : -1;
  if (type < 0 || bytes[at + CALL_ID_AT] !== UINT_32 || bytes[at + THIRD_AT] !== UINT_32) {
    throw malformed('request', type, length);
  }
  into.type = type;
  into.callId = view.getUint32(at + CALL_ID_AT + 1);
  into.slotMapEpoch = view.getUint32(at + THIRD_AT + 1);
  into.payloadStart = at + REQUEST_HEADER_BYTES;
  into.conditions = undefined;
  into.scan = undefined;
  switch (type) {
    case MESSAGE_WRITE:
    case MESSAGE_GET:
    case MESSAGE_MULTI_GET:
    case MESSAGE_TTL:
    case MESSAGE_CHANGES:
      into.payloadLength = length - REQUEST_HEADER_BYTES;
      if (!hasOnlyPayload(consumer)) throw malformed('request', type, length);
      return;
    default:
      decodeRareRequest(consumer, into);
  }
}

function hasOnlyPayload({ bytes, view, frameStart: at, frameLength: length }: RingConsumer) {
  return (
    length >= REQUEST_HEADER_BYTES &&
    bytes[at] === ARRAY_4 &&
    bytes[at + REQUEST_FOURTH_AT] === BIN_32 &&
    view.getUint32(at + REQUEST_FOURTH_AT + 1) === length - REQUEST_HEADER_BYTES
  );
}

function decodeRareRequest(consumer: RingConsumer, into: RequestView): void {
  const { type } = into;
  into.payloadLength = 0;
  switch (type) {
    case MESSAGE_WRITE_IF:
      into.payloadLength = payloadLengthOf(consumer, type);
      into.conditions = readConditions(consumer, into.payloadLength);
      return;
    case MESSAGE_EXPIRE:
      into.payloadLength = payloadLengthOf(consumer, type);
      into.ttlMs = readTtlMs(consumer, into.payloadLength);
      return;
    case MESSAGE_SCAN:
      into.scan = readScan(consumer);
      return;
    case MESSAGE_SCAN_END:
      into.snapshotId = readScanEnd(consumer);
      return;
    default:
      throw malformed('request', type, consumer.frameLength);
  }
}

/**
 * Answers a WRITE, WRITE_IF or EXPIRE; false when the ring is full. `firstSequence` is below 2^53.
 */
export function tryWriteWritten(
  producer: RingProducer,
  callId: number,
  firstSequence: number,
  count: number,
): boolean {
  const at = producer.tryReserve(WRITTEN_BYTES);
  if (at < 0) return false;
  const { bytes, view } = producer;
  putReplyHead(bytes, view, at, MESSAGE_WRITTEN, callId, firstSequence);
  putUint32(bytes, view, at + REPLY_FOURTH_AT, count);
  producer.commit(WRITTEN_BYTES);
  return true;
}

/** Answers a GET with the `length` bytes from `start`; false when the ring is full. */
export function tryWriteValue(
  producer: RingProducer,
  callId: number,
  sequence: number,
  source: Uint8Array,
  start: number,
  length: number,
): boolean {
  const at = producer.tryReserve(VALUE_HEADER_BYTES + length);
  if (at < 0) return false;
  const { bytes, view } = producer;
  putReplyHead(bytes, view, at, MESSAGE_VALUE, callId, sequence);
  bytes[at + REPLY_FOURTH_AT] = BIN_32;
  view.setUint32(at + REPLY_FOURTH_AT + 1, length);
  bytes.set(source.subarray(start, start + length), at + VALUE_HEADER_BYTES);
  producer.commit(VALUE_HEADER_BYTES + length);
  return true;
}

/**
 * Answers a GET, TTL or EXPIRE whose key has no value, and a SCAN_END; false when the ring is full.
 */
export function tryWriteMissing(producer: RingProducer, callId: number): boolean {
  const at = producer.tryReserve(MISSING_BYTES);
  if (at < 0) return false;
  putFrameHead(producer.bytes, producer.view, at, ARRAY_2, MESSAGE_MISSING, callId);
  producer.commit(MISSING_BYTES);
  return true;
}

/** Answers any request with an error; false when the ring is full. */
export function tryWriteFailure(
  producer: RingProducer,
  callId: number,
  error: StormError,
): boolean {
  const at = producer.tryReserve(FAILED_BYTES_MAX);
  if (at < 0) return false;
  const frame = encodeFailure(callId, error);
  producer.bytes.set(frame, at);
  producer.commit(frame.length);
  return true;
}

/** Reads the frame that `consumer.tryRead()` moved to. Throws INTERNAL when it is malformed. */
export function decodeReply(consumer: RingConsumer, into: ReplyView): void {
  const { bytes, view, frameStart: at, frameLength: length } = consumer;
  const type = length >= MISSING_BYTES ? bytes[at + 1]! : -1;
  into.type = type;
  into.error = undefined;
  if (type > MESSAGE_MISSING) {
    decodeRareReply(consumer, into);
    return;
  }
  const isSound =
    bytes[at + CALL_ID_AT] === UINT_32 &&
    ((type === MESSAGE_MISSING && bytes[at] === ARRAY_2 && length === MISSING_BYTES) ||
      (type === MESSAGE_WRITTEN && hasSequence(bytes, at, length, UINT_32)) ||
      (type === MESSAGE_VALUE && hasSequence(bytes, at, length, BIN_32)));
  if (!isSound) throw malformed('reply', type, length);
  into.callId = view.getUint32(at + CALL_ID_AT + 1);
  if (type === MESSAGE_MISSING) return;
  into.sequence = readUint64(view, at + THIRD_AT);
  const fourth = view.getUint32(at + REPLY_FOURTH_AT + 1);
  const rest = length - VALUE_HEADER_BYTES;
  if (rest !== (type === MESSAGE_VALUE ? fourth : 0)) throw malformed('reply', type, length);
  into.count = type === MESSAGE_WRITTEN ? fourth : 0;
  into.valueStart = at + VALUE_HEADER_BYTES;
  into.valueLength = rest;
}

function decodeRareReply(consumer: RingConsumer, into: ReplyView): void {
  const { bytes, view, frameStart: at, frameLength: length } = consumer;
  const { type } = into;
  if (type === MESSAGE_FAILED) {
    const { callId, error } = decodeFailure(consumer);
    into.callId = callId;
    into.error = error;
    return;
  }
  if (bytes[at + CALL_ID_AT] !== UINT_32) throw malformed('reply', type, length);
  into.callId = view.getUint32(at + CALL_ID_AT + 1);
  if (type === MESSAGE_CONDITION_FAILED) into.conflict = readConditionFailed(consumer);
  else if (type === MESSAGE_VALUES || type === MESSAGE_TTL_IS || type === MESSAGE_PAGE) {
    readReadReply(consumer, type, into);
  } else throw malformed('reply', type, length);
}

function hasSequence(bytes: Uint8Array, at: number, length: number, fourth: number): boolean {
  return (
    length >= VALUE_HEADER_BYTES &&
    bytes[at] === ARRAY_4 &&
    bytes[at + THIRD_AT] === UINT_64 &&
    bytes[at + REPLY_FOURTH_AT] === fourth
  );
}

function putReplyHead(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  type: number,
  callId: number,
  sequence: number,
): void {
  putFrameHead(bytes, view, at, ARRAY_4, type, callId);
  putUint64(bytes, view, at + THIRD_AT, sequence);
}
