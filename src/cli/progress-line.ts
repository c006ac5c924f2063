/** Says how far long work has come, now and then, to a person who waits; to nobody else. */
import type { Clock } from '../base/clock.js';
import type { CommandIo } from './command.js';

const EVERY_MS = 500;

export class ProgressLine {
  readonly #io: CommandIo;
  readonly #clock: Clock;
  readonly #begunMs: number;
  #lastMs: number;

  constructor(io: CommandIo, clock: Clock) {
    this.#io = io;
    this.#clock = clock;
    this.#begunMs = this.#lastMs = clock.monotonicMs();
  }

  /** Cheap where nobody waits; `text` is asked only when it is shown. */
  show(text: () => string): void {
    if (!this.#io.errIsTerminal) return;
    const now = this.#clock.monotonicMs();
    if (now - this.#lastMs < EVERY_MS) return;
    this.#lastMs = now;
    this.#io.say(`${seconds(now - this.#begunMs)}  ${text()}`);
  }

  /** Time left by the pace so far, as text; empty while there is none. */
  timeLeft(done: number, total: number): string {
    const passed = this.#clock.monotonicMs() - this.#begunMs;
    if (done <= 0 || total <= done) return '';
    return `, about ${seconds((passed * (total - done)) / done)} left`;
  }

  /** Of the work so far. */
  get elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#begunMs;
  }

  end(): void {
    this.#lastMs = Number.POSITIVE_INFINITY;
  }
}

function seconds(ms: number): string {
  const all = Math.round(ms / 1000);
  if (all < 60) return `${all} s`;
  return `${Math.floor(all / 60)} min ${all % 60} s`;
}
