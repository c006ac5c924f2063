/** Bounds of scans: by the bytes of keys, `from` inclusive, `to` exclusive, undefined = none. */
import { StormError } from '../base/errors.js';

export interface KeyRange {
  from: Uint8Array | undefined;
  to: Uint8Array | undefined;
}

/** The range that bounds and prefix have in common. Throws INVALID_ARGUMENT. */
export function rangeOf(
  from: Uint8Array | undefined,
  to: Uint8Array | undefined,
  prefix: Uint8Array | undefined,
  keyBytesMax: number,
): KeyRange {
  for (const [name, bound] of Object.entries({ from, to, prefix })) {
    if (bound === undefined || bound.length <= keyBytesMax) continue;
    const text =
      `The bound "${name}" must be at most ${keyBytesMax} bytes (limits.keyBytesMax): ` +
      `it has ${bound.length}`;
    throw new StormError('INVALID_ARGUMENT', text);
  }
  const range = { from: someOf(from), to: someOf(to) };
  const begin = someOf(prefix);
  if (begin === undefined) return range;
  const end = behindPrefix(begin);
  if (range.from === undefined || Buffer.compare(range.from, begin) < 0) range.from = begin;
  if (end === undefined) return range;
  if (range.to === undefined || Buffer.compare(range.to, end) > 0) range.to = end;
  return range;
}

/** The smallest key that is above `key`. */
export function justAbove(key: Uint8Array): Uint8Array {
  const above = new Uint8Array(key.length + 1);
  above.set(key);
  return above;
}

/** The smallest bytes above all that begin with `prefix`; undefined when there are none. */
export function behindPrefix(prefix: Uint8Array): Uint8Array | undefined {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  if (end === 0) return undefined;
  // A Buffer's `slice` would be a view.
  const behind = Uint8Array.from(prefix.subarray(0, end));
  behind[end - 1] = (behind[end - 1] ?? 0) + 1;
  return behind;
}

/** Whether nothing can lie in the range. */
export function isEmptyRange({ from, to }: KeyRange): boolean {
  return from !== undefined && to !== undefined && Buffer.compare(from, to) >= 0;
}

/** Whether all keys that begin so have the same hash tag, and with it the same slot. */
export function hasWholeTag(prefix: Uint8Array): boolean {
  const open = prefix.indexOf(OPEN_BRACE);
  const close = open < 0 ? -1 : prefix.indexOf(CLOSE_BRACE, open + 1);
  return close > open + 1;
}

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function someOf(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes === undefined || bytes.length === 0 ? undefined : bytes;
}
