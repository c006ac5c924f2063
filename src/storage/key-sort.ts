/**
 * Sorts keys that lie in one buffer, by bytes. Made for hundreds of thousands of short keys with
 * long common prefixes: behind what all keys share, the next bytes of each become a number, and the
 * numbers are sorted: many of them by digits, a few by the native sort. Groups that tie are sorted
 * by their next bytes.
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
/** From here on sorting by digits beats the native sort. */
const RADIX_SORT_MIN = 1024;
/**
 * A prefix's digits: how many bytes of the key it has (see `prefixAt`), and twelve bits of them.
 */
const SHIFTS = [0, 8, 20];
const MASKS = [0xff, 0xfff, 0xfff];
const DIGIT_VALUES = 4096;
/** In the low byte of a prefix: the key has more bytes than the three before it. */
const MORE = 4;

/** The indexes of the keys in ascending order; equal keys in no particular order. */
export function sortKeys(keys: KeyTable, count: number): Uint32Array {
  if (count > SORT_KEYS_MAX) throw new RangeError(`Cannot sort ${count} keys at once`);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  const prefixes = new PrefixSort(order);
  // Groups still to be sorted: [from, to) of `order`, keys equal in their first `depth` bytes.
  const pending: number[] = [0, count, 0];
  while (pending.length > 0) {
    const depth = pending.pop()!;
    const to = pending.pop()!;
    const from = pending.pop()!;
    if (to - from <= INSERTION_SORT_MAX) insertionSort(keys, order, from, to, depth);
    else sortGroup(keys, prefixes, from, to, depth, pending);
  }
  return order;
}

function sortGroup(
  keys: KeyTable,
  sort: PrefixSort,
  from: number,
  to: number,
  minDepth: number,
  pending: number[],
): void {
  const { order, prefixes } = sort;
  const depth = commonPrefix(keys, order, from, to, minDepth);
  for (let i = from; i < to; i++) prefixes[i] = prefixAt(keys, order[i]!, depth);
  sort.sort(from, to);
  let groupStart = from;
  for (let i = from + 1; i <= to; i++) {
    const prefix = prefixes[groupStart]!;
    if (i < to && prefixes[i] === prefix) continue;
    if (i - groupStart > 1 && goesOn(prefix)) pending.push(groupStart, i, depth);
    groupStart = i;
  }
}

/** Sorts stretches of `order` by the prefixes beside them, which move along. */
class PrefixSort {
  readonly order: Uint32Array;
  readonly prefixes: Uint32Array;
  readonly #otherOrder: Uint32Array;
  readonly #otherPrefixes: Uint32Array;
  readonly #packed = new Float64Array(RADIX_SORT_MIN);
  readonly #ends = new Uint32Array(SHIFTS.length * DIGIT_VALUES);

  constructor(order: Uint32Array) {
    this.order = order;
    this.prefixes = new Uint32Array(order.length);
    this.#otherOrder = new Uint32Array(order.length);
    this.#otherPrefixes = new Uint32Array(order.length);
  }

  sort(from: number, to: number): void {
    if (to - from < RADIX_SORT_MIN) this.#sortPacked(from, to);
    else this.#sortByDigits(from, to);
  }

  /** A prefix and its place share a double: the engine's native sort does the work. */
  #sortPacked(from: number, to: number): void {
    const { order, prefixes } = this;
    const packed = this.#packed;
    for (let i = from; i < to; i++) packed[i - from] = prefixes[i]! * SORT_KEYS_MAX + order[i]!;
    packed.subarray(0, to - from).sort();
    for (let i = from; i < to; i++) {
      const prefix = Math.floor(packed[i - from]! / SORT_KEYS_MAX);
      prefixes[i] = prefix;
      order[i] = packed[i - from]! - prefix * SORT_KEYS_MAX;
    }
  }

  /** Radix sort, the lowest digit first. A digit that is the same everywhere takes no pass. */
  #sortByDigits(from: number, to: number): void {
    this.#countDigits(from, to);
    let fromPrefixes = this.prefixes;
    let fromOrder = this.order;
    let toPrefixes = this.#otherPrefixes;
    let toOrder = this.#otherOrder;
    for (let digit = 0; digit < SHIFTS.length; digit++) {
      const ends = this.#ends.subarray(digit * DIGIT_VALUES, (digit + 1) * DIGIT_VALUES);
      if (!startsOf(ends, from, to)) continue;
      const shift = SHIFTS[digit]!;
      const mask = MASKS[digit]!;
      for (let i = from; i < to; i++) {
        const prefix = fromPrefixes[i]!;
        const at = ends[(prefix >>> shift) & mask]!++;
        toPrefixes[at] = prefix;
        toOrder[at] = fromOrder[i]!;
      }
      [fromPrefixes, toPrefixes] = [toPrefixes, fromPrefixes];
      [fromOrder, toOrder] = [toOrder, fromOrder];
    }
    if (fromOrder === this.order) return;
    this.order.set(fromOrder.subarray(from, to), from);
    this.prefixes.set(fromPrefixes.subarray(from, to), from);
  }

  #countDigits(from: number, to: number): void {
    const counts = this.#ends;
    const prefixes = this.prefixes;
    counts.fill(0);
    for (let i = from; i < to; i++) {
      const prefix = prefixes[i]!;
      counts[prefix & 0xff]!++;
      counts[DIGIT_VALUES + ((prefix >>> 8) & 0xfff)]!++;
      counts[2 * DIGIT_VALUES + (prefix >>> 20)]!++;
    }
  }
}

/** Turns counts into the place of each value's first; false when there is but one value. */
function startsOf(counts: Uint32Array, from: number, to: number): boolean {
  let next = from;
  for (let value = 0; value < counts.length; value++) {
    const count = counts[value]!;
    if (count === to - from) return false;
    counts[value] = next;
    next += count;
  }
  return true;
}

/** Whether keys with this prefix have bytes behind it; if not, they are equal. */
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
