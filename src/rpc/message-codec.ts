/**
 * msgpack for what is rare: failures and control messages. The only importer of msgpackr. Frequent
 * messages are written and read in place by messages.ts.
 */
import { Packr, Unpackr } from 'msgpackr';
import { messageOf, StormError } from '../base/errors.js';

// Plain msgpack: no record extension, no structured clone, 64-bit integers as numbers.
const OPTIONS = { useRecords: false, int64AsType: 'number', moreTypes: false } as const;
const packr = new Packr(OPTIONS);
const unpackr = new Unpackr(OPTIONS);

/** The msgpack bytes of a value made of numbers, strings, bytes, arrays and plain objects. */
export function encodeMessage(value: unknown): Uint8Array {
  return packr.pack(value);
}

/**
 * The value in `length` bytes from `start`. Nothing in it refers to `bytes` (which may be a ring).
 * Malformed bytes throw INTERNAL: only our own threads speak here.
 */
export function decodeMessage(bytes: Uint8Array, start: number, length: number): unknown {
  // A copy, because decoded binaries point into what they were decoded from.
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(start, start + length));
  try {
    return unpackr.unpack(copy);
  } catch (cause) {
    throw new StormError('INTERNAL', `Malformed message of ${length} bytes: ${messageOf(cause)}`, {
      cause,
    });
  }
}
