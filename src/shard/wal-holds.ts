/**
 * Who still reads the log: named holds that keep segments from being recycled though all they hold
 * is in tables. Owned by the shard's thread; nothing of it outlives the shard's life.
 *
 * A hold costs disk space, so each has bounds. One that goes beyond them is broken: its segments
 * are recycled, and it says why until it is released, so that its reader learns of the gap. Writes
 * never wait for a hold.
 */

/** The part of the log that holds need. */
export interface HeldLog {
  recycle(keepFrom: number): void;
  retiredBytesFrom(sequence: number): number;
  readonly oldestSequence: number;
}

export interface HoldBounds {
  /** The first sequence number that is still needed. */
  fromSequence: number;
  /** What may be kept for it beyond what the shard needs itself. */
  bytesMax: number;
  /** Monotonic ms at which it ends by itself; put it off by holding again. */
  untilMs: number;
}

export type HoldState =
  | { kind: 'held'; fromSequence: number }
  /** What lay from `fromSequence` on may be gone. */
  | { kind: 'broken'; fromSequence: number; because: string }
  | { kind: 'none' };

interface Hold extends HoldBounds {
  because: string | undefined;
}

export class WalHolds {
  readonly #log: HeldLog;
  readonly #holds = new Map<string, Hold>();

  constructor(log: HeldLog) {
    this.#log = log;
  }

  /**
   * Takes the hold of that name, or moves it; what lies before `fromSequence` is given free. Broken
   * at once when the log no longer goes back so far. A broken one stays broken until released.
   */
  hold(name: string, bounds: HoldBounds): HoldState {
    if (this.#holds.get(name)?.because === undefined) {
      const { oldestSequence } = this.#log;
      const because =
        bounds.fromSequence < oldestSequence
          ? `the log begins with sequence ${oldestSequence}`
          : undefined;
      this.#holds.set(name, { ...bounds, because });
      this.#log.recycle(this.keepFrom);
    }
    return this.state(name);
  }

  release(name: string): void {
    if (this.#holds.delete(name)) this.#log.recycle(this.keepFrom);
  }

  state(name: string): HoldState {
    const found = this.#holds.get(name);
    if (found === undefined) return { kind: 'none' };
    const { fromSequence, because } = found;
    if (because === undefined) return { kind: 'held', fromSequence };
    return { kind: 'broken', fromSequence, because };
  }

  /** The first sequence number that some hold needs; infinite where none does. */
  get keepFrom(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { fromSequence, because } of this.#holds.values()) {
      if (because === undefined) least = Math.min(least, fromSequence);
    }
    return least;
  }

  /** Breaks what is beyond its bounds; call it now and then, and when segments were released. */
  enforce(nowMs: number): void {
    let hasBroken = false;
    for (const hold of this.#holds.values()) {
      if (hold.because !== undefined) continue;
      hold.because = this.#excess(hold, nowMs);
      if (hold.because !== undefined) hasBroken = true;
    }
    if (hasBroken) this.#log.recycle(this.keepFrom);
  }

  #excess({ fromSequence, bytesMax, untilMs }: Hold, nowMs: number): string | undefined {
    if (nowMs >= untilMs) return 'its time is over';
    const bytes = this.#log.retiredBytesFrom(fromSequence);
    return bytes > bytesMax
      ? `it kept ${bytes} bytes of the log, at most ${bytesMax} are allowed`
      : undefined;
  }
}
