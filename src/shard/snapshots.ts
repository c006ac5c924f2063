/**
 * The open snapshots of a shard. A snapshot is no more than a sequence number that flushes and
 * merges must honour: nothing is pinned, so a reader that never comes back costs versions, not
 * memory, and only until its age cap.
 */
import { StormError } from '../base/errors.js';

export interface SnapshotLimits {
  countMax: number;
  /** A snapshot that was not used for so long is closed. */
  idleMsMax: number;
  /** No snapshot lives longer, however busy. */
  ageMsMax: number;
}

export interface Snapshot {
  readonly id: number;
  /** What was written at or below is seen. */
  readonly sequence: number;
  readonly openedMs: number;
  usedMs: number;
}

export class Snapshots {
  readonly #limits: SnapshotLimits;
  readonly #open = new Map<number, Snapshot>();
  #nextId: number;

  /** `firstId`: above every id of an earlier life of the shard. */
  constructor(limits: SnapshotLimits, firstId: number) {
    this.#limits = limits;
    this.#nextId = firstId;
  }

  open(sequence: number, nowMs: number): Snapshot {
    this.expire(nowMs);
    if (this.#open.size >= this.#limits.countMax) {
      throw new StormError(
        'RESOURCE_EXHAUSTED',
        `The shard has ${this.#limits.countMax} snapshots open: finish or abandon some scans`,
        { retryAfterMs: 1000 },
      );
    }
    const snapshot: Snapshot = { id: this.#nextId++, sequence, openedMs: nowMs, usedMs: nowMs };
    this.#open.set(snapshot.id, snapshot);
    return snapshot;
  }

  /** The snapshot of that id, marked as used; undefined when it has been closed. */
  use(id: number, nowMs: number): Snapshot | undefined {
    this.expire(nowMs);
    const snapshot = this.#open.get(id);
    if (snapshot !== undefined) snapshot.usedMs = nowMs;
    return snapshot;
  }

  close(id: number): void {
    this.#open.delete(id);
  }

  /** Closes what is too old or was left. */
  expire(nowMs: number): void {
    for (const { id, openedMs, usedMs } of this.#open.values()) {
      const tooOld = nowMs - openedMs >= this.#limits.ageMsMax;
      if (tooOld || nowMs - usedMs >= this.#limits.idleMsMax) this.#open.delete(id);
    }
  }

  get count(): number {
    return this.#open.size;
  }

  /** The sequence numbers that jobs must honour: ascending, each once. */
  sequences(): number[] {
    const all = [...this.#open.values()].map(({ sequence }) => sequence);
    return [...new Set(all)].sort((a, b) => a - b);
  }
}
