/**
 * The bytes that all messages of docs/formats/messages.md are made of: an array's tag, the type,
 * the call's id, then integers of full width. Both ends write and read them in place.
 */
import { StormError } from '../base/errors.js';

export const ARRAY_2 = 0x92;
export const ARRAY_4 = 0x94;
export const ARRAY_5 = 0x95;
export const ARRAY_6 = 0x96;
export const NIL = 0xc0;
export const FALSE = 0xc2;
export const TRUE = 0xc3;
export const BIN_8 = 0xc4;
export const BIN_16 = 0xc5;
export const BIN_32 = 0xc6;
export const UINT_32 = 0xce;
export const UINT_64 = 0xcf;
export const ARRAY_32 = 0xdd;

/** Tag and 4, or 8, bytes of number. */
export const UINT_32_BYTES = 5;
export const UINT_64_BYTES = 9;
/** Tag and length. */
export const BIN_32_BYTES = 5;

/** Where the call's id, and the field after it, begin in every frame. */
export const CALL_ID_AT = 2;
export const THIRD_AT = CALL_ID_AT + UINT_32_BYTES;
/** Requests: where what follows the slot map's epoch begins. */
export const REQUEST_FOURTH_AT = THIRD_AT + UINT_32_BYTES;

/** Version of an entry, expiry, snapshot id: integers below 2^53 in eight bytes. */
export function putUint64(bytes: Uint8Array, view: DataView, at: number, value: number): void {
  bytes[at] = UINT_64;
  view.setUint32(at + 1, Math.floor(value / 2 ** 32));
  view.setUint32(at + 5, value >>> 0);
}

export function putUint32(bytes: Uint8Array, view: DataView, at: number, value: number): void {
  bytes[at] = UINT_32;
  view.setUint32(at + 1, value);
}

/** The number behind a `UINT_64` tag at `at`; above 2^53 it is not exact and to be refused. */
export function readUint64(view: DataView, at: number): number {
  return view.getUint32(at + 1) * 2 ** 32 + view.getUint32(at + 5);
}

/** Tag, type and call of any frame. */
export function putFrameHead(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  arrayTag: number,
  type: number,
  callId: number,
): void {
  bytes[at] = arrayTag;
  bytes[at + 1] = type;
  putUint32(bytes, view, at + CALL_ID_AT, callId);
}

/** One of our own threads sent nonsense: the link must be replaced. */
export function malformed(what: string, type: number, length: number): StormError {
  return new StormError('INTERNAL', `Malformed ${what}: type ${type}, ${length} bytes`, {
    outcome: 'unknown',
  });
}
