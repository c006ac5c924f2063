/**
 * How a thread that ran out of work is woken. The only `Atomics.wait` of the project is here.
 *
 * No wake-up can be lost, by order alone (all of it sequentially consistent): who sends publishes
 * its frame first and then rings; who sleeps says so first and then looks at its rings once more.
 * Whatever the interleaving, one of them sees the other. Timeouts bound the delay all the same.
 */
const WORD_COUNT = 0;
/** On a cache line of its own: the owner writes it, ringers mostly read it. */
const WORD_ASLEEP = 32;
const BELL_BYTES = 256;

/** The bell of a thread that parks (a shard). Any number of threads may ring it. */
export class ThreadDoorbell {
  readonly #words: Int32Array;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(BELL_BYTES);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Call after publishing. Costs one atomic add while the owner is awake. */
  ring(): void {
    Atomics.add(this.#words, WORD_COUNT, 1);
    if (Atomics.load(this.#words, WORD_ASLEEP) === 1) Atomics.notify(this.#words, WORD_COUNT);
  }

  /** What to hand to `wait`; take it before looking at the rings for the last time. */
  prepare(): number {
    return Atomics.load(this.#words, WORD_COUNT);
  }

  /** Parks the calling thread until somebody rings after `prepare`, or the time is up. */
  wait(seen: number, timeoutMs: number): void {
    Atomics.store(this.#words, WORD_ASLEEP, 1);
    Atomics.wait(this.#words, WORD_COUNT, seen, timeoutMs);
    Atomics.store(this.#words, WORD_ASLEEP, 0);
  }
}

/** Parks the calling thread for so long, unless the word has another value or gets notified. */
export function parkWhile(
  words: Int32Array,
  index: number,
  value: number,
  timeoutMs: number,
): void {
  Atomics.wait(words, index, value, timeoutMs);
}

/** The part of a MessagePort that a ringer needs. */
export interface WakePort {
  postMessage(value: number): void;
}

/**
 * The bell of a thread that lives in its event loop (a router): one port message wakes it, and only
 * while it is idle. (A port and `Atomics.waitAsync` wake an event loop equally fast, but the port
 * also keeps the thread alive.)
 *
 * Owner: pump rings → `arm()` → look at the rings once more → where there is work, `disarm()` and
 * pump again.
 */
export class PortDoorbell {
  readonly #words: Int32Array;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(BELL_BYTES);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Owner: from now on the next ringer posts a message. */
  arm(): void {
    Atomics.store(this.#words, WORD_ASLEEP, 1);
  }

  /** Owner: awake, no message needed. */
  disarm(): void {
    Atomics.store(this.#words, WORD_ASLEEP, 0);
  }

  /** Call after publishing: posts one message if the owner sleeps and nobody else has yet. */
  ring(port: WakePort): void {
    if (Atomics.load(this.#words, WORD_ASLEEP) === 0) return;
    if (Atomics.compareExchange(this.#words, WORD_ASLEEP, 1, 0) === 1) port.postMessage(1);
  }
}
