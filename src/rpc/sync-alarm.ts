/**
 * The word that a sync of a shard's folder has failed, in shared memory: from then on the disk may
 * lack names that programs go on seeing, also those that other threads have made (docs/adr/0007).
 * The shard's thread and the jobs of all its lives raise it, before anything else happens. A life
 * that finds it raised acknowledges nothing more; the supervisor has the next one distrust what it
 * finds, even if this one died before it could say why.
 */
export class SyncAlarm {
  /** Goes with jobs; see `Job`. */
  readonly memory: SharedArrayBuffer;
  readonly #failures: Int32Array;
  readonly #known: number;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  }

  /** `known`: the failures that were there before, which this user has taken care of. */
  constructor(memory: SharedArrayBuffer, known = 0) {
    this.memory = memory;
    this.#failures = new Int32Array(memory);
    this.#known = known;
  }

  /** In the life of the shard. */
  get failures(): number {
    return Atomics.load(this.#failures, 0);
  }

  get isRaised(): boolean {
    return this.failures !== this.#known;
  }

  raise(): void {
    Atomics.add(this.#failures, 0, 1);
  }
}
