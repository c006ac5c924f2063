/** FAILED: how an error crosses the ring. Rare, so it is plain msgpack of the shortest forms. */
import { ERROR_CODES, type ErrorCode, type Outcome, StormError } from '../base/errors.js';
import { ARRAY_6, malformed } from './message-bytes.js';
import { decodeMessage, encodeMessage } from './message-codec.js';
import type { RingConsumer } from './ring-channel.js';

export const MESSAGE_FAILED = 19;
/** A failure's text is cut to this many bytes of UTF-8. */
export const FAILURE_TEXT_BYTES_MAX = 512;
const CODE_BYTES_MAX = 32;
/** The longest FAILED frame. */
export const FAILED_BYTES_MAX = 2 + 5 + (2 + CODE_BYTES_MAX) + 1 + 5 + (3 + FAILURE_TEXT_BYTES_MAX);
const RETRY_AFTER_MS_MAX = 0xffff_ffff;

/** The bytes of a FAILED frame. */
export function encodeFailure(callId: number, error: StormError): Uint8Array {
  const outcome = error.outcome === 'unknown' ? 1 : 0;
  const retryAfterMs = Math.ceil(Math.min(error.retryAfterMs ?? 0, RETRY_AFTER_MS_MAX));
  const text = cutUtf8(error.message, FAILURE_TEXT_BYTES_MAX);
  return encodeMessage([MESSAGE_FAILED, callId, error.code, outcome, retryAfterMs, text]);
}

/** Reads a FAILED frame. Throws INTERNAL when it is malformed. */
export function decodeFailure(consumer: RingConsumer): { callId: number; error: StormError } {
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
  return { callId, error: new StormError(code, text, { outcome: known, ...hint }) };
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && (ERROR_CODES as readonly string[]).includes(code);
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
