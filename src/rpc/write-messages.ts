/**
 * The rarer messages of the write lanes (docs/formats/messages.md):
 *
 *   95 | 3 | ce u32 callId | ce u32 epoch | c6 u32 n, run | dd u32 n, n conditions    WRITE_IF
 *        condition: 92 | ce u32 index | cf u64 version
 *   95 | 4 | ce u32 callId | ce u32 epoch | c6 u32 n, key | cf u64 ttlMs              EXPIRE
 *   94 | 22 | ce u32 callId | ce u32 index | cf u64 version                    CONDITION_FAILED
 */
import { TTL_MS_MAX } from '../base/entry-run.js';
import {
  ARRAY_2,
  ARRAY_4,
  ARRAY_5,
  ARRAY_32,
  BIN_32,
  BIN_32_BYTES,
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
import type { RingConsumer, RingProducer } from './ring-channel.js';

export const MESSAGE_WRITE_IF = 3;
export const MESSAGE_EXPIRE = 4;
export const MESSAGE_CONDITION_FAILED = 22;

/** The entry of the run at `index` is written only while its key has this version; 0 = absent. */
export interface Condition {
  readonly index: number;
  readonly version: number;
}

const PAYLOAD_AT = REQUEST_FOURTH_AT + BIN_32_BYTES;
const ARRAY_32_BYTES = 5;
const CONDITION_BYTES = 1 + UINT_32_BYTES + UINT_64_BYTES;
const CONDITION_FAILED_BYTES = THIRD_AT + UINT_32_BYTES + UINT_64_BYTES;

/** Body bytes of a WRITE_IF frame. */
export function writeIfBytes(runLength: number, conditionCount: number): number {
  return PAYLOAD_AT + runLength + ARRAY_32_BYTES + conditionCount * CONDITION_BYTES;
}

/** Body bytes of an EXPIRE frame. */
export function expireBytes(keyLength: number): number {
  return PAYLOAD_AT + keyLength + UINT_64_BYTES;
}

/**
 * Begins a WRITE_IF whose run the caller writes in place. Returns the run's offset in
 * `producer.bytes`, or −1 when the ring is full; finish with `producer.commit(writeIfBytes(…))`.
 */
export function tryReserveWriteIf(
  producer: RingProducer,
  callId: number,
  slotMapEpoch: number,
  runLength: number,
  conditions: readonly Condition[],
): number {
  const at = producer.tryReserve(writeIfBytes(runLength, conditions.length));
  if (at < 0) return -1;
  const { bytes, view } = producer;
  putHead(producer, at, MESSAGE_WRITE_IF, callId, slotMapEpoch, runLength);
  let to = at + PAYLOAD_AT + runLength;
  bytes[to] = ARRAY_32;
  view.setUint32(to + 1, conditions.length);
  to += ARRAY_32_BYTES;
  for (const { index, version } of conditions) {
    bytes[to] = ARRAY_2;
    putUint32(bytes, view, to + 1, index);
    putUint64(bytes, view, to + 1 + UINT_32_BYTES, version);
    to += CONDITION_BYTES;
  }
  return at + PAYLOAD_AT;
}

/** Sends an EXPIRE; false when the ring is full. `ttlMs` 0 = the key never expires. */
export function tryWriteExpire(
  producer: RingProducer,
  callId: number,
  slotMapEpoch: number,
  key: Uint8Array,
  ttlMs: number,
): boolean {
  const at = producer.tryReserve(expireBytes(key.length));
  if (at < 0) return false;
  putHead(producer, at, MESSAGE_EXPIRE, callId, slotMapEpoch, key.length);
  producer.bytes.set(key, at + PAYLOAD_AT);
  putUint64(producer.bytes, producer.view, at + PAYLOAD_AT + key.length, ttlMs);
  producer.commit(expireBytes(key.length));
  return true;
}

/** Refuses a WRITE_IF: the key of that entry has `version` now (0 = none); false when full. */
export function tryWriteConditionFailed(
  producer: RingProducer,
  callId: number,
  index: number,
  version: number,
): boolean {
  const at = producer.tryReserve(CONDITION_FAILED_BYTES);
  if (at < 0) return false;
  const { bytes, view } = producer;
  putFrameHead(bytes, view, at, ARRAY_4, MESSAGE_CONDITION_FAILED, callId);
  putUint32(bytes, view, at + THIRD_AT, index);
  putUint64(bytes, view, at + THIRD_AT + UINT_32_BYTES, version);
  producer.commit(CONDITION_FAILED_BYTES);
  return true;
}

/**
 * Length of the run or key of a WRITE_IF or EXPIRE, whose head is known to be sound. Throws
 * INTERNAL when what follows the head is not.
 */
export function payloadLengthOf(consumer: RingConsumer, type: number): number {
  const { bytes, view, frameStart: at, frameLength: length } = consumer;
  if (length < PAYLOAD_AT || bytes[at] !== ARRAY_5 || bytes[at + REQUEST_FOURTH_AT] !== BIN_32) {
    throw malformed('request', type, length);
  }
  const payloadLength = view.getUint32(at + REQUEST_FOURTH_AT + 1);
  if (payloadLength > length - PAYLOAD_AT) throw malformed('request', type, length);
  return payloadLength;
}

/** The conditions of a WRITE_IF: at least one, their indexes rising. */
export function readConditions(consumer: RingConsumer, runLength: number): Condition[] {
  const { bytes, view, frameStart, frameLength } = consumer;
  const fault = () => malformed('request', MESSAGE_WRITE_IF, frameLength);
  let at = frameStart + PAYLOAD_AT + runLength;
  const rest = frameStart + frameLength - at - ARRAY_32_BYTES;
  if (rest < CONDITION_BYTES || bytes[at] !== ARRAY_32) throw fault();
  if (view.getUint32(at + 1) * CONDITION_BYTES !== rest) throw fault();
  const conditions: Condition[] = [];
  let indexBefore = -1;
  for (at += ARRAY_32_BYTES; at < frameStart + frameLength; at += CONDITION_BYTES) {
    const versionAt = at + 1 + UINT_32_BYTES;
    const isTagged =
      bytes[at] === ARRAY_2 && bytes[at + 1] === UINT_32 && bytes[versionAt] === UINT_64;
    const index = view.getUint32(at + 2);
    const version = readUint64(view, versionAt);
    if (!isTagged || index <= indexBefore || !Number.isSafeInteger(version)) throw fault();
    conditions.push({ index, version });
    indexBefore = index;
  }
  return conditions;
}

/** The duration of an EXPIRE. */
export function readTtlMs(consumer: RingConsumer, keyLength: number): number {
  const { bytes, view, frameStart, frameLength } = consumer;
  const at = frameStart + PAYLOAD_AT + keyLength;
  const isSound = frameLength === expireBytes(keyLength) && bytes[at] === UINT_64;
  const ttlMs = isSound ? readUint64(view, at) : Infinity;
  if (ttlMs > TTL_MS_MAX) throw malformed('request', MESSAGE_EXPIRE, frameLength);
  return ttlMs;
}

/** What a CONDITION_FAILED says. */
export function readConditionFailed(consumer: RingConsumer): Condition {
  const { bytes, view, frameStart: at, frameLength } = consumer;
  const versionAt = at + THIRD_AT + UINT_32_BYTES;
  const isSound =
    frameLength === CONDITION_FAILED_BYTES &&
    bytes[at] === ARRAY_4 &&
    bytes[at + THIRD_AT] === UINT_32 &&
    bytes[versionAt] === UINT_64;
  const version = isSound ? readUint64(view, versionAt) : Infinity;
  if (!Number.isSafeInteger(version)) {
    throw malformed('reply', MESSAGE_CONDITION_FAILED, frameLength);
  }
  return { index: view.getUint32(at + THIRD_AT + 1), version };
}

function putHead(
  producer: RingProducer,
  at: number,
  type: number,
  callId: number,
  slotMapEpoch: number,
  payloadLength: number,
): void {
  const { bytes, view } = producer;
  putFrameHead(bytes, view, at, ARRAY_5, type, callId);
  putUint32(bytes, view, at + THIRD_AT, slotMapEpoch);
  bytes[at + REQUEST_FOURTH_AT] = BIN_32;
  view.setUint32(at + REQUEST_FOURTH_AT + 1, payloadLength);
}
