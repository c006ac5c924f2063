/**
 * Different keys of eight bytes with the same 32-bit MurmurHash3 of seed 0, computed, not searched.
 */
const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** The number that undoes a multiplication by odd `n` modulo 2^32 (Newton's iteration). */
function inverse(n: number): number {
  let x = n;
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(n, x));
  return x;
}

function scramble(word: number): number {
  const k = Math.imul(word, C1);
  return Math.imul((k << 15) | (k >>> 17), C2);
}

function unscramble(mixed: number): number {
  const k = Math.imul(mixed, inverse(C2));
  return Math.imul((k << 17) | (k >>> 15), inverse(C1));
}

/** The state after the first word of a key. */
function afterFirst(word: number): number {
  const h = scramble(word);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** `count` different keys that all have one hash. */
export function collidingKeys(count: number): Uint8Array[] {
  const target = afterFirst(0) ^ scramble(12345);
  return Array.from({ length: count }, (_, i) => {
    const key = new Uint8Array(8);
    const view = new DataView(key.buffer);
    view.setInt32(0, i * 7919, true);
    // The second word makes up for the difference of the first.
    view.setInt32(4, unscramble(afterFirst(i * 7919) ^ target), true);
    return key;
  });
}
