import { randomFillSync } from 'node:crypto';

/** Randomness as a port: nonces and identities; simulations pass a seeded one. */
export interface Random {
  /** Fills `target` with random bytes and returns it. */
  fill(target: Uint8Array): Uint8Array;
}

export const systemRandom: Random = {
  fill: (target) => randomFillSync(target),
};

/** A random integer of 48 bits (fits a number exactly), never 0. */
export function randomUint48(random: Random): number {
  const bytes = random.fill(new Uint8Array(6));
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value === 0 ? 1 : value;
}
