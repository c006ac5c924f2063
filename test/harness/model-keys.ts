/**
 * The keys of the model test, in the order of their bytes, so that a key is its place among them:
 * neighbours with long common beginnings, one the beginning of the other, of one byte and of the
 * longest length, and ones whose order in UTF-16 is another than that of their bytes.
 */
import type { SeededRandom } from './seeded-random.js';

function texts(): string[] {
  const all = ['\u0000', '\u0001', '\u007f', 'a', 'b', '~', '\u{10ffff}'];
  for (let i = 0; i < 110; i++) all.push(`key-${i}`);
  for (let i = 0; i < 80; i++) all.push(`{p${i % 8}}/q${i >> 3}`);
  for (let i = 0; i < 25; i++) all.push(`${'x'.repeat(58)}${i}`);
  for (let i = 0; i < 20; i++) all.push(`ключ-${i}`, `\uffee${i}`, `\u{10000}${i}`);
  for (let i = 1; i <= 12; i++) all.push('p'.repeat(i));
  return all;
}

const order = (a: Buffer, b: Buffer): number => Buffer.compare(a, b);

/** By rank. */
export const KEYS: readonly Buffer[] = texts()
  .map((text) => Buffer.from(text))
  .toSorted(order);
const RANKS = new Map(KEYS.map((key, rank) => [key.toString('latin1'), rank]));

/** Of a key as latin1. Throws when it is none of the keys: nothing else was ever written. */
export function rankOf(key: string): number {
  const rank = RANKS.get(key);
  if (rank === undefined) throw new Error(`${JSON.stringify(key)} was never written`);
  return rank;
}

/** How many keys are below the bound, which need not be one of them. */
export function ranksBelow(bound: Uint8Array): number {
  const rank = KEYS.findIndex((key) => Buffer.compare(key, bound) >= 0);
  return rank < 0 ? KEYS.length : rank;
}

/** Some keys are written far more often than others. */
export function randomRank(random: SeededRandom): number {
  return random.chance(0.4) ? (random.nextInt(16) * 37) % KEYS.length : random.nextInt(KEYS.length);
}

/** A beginning that several keys may have. */
export function randomPrefix(random: SeededRandom): Buffer {
  const key = KEYS[randomRank(random)] ?? Buffer.alloc(0);
  return key.subarray(0, 1 + random.nextInt(Math.min(key.length, 5)));
}

/** One that few keys have. */
export function narrowPrefix(random: SeededRandom): Buffer {
  const key = KEYS[random.nextInt(KEYS.length)] ?? Buffer.alloc(0);
  return key.subarray(0, Math.max(1, key.length - 1 - random.nextInt(2)));
}

/** [first, last) of the ranks with this prefix. */
export function ranksOfPrefix(prefix: Buffer): [number, number] {
  const first = ranksBelow(prefix);
  let end = first;
  while (KEYS[end]?.subarray(0, prefix.length).equals(prefix) === true) end++;
  return [first, end];
}
