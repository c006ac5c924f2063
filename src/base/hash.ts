/**
 * MurmurHash3 (x86, 32 bit): a fast, well-spread hash of keys for bloom filters and hash tables. It
 * is part of the table format, so it must never change. No defence against chosen collisions: give
 * a table in memory a random seed where that matters.
 */
const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** The hash of `length` bytes from `start`, as an unsigned 32-bit integer. */
export function hash32(bytes: Uint8Array, start: number, length: number, seed: number): number {
  let h = seed | 0;
  const wordsEnd = start + (length & ~3);
  let i = start;
  for (; i < wordsEnd; i += 4) {
    const word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    h ^= scramble(word);
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  const rest = length & 3;
  if (rest !== 0) {
    let tail = bytes[i]!;
    if (rest > 1) tail |= bytes[i + 1]! << 8;
    if (rest > 2) tail |= bytes[i + 2]! << 16;
    h ^= scramble(tail);
  }
  return finish(h ^ length);
}

function scramble(word: number): number {
  const k = Math.imul(word, C1);
  return Math.imul((k << 15) | (k >>> 17), C2);
}

function finish(mixed: number): number {
  let h = mixed;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
