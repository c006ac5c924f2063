/**
 * Paces the writes of one shard: follows the strain without jumps, quickly up and slowly down, and
 * says when the next group may begin and how much it may take. Delays are many and small: a group
 * takes what the pace grants for a few milliseconds. Time comes in through the calls; nothing here
 * waits.
 *
 * What was taken is owed, and paid off at the pace of the moment: when strain falls, whoever waits
 * because of a large write waits less at once.
 */
import type { PressureLimits } from '../rpc/control.js';
import {
  type Drain,
  type Load,
  NO_STRAIN,
  type Pace,
  paceOf,
  type Strain,
  strainOf,
  UNPACED,
} from './write-pressure.js';

/** How fast the time per byte follows what strain asks for, as time constants. */
const RISE_MS = 20;
const FALL_MS = 100;
/** A pace beyond this, on its way up, is none. */
const UNNOTICED_BYTES_PER_SECOND = 2 ** 30;
/** A group takes as much as is granted in this time. */
const GROUP_MS = 4;
/** While nothing comes, or a sync takes long, no more than this is saved up. */
const CREDIT_MS = 50;

export class WritePacer {
  readonly #limits: PressureLimits;
  #strain: Strain = NO_STRAIN;
  #pace: Pace = UNPACED;
  #lookedMs: number;
  #paidMs: number;
  /** Bytes taken ahead of the pace; below zero what was saved up. */
  #owed = 0;

  constructor(limits: PressureLimits, nowMs: number) {
    this.#limits = limits;
    this.#lookedMs = nowMs;
    this.#paidMs = nowMs;
  }

  get pace(): Pace {
    return this.#pace;
  }

  get strain(): Strain {
    return this.#strain;
  }

  /** Looks at the load again. */
  look(nowMs: number, load: Load, drain: Drain): void {
    this.#strain = strainOf(load, this.#limits, this.#strain);
    const aim = paceOf(this.#strain, drain, this.#limits.bytesPerSecondMin);
    const passedMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    if (aim === UNPACED && this.#pace === UNPACED) return;
    this.#pay(nowMs);
    const [from, to] = [1 / this.#pace.bytesPerSecond, 1 / aim.bytesPerSecond];
    const part = 1 - Math.exp(-passedMs / (to > from ? RISE_MS : FALL_MS));
    const secondsPerByte = from + (to - from) * part;
    if (aim === UNPACED && secondsPerByte < 1 / UNNOTICED_BYTES_PER_SECOND) {
      this.#pace = UNPACED;
      this.#owed = 0;
      return;
    }
    const because = aim.because ?? this.#pace.because;
    this.#pace = { bytesPerSecond: 1 / secondsPerByte, because };
  }

  /** How long the next group has to wait, in ms; 0 = it may begin. */
  delayMs(nowMs: number): number {
    if (this.#pace === UNPACED) return 0;
    this.#pay(nowMs);
    return Math.max(0, (this.#owed * 1000) / this.#pace.bytesPerSecond);
  }

  /** Whether a group that has `bytes` already should take no more. */
  isFull(bytes: number): boolean {
    if (this.#pace === UNPACED) return false;
    return this.#owed + bytes >= (this.#pace.bytesPerSecond * GROUP_MS) / 1000;
  }

  /** A group of so many bytes is on its way. */
  take(nowMs: number, bytes: number): void {
    if (this.#pace === UNPACED) return;
    this.#pay(nowMs);
    this.#owed += bytes;
  }

  #pay(nowMs: number): void {
    const passedMs = nowMs - this.#paidMs;
    this.#paidMs = nowMs;
    if (this.#pace.because === undefined) return;
    const perMs = this.#pace.bytesPerSecond / 1000;
    this.#owed = Math.max(this.#owed - passedMs * perMs, -CREDIT_MS * perMs);
  }
}
