/**
 * Where things lie in a ring: named words and the frame header. docs/formats/ring.md has the
 * drawing and a worked example. Control words live in a buffer of their own, so that no copy of
 * message bytes can ever run over them; only Atomics touch them.
 */
import { assert } from '../base/assert.js';

/** Two cache lines apart: neither side's counter shares a line with the other's. */
export const WORD_HEAD = 0;
export const WORD_TAIL = 32;
export const CONTROL_BYTES = 256;

/** {u32 length, u32 sequence, u32 epoch, u32 check}. */
export const FRAME_HEADER_BYTES = 16;
/** As large as the header, so that the rest of the ring always has room for a pad's header. */
export const FRAME_ALIGN_BYTES = 16;
/** Set in `length` of a frame that only fills the ring up to its end. */
export const PAD_FLAG = 0x8000_0000;

export const RING_BYTES_MIN = 1024;
export const RING_BYTES_MAX = 2 ** 30;

/** A ring's memory; passes between threads by structured clone without copying. */
export interface RingMemory {
  control: SharedArrayBuffer;
  data: SharedArrayBuffer;
  /** Which life of the link the ring belongs to; every frame repeats it. */
  epoch: number;
}

/**
 * A fresh, empty ring. Memory is used for one producer and one consumer in one epoch, then dropped:
 * a ring whose peer died is never repaired.
 * `firstCounter` is where the 32-bit counters begin; tests start them just below their wrap.
 */
export function allocateRing(capacityBytes: number, epoch: number, firstCounter = 0): RingMemory {
  assert(
    capacityBytes >= RING_BYTES_MIN && capacityBytes <= RING_BYTES_MAX,
    `a ring has ${RING_BYTES_MIN} to ${RING_BYTES_MAX} bytes, not ${capacityBytes}`,
  );
  assert((capacityBytes & (capacityBytes - 1)) === 0, 'ring capacity is a power of two');
  assert(firstCounter % FRAME_ALIGN_BYTES === 0, 'the first counter is aligned like a frame');
  const control = new SharedArrayBuffer(CONTROL_BYTES);
  const words = new Int32Array(control);
  Atomics.store(words, WORD_HEAD, firstCounter | 0);
  Atomics.store(words, WORD_TAIL, firstCounter | 0);
  return { control, data: new SharedArrayBuffer(capacityBytes), epoch };
}

/** Bytes that a frame with a body of `length` takes in a ring. */
export function frameBytes(length: number): number {
  return (FRAME_HEADER_BYTES + length + FRAME_ALIGN_BYTES - 1) & ~(FRAME_ALIGN_BYTES - 1);
}

/** The longest body that a ring of this capacity takes: with it an empty ring is never too full. */
export function frameBodyBytesMax(capacityBytes: number): number {
  return capacityBytes / 2 - FRAME_HEADER_BYTES;
}

/** Binds the three header words together; a header of zeros does not pass. */
export function frameCheck(length: number, sequence: number, epoch: number): number {
  let mix = Math.imul(length ^ 0x5745_4253, 0x9e37_79b1);
  mix = Math.imul(mix ^ (mix >>> 15) ^ sequence, 0x85eb_ca77);
  mix = Math.imul(mix ^ (mix >>> 13) ^ epoch, 0xc2b2_ae3d);
  return (mix ^ (mix >>> 16)) >>> 0;
}
