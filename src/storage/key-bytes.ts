/** Comparing and copying short byte strings in place: the inner loops of tables and merges. */

/** From here on one native copy is cheaper than a loop. */
const LOOP_BYTES_MAX = 128;

/** Order by bytes, a prefix before what it begins: negative, 0 or positive. */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aLength: number,
  b: Uint8Array,
  bStart: number,
  bLength: number,
): number {
  const common = Math.min(aLength, bLength);
  for (let i = 0; i < common; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** So many bytes at the head of a key make one number, exactly. */
const HEAD_BYTES = 6;

/**
 * The first six bytes as a number, zeros where there are fewer: of two keys whose heads differ, the
 * one with the smaller head comes first. Equal heads decide nothing.
 */
export function keyHead(bytes: Uint8Array, start: number, length: number): number {
  if (length < HEAD_BYTES) return shortHead(bytes, start, length);
  const high = (bytes[start]! << 16) | (bytes[start + 1]! << 8) | bytes[start + 2]!;
  const low = (bytes[start + 3]! << 16) | (bytes[start + 4]! << 8) | bytes[start + 5]!;
  return high * 2 ** 24 + low;
}

function shortHead(bytes: Uint8Array, start: number, length: number): number {
  let head = 0;
  for (let i = 0; i < HEAD_BYTES; i++) head = head * 256 + (i < length ? bytes[start + i]! : 0);
  return head;
}

/** How many bytes from the beginning the two have in common. */
export function commonPrefix(
  a: Uint8Array,
  aStart: number,
  aLength: number,
  b: Uint8Array,
  bStart: number,
  bLength: number,
): number {
  const common = Math.min(aLength, bLength);
  let i = 0;
  while (i < common && a[aStart + i] === b[bStart + i]) i++;
  return i;
}

/** Copies `length` bytes between arrays that don't overlap. */
export function copyBytes(
  from: Uint8Array,
  start: number,
  length: number,
  to: Uint8Array,
  at: number,
): void {
  if (length > LOOP_BYTES_MAX) {
    to.set(from.subarray(start, start + length), at);
    return;
  }
  for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
}

/** `bytes` itself where it can hold `needed`, else a larger copy; grows by doubling. */
export function grown(bytes: Uint8Array, needed: number): Uint8Array {
  if (needed <= bytes.length) return bytes;
  let capacity = Math.max(64, bytes.length);
  while (capacity < needed) capacity *= 2;
  const larger = new Uint8Array(capacity);
  larger.set(bytes);
  return larger;
}
