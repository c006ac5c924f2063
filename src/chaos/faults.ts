/** What is done to the server, and in which order, by seed. */
import type { Dice } from '../demo/dice.js';

export const FAULTS = {
  'shard-kill': 'shard thread killed',
  'flusher-kill': 'flush thread killed',
  'merger-kill': 'merge thread killed',
  'process-kill': 'process killed (SIGKILL)',
  'power-loss': 'power lost: unsynced data dropped',
  pause: 'process stopped for a while (SIGSTOP)',
  'disk-full': 'disk full for a while',
  'sync-failure': 'a sync failed (EIO)',
} as const;
export type FaultKind = keyof typeof FAULTS;

export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];

/** Those that end a thread or the process. */
export function isKill(kind: FaultKind): boolean {
  return kind !== 'pause' && kind !== 'disk-full' && kind !== 'sync-failure';
}

/** How often each comes in a round through all of them. */
const WEIGHTS: Record<FaultKind, number> = {
  'shard-kill': 4,
  'flusher-kill': 1,
  'merger-kill': 1,
  'process-kill': 3,
  'power-loss': 3,
  pause: 1,
  'disk-full': 1,
  'sync-failure': 1,
};

/** An endless deck of the faults that are possible, shuffled anew when it is used up. */
export class FaultDeck {
  readonly #possible: readonly FaultKind[];
  readonly #dice: Dice;
  #cards: FaultKind[] = [];

  constructor(possible: readonly FaultKind[], dice: Dice) {
    this.#possible = possible;
    this.#dice = dice;
  }

  draw(): FaultKind | undefined {
    if (this.#cards.length === 0) {
      this.#cards = this.#possible.flatMap((kind) => Array(WEIGHTS[kind]).fill(kind));
    }
    if (this.#cards.length === 0) return undefined;
    return this.#cards.splice(this.#dice.between(0, this.#cards.length - 1), 1)[0];
  }
}
