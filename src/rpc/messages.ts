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
 */
import { ERROR_CODES, type ErrorCode, type Outcome, StormError } from '../base/errors.js';
import { decodeMessage, encodeMessage } from './message-codec.js';
import type { RingConsumer, RingProducer } from './ring-channel.js';
import { frameBytes } from './ring-layout.js';

/** Numbers are never reused; docs/formats/messages.md lists those reserved. */
export const MESSAGE_WRITE = 1;
export const MESSAGE_GET = 2;
export const MESSAGE_WRITTEN = 16;
export const MESSAGE_VALUE = 17;
export const MESSAGE_MISSING = 18;
export const MESSAGE_FAILED = 19;

const ARRAY_2 = 0x92;
const ARRAY_4 = 0x94;
const ARRAY_6 = 0x96;
const BIN_32 = 0xc6;
const UINT_32 = 0xce;
const UINT_64 = 0xcf;

const CALL_ID_AT = 2;
const THIRD_AT = 7;
/** WRITE and GET: where the bin header begins. */
const REQUEST_BIN_AT = 12;
const REQUEST_HEADER_BYTES = REQUEST_BIN_AT + 5;
/** WRITTEN: the count; VALUE: the bin header; both behind a u64. */
const REPLY_FOURTH_AT = 16;
const WRITTEN_BYTES = REPLY_FOURTH_AT + 5;
const VALUE_HEADER_BYTES = REPLY_FOURTH_AT + 5;
const MISSING_BYTES = 7;

/** A failure's text is cut to this many bytes of UTF-8. */
export const FAILURE_TEXT_BYTES_MAX = 512;
const CODE_BYTES_MAX = 32;
const FAILED_BYTES_MAX = 2 + 5 + (2 + CODE_BYTES_MAX) + 1 + 5 + (3 + FAILURE_TEXT_BYTES_MAX);
const RETRY_AFTER_MS_MAX = 0xffff_ffff;

/** The ring bytes of a WRITTEN frame, header included. */
export const WRITTEN_REPLY_BYTES = frameBytes(WRITTEN_BYTES);
/** The most ring bytes that a WRITTEN, MISSING or FAILED frame takes, header included. */
export const REPLY_BYTES_MAX_SMALL = frameBytes(FAILED_BYTES_MAX);

/** The ring bytes of a VALUE frame, header included. */
export function valueReplyBytes(valueLength: number): number {
  return frameBytes(VALUE_HEADER_BYTES + valueLength);
}

/** The longest value that fits a frame of `frameBytesMax`. */
export function valueBytesMaxOf(frameBytesMax: number): number {
  return frameBytesMax - VALUE_HEADER_BYTES;
}

/** Body bytes of a WRITE or GET frame. */
export function requestBytes(payloadLength: number): number {
  return REQUEST_HEADER_BYTES + payloadLength;
}

/** A request as `decodeRequest` found it; the payload lies in the consumer's `bytes`. */
export class RequestView {
  type = 0;
  callId = 0;
  slotMapEpoch = 0;
  payloadStart = 0;
  payloadLength = 0;
}

/** A reply as `decodeReply` found it; which fields hold depends on the type. */
export class ReplyView {
  type = 0;
  callId = 0;
  /** VALUE: of the version read; WRITTEN: of the first entry. */
  sequence = 0;
  /** WRITTEN: how many entries, and so sequence numbers, the write had. */
  count = 0;
  /** VALUE: lies in the consumer's `bytes`, until its release. */
  valueStart = 0;
  valueLength = 0;
  /** FAILED. */
  error: StormError | undefined = undefined;
}

/**
 * Begins a request whose payload the caller writes in place. Returns the payload's offset in
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
  bytes[at] = ARRAY_4;
  bytes[at + 1] = type;
  putUint32(bytes, view, at + CALL_ID_AT, callId);
  putUint32(bytes, view, at + THIRD_AT, slotMapEpoch);
  bytes[at + REQUEST_BIN_AT] = BIN_32;
  view.setUint32(at + REQUEST_BIN_AT + 1, payloadLength);
  return at + REQUEST_HEADER_BYTES;
}

/** Publishes the request begun last, with the payload length it was begun with. */
export function commitRequest(producer: RingProducer, payloadLength: number): void {
  producer.commit(REQUEST_HEADER_BYTES + payloadLength);
}

/** Reads the frame that `consumer.tryRead()` moved to. Throws INTERNAL when it is malformed. */
export function decodeRequest(consumer: RingConsumer, into: RequestView): void {
  const { bytes, view, frameStart: at, frameLength: length } = consumer;
  const type = length >= REQUEST_HEADER_BYTES ? bytes[at + 1]! : -1;
  const isKnown = type === MESSAGE_WRITE || type === MESSAGE_GET;
  const isSound =
    isKnown &&
    bytes[at] === ARRAY_4 &&
    bytes[at + CALL_ID_AT] === UINT_32 &&
    bytes[at + THIRD_AT] === UINT_32 &&
    bytes[at + REQUEST_BIN_AT] === BIN_32;
  if (!isSound) throw malformed('request', type, length);
  const payloadLength = view.getUint32(at + REQUEST_BIN_AT + 1);
  if (payloadLength !== length - REQUEST_HEADER_BYTES) throw malformed('request', type, length);
  into.type = type;
  into.callId = view.getUint32(at + CALL_ID_AT + 1);
  into.slotMapEpoch = view.getUint32(at + THIRD_AT + 1);
  into.payloadStart = at + REQUEST_HEADER_BYTES;
  into.payloadLength = payloadLength;
}

/** Answers a WRITE; false when the ring is full. `firstSequence` is below 2^53. */
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

/** Answers a GET whose key has no value; false when the ring is full. */
export function tryWriteMissing(producer: RingProducer, callId: number): boolean {
  const at = producer.tryReserve(MISSING_BYTES);
  if (at < 0) return false;
  producer.bytes[at] = ARRAY_2;
  producer.bytes[at + 1] = MESSAGE_MISSING;
  putUint32(producer.bytes, producer.view, at + CALL_ID_AT, callId);
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
  const outcome = error.outcome === 'unknown' ? 1 : 0;
  const retryAfterMs = Math.ceil(Math.min(error.retryAfterMs ?? 0, RETRY_AFTER_MS_MAX));
  const text = cutUtf8(error.message, FAILURE_TEXT_BYTES_MAX);
  const frame = encodeMessage([MESSAGE_FAILED, callId, error.code, outcome, retryAfterMs, text]);
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
  if (type === MESSAGE_FAILED) {
    decodeFailure(consumer, into);
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
  into.sequence = view.getUint32(at + THIRD_AT + 1) * 2 ** 32 + view.getUint32(at + THIRD_AT + 5);
  const fourth = view.getUint32(at + REPLY_FOURTH_AT + 1);
  const rest = length - VALUE_HEADER_BYTES;
  if (rest !== (type === MESSAGE_VALUE ? fourth : 0)) throw malformed('reply', type, length);
  into.count = type === MESSAGE_WRITTEN ? fourth : 0;
  into.valueStart = at + VALUE_HEADER_BYTES;
  into.valueLength = rest;
}

function decodeFailure(consumer: RingConsumer, into: ReplyView): void {
  const { bytes, frameStart, frameLength } = consumer;
  const fields = decodeMessage(bytes, frameStart, frameLength);
  if (bytes[frameStart] !== ARRAY_6 || !Array.isArray(fields)) {
    throw malformed('reply', MESSAGE_FAILED, frameLength);
  }
  const [, callId, code, outcome, retryAfterMs, text] = fields as unknown[];
  const isSound =
    typeof callId === 'number' &&
    isErrorCode(code) &&
    (outcome === 0 || outcome === 1) &&
    typeof retryAfterMs === 'number' &&
    typeof text === 'string';
  if (!isSound) throw malformed('reply', MESSAGE_FAILED, frameLength);
  const known: Outcome = outcome === 1 ? 'unknown' : 'not-applied';
  const hint = retryAfterMs === 0 ? {} : { retryAfterMs };
  into.callId = callId;
  into.error = new StormError(code, text, { outcome: known, ...hint });
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && (ERROR_CODES as readonly string[]).includes(code);
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
  bytes[at] = ARRAY_4;
  bytes[at + 1] = type;
  putUint32(bytes, view, at + CALL_ID_AT, callId);
  bytes[at + THIRD_AT] = UINT_64;
  view.setUint32(at + THIRD_AT + 1, Math.floor(sequence / 2 ** 32));
  view.setUint32(at + THIRD_AT + 5, sequence >>> 0);
}

function putUint32(bytes: Uint8Array, view: DataView, at: number, value: number): void {
  bytes[at] = UINT_32;
  view.setUint32(at + 1, value);
}

/** The longest beginning of `text` that has at most `bytesMax` bytes and no half character. */
function cutUtf8(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

function malformed(what: string, type: number, length: number): StormError {
  return new StormError('INTERNAL', `Malformed ${what}: type ${type}, ${length} bytes`, {
    outcome: 'unknown',
  });
}
