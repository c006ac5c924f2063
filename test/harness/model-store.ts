/** What a shard must hold: a sorted map so simple that nobody doubts it. */
import { KEYS } from './model-keys.js';

export interface Stored {
  readonly value: string;
  readonly version: number;
  /** 0 = never. */
  readonly expiresAtMs: number;
}

/** An entry of a batch; keys by rank. */
export interface ModelChange {
  rank: number;
  /** Undefined = delete. */
  value: string | undefined;
  /** 0 = never expires. */
  ttlMs: number;
}

/** By rank of the key. */
export type Contents = readonly (Stored | undefined)[];

export class ModelStore {
  #contents: (Stored | undefined)[] = KEYS.map(() => undefined);
  lastVersion = 0;

  /** The version of the first change; they follow each other. */
  apply(changes: readonly ModelChange[], firstVersion: number, nowMs: number): void {
    for (const [i, { rank, value, ttlMs }] of changes.entries()) {
      const expiresAtMs = ttlMs === 0 ? 0 : nowMs + ttlMs;
      this.#contents[rank] =
        value === undefined ? undefined : { value, version: firstVersion + i, expiresAtMs };
    }
    this.lastVersion = firstVersion + changes.length - 1;
  }

  /** A new expiry is a new version with the same value. */
  expire(rank: number, ttlMs: number, version: number, nowMs: number): void {
    const value = this.get(rank, nowMs)?.value;
    this.apply([{ rank, value, ttlMs }], version, nowMs);
  }

  get(rank: number, nowMs: number): Stored | undefined {
    return visible(this.#contents[rank], nowMs);
  }

  /** As it is now, for ever. */
  snapshot(): Contents {
    return [...this.#contents];
  }
}

export function visible(stored: Stored | undefined, nowMs: number): Stored | undefined {
  const isGone = stored !== undefined && stored.expiresAtMs !== 0 && stored.expiresAtMs <= nowMs;
  return isGone ? undefined : stored;
}

/** The ranks of what is visible in [from, to), ascending or descending. */
export function visibleRanks(
  contents: Contents,
  [from, to]: readonly [number, number],
  reverse: boolean,
  nowMs: number,
): number[] {
  const ranks: number[] = [];
  for (let rank = from; rank < to; rank++) {
    if (visible(contents[rank], nowMs) !== undefined) ranks.push(rank);
  }
  return reverse ? ranks.toReversed() : ranks;
}
