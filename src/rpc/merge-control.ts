/**
 * A few shared words by which a shard steers its merges while they run on pool threads: stop, and
 * how hard to work. One for each life of a shard; travels with each merge job. Whoever finds the
 * shard gone cancels what it left behind through the same words.
 */
import { parkWhile } from './doorbell.js';

const WORD_CANCELLED = 0;
const WORD_SHARE_PERCENT = 1;
const WORD_KIB_PER_SECOND = 2;
const CONTROL_BYTES = 64;
const KIB = 1024;

/** Thrown within a merge that was told to stop; its code is that of the job's result. */
export class MergeCancelled extends Error {
  readonly code = 'CANCELLED';

  constructor() {
    super('The merge was cancelled');
    this.name = 'MergeCancelled';
  }
}

export class MergeControl {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** Full speed without a limit, until told otherwise. */
  static create(): MergeControl {
    const control = new MergeControl(new SharedArrayBuffer(CONTROL_BYTES));
    control.sharePercent = 100;
    return control;
  }

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  /** For ever: every merge under this control ends soon, and a new one at once. */
  cancel(): void {
    Atomics.store(this.#words, WORD_CANCELLED, 1);
    Atomics.notify(this.#words, WORD_CANCELLED);
  }

  get isCancelled(): boolean {
    return Atomics.load(this.#words, WORD_CANCELLED) !== 0;
  }

  /** How much of its time a merge works, 1–100; it rests for what is left. */
  get sharePercent(): number {
    return Atomics.load(this.#words, WORD_SHARE_PERCENT);
  }

  set sharePercent(percent: number) {
    Atomics.store(this.#words, WORD_SHARE_PERCENT, Math.min(100, Math.max(1, percent)));
  }

  /** How much each merge reads at the most; 0 = no limit. */
  get bytesPerSecond(): number {
    return Atomics.load(this.#words, WORD_KIB_PER_SECOND) * KIB;
  }

  set bytesPerSecond(bytes: number) {
    Atomics.store(this.#words, WORD_KIB_PER_SECOND, Math.ceil(bytes / KIB));
  }

  /** Parks the calling thread, but not once it is cancelled. */
  rest(ms: number): void {
    parkWhile(this.#words, WORD_CANCELLED, 0, ms);
  }
}
