/**
 * An attacker in a process of its own, with the lowest priority: what it costs is not to be taken
 * for what the server suffers. Reads `AttackOrder`s from its parent and answers each with a Toll.
 */
import { setPriority } from 'node:os';
import { ATTACKS, type AttackSize, type Doors } from './abuse-attacks.js';

export interface AttackOrder {
  name: string;
  doors: Doors;
  size: AttackSize;
  from: string;
  ms: number;
}

const LOWEST_PRIORITY = 19;

setPriority(LOWEST_PRIORITY);
process.on('message', (order: AttackOrder) => {
  const attack = ATTACKS[order.name];
  if (attack === undefined) throw new Error(`There is no attack ${order.name}`);
  const { doors, size, from, ms } = order;
  void attack(doors, size, from, AbortSignal.timeout(ms)).then((toll) => process.send?.(toll));
});
process.on('disconnect', () => process.exit(0));
