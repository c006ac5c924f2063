/** Ctrl-C and the like, for commands that have something to bring to an end first. */
import { StormError } from '../base/errors.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The first signal asks for an orderly end, the second ends at once. */
export class Interruption {
  hasCome = false;
  readonly #onSignal: () => void;
  readonly #second: Promise<never>;
  #end: (error: Error) => void = () => {};

  /** Listens from here on. */
  constructor(say: (message: string) => void) {
    this.#second = new Promise((_, reject) => {
      this.#end = reject;
    });
    this.#second.catch(() => {});
    this.#onSignal = () => {
      if (this.hasCome) this.#end(new StormError('ABORTED', 'Ended without a verdict'));
      this.hasCome = true;
      say('Stopping: what was measured is verified; a second Ctrl-C ends at once');
    };
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** What it awaits, unless the second signal comes before. */
  orEnd<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#second]);
  }

  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }
}
