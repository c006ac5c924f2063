/**
 * Sorts keys that lie in one buffer, by bytes. Made for hundreds of thousands of short keys with
 * long common prefixes: four bytes of each key and its place are packed into a double, and the
 * engine's native sort of doubles does the work; groups that tie are sorted by their next bytes.
 */
export interface KeyTable {
  bytes: Uint8Array;
  /** Byte offset and length of key i. */
  starts: Uint32Array;
  lengths: Uint32Array;
}

/** At most so many keys: their index shares a double's 53 bits with a 32-bit prefix. */
export const SORT_KEYS_MAX = 2 ** 21;
const INSERTION_SORT_MAX = 12;
/** In the low byte of a packed prefix: the key has more bytes than the three packed. */
const MORE = 4;

/** The indexes of the keys in ascending order; equal keys in no particular order. */
export function sortKeys(keys: KeyTable, count: number): Uint32Array {
  if (count > SORT_KEYS_MAX) throw new RangeError(`Cannot sort ${count} keys at once`);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  const packed = new Float64Array(count);
  // Groups still to be sorted: [from, to) of `order`, keys equal in their first `depth` bytes.
  const pending: number[] = [0, count, 0];
  while (pending.length > 0) {
    const depth = pending.pop()!;
    const to = pending.pop()!;
    const from = pending.pop()!;
    if (to - from <= INSERTION_SORT_MAX) insertionSort(keys, order, from, to, depth);
    else sortGroup(keys, order, packed, from, to, depth, pending);
  }
  return order;
}

function sortGroup(
  keys: KeyTable,
  order: Uint32Array,
  packed: Float64Array,
  from: number,
  to: number,
  minDepth: number,
  pending: number[],
): void {
  const depth = commonPrefix(keys, order, from, to, minDepth);
  for (let i = from; i < to; i++) {
    packed[i] = prefixAt(keys, order[i]!, depth) * SORT_KEYS_MAX + order[i]!;
  }
  packed.subarray(from, to).sort();
  let groupStart = from;
  let groupPrefix = -1;
  for (let i = from; i < to; i++) {
    const prefix = Math.floor(packed[i]! / SORT_KEYS_MAX);
    order[i] = packed[i]! - prefix * SORT_KEYS_MAX;
    if (prefix === groupPrefix) continue;
    if (i - groupStart > 1 && goesOn(groupPrefix)) pending.push(groupStart, i, depth);
    groupStart = i;
    groupPrefix = prefix;
  }
  if (to - groupStart > 1 && goesOn(groupPrefix)) pending.push(groupStart, to, depth);
}

/** Whether keys with this packed prefix have bytes behind it; if not, they are equal. */
function goesOn(prefix: number): boolean {
  return (prefix & 0xff) === MORE;
}

/**
 * The next bytes of a key as a number that sorts like them: three bytes and how many of them there
 * are, so that "a" sorts before "a\0".
 */
function prefixAt(keys: KeyTable, key: number, depth: number): number {
  const at = keys.starts[key]! + depth;
  const left = keys.lengths[key]! - depth;
  const bytes = keys.bytes;
  if (left >= 3) {
    const more = left > 3 ? MORE : 3;
    return bytes[at]! * 0x1000000 + (bytes[at + 1]! << 16) + (bytes[at + 2]! << 8) + more;
  }
  if (left === 2) return bytes[at]! * 0x1000000 + (bytes[at + 1]! << 16) + 2;
  return left === 1 ? bytes[at]! * 0x1000000 + 1 : 0;
}

/** How many leading bytes all keys of the group share. */
function commonPrefix(
  keys: KeyTable,
  order: Uint32Array,
  from: number,
  to: number,
  minDepth: number,
): number {
  const { bytes, starts, lengths } = keys;
  const first = order[from]!;
  const firstStart = starts[first]!;
  let common = lengths[first]!;
  for (let i = from + 1; i < to && common > minDepth; i++) {
    const key = order[i]!;
    const start = starts[key]!;
    common = Math.min(common, lengths[key]!);
    let at = minDepth;
    while (at < common && bytes[start + at] === bytes[firstStart + at]) at++;
    common = at;
  }
  return common;
}

function insertionSort(
  keys: KeyTable,
  order: Uint32Array,
  from: number,
  to: number,
  depth: number,
): void {
  for (let i = from + 1; i < to; i++) {
    const key = order[i]!;
    let j = i - 1;
    while (j >= from && compareAt(keys, order[j]!, key, depth) > 0) {
      order[j + 1] = order[j]!;
      j--;
    }
    order[j + 1] = key;
  }
}

function compareAt(keys: KeyTable, a: number, b: number, depth: number): number {
  const { bytes, starts, lengths } = keys;
  const aStart = starts[a]!;
  const bStart = starts[b]!;
  const common = Math.min(lengths[a]!, lengths[b]!);
  for (let i = depth; i < common; i++) {
    const difference = bytes[aStart + i]! - bytes[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return lengths[a]! - lengths[b]!;
}
