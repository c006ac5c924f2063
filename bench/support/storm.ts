/**
 * The write storm that every contender of engine-write gets: batches, a fixed number of them
 * outstanding, until so many entries are acknowledged. Keeps the figures that all have in common.
 */
import { type Costs, startCosts } from './costs.js';
import { type Figures, rounded } from './rounds.js';
import { ENTRY_BYTES } from './storm-keys.js';

/** Entries after which the rate so far is noted: about our first flush, about our first merge. */
const MARKS = [500_000, 2_000_000];

export class StormWatch {
  acknowledged = 0;
  longestPauseMs = 0;
  readonly #costsSoFar = startCosts();
  readonly #marks = new Map<number, Costs>();
  #lastMs = performance.now();

  /** So many entries are durable now. */
  acknowledge(count: number): void {
    const now = performance.now();
    this.longestPauseMs = Math.max(this.longestPauseMs, now - this.#lastMs);
    this.#lastMs = now;
    const before = this.acknowledged;
    this.acknowledged += count;
    for (const mark of MARKS) {
      if (before < mark && this.acknowledged >= mark) this.#marks.set(mark, this.#costsSoFar());
    }
  }

  get costs(): Costs {
    return this.#costsSoFar();
  }

  figures(): Figures {
    const costs = this.costs;
    const figures: Figures = {
      entriesPerSecond: rounded(this.acknowledged / costs.seconds),
      cpuMicrosPerEntry: rounded((costs.cpuSeconds * 1e6) / this.acknowledged),
      longestPauseMs: rounded(this.longestPauseMs),
    };
    if (costs.diskBytes !== undefined) {
      const amplification = costs.diskBytes / (this.acknowledged * ENTRY_BYTES);
      figures['diskWriteAmplification'] = rounded(amplification);
    }
    for (const [mark, { seconds, cpuSeconds }] of this.#marks) {
      figures[`entriesPerSecondTo${mark / 1000}k`] = rounded(mark / seconds);
      figures[`cpuMicrosPerEntryTo${mark / 1000}k`] = rounded((cpuSeconds * 1e6) / mark);
    }
    return figures;
  }
}

/**
 * Keeps `outstanding` batches going until `batches` of them are acknowledged, or the time is up:
 * a slow store would else need an hour. It then gets away with a smaller store than the others.
 */
export async function drive(
  batches: number,
  outstanding: number,
  writeBatch: (lane: number) => Promise<unknown>,
  onAcknowledged: () => void,
  secondsMax = Number.POSITIVE_INFINITY,
): Promise<void> {
  let started = 0;
  const endMs = performance.now() + secondsMax * 1000;
  const lane = async (index: number): Promise<void> => {
    while (started < batches && performance.now() < endMs) {
      started++;
      await writeBatch(index);
      onAcknowledged();
    }
  };
  await Promise.all(Array.from({ length: outstanding }, (_, index) => lane(index)));
}
