/** What happened: a digest of everything, always, and lines to read, where somebody wants them. */

export class Trace {
  /** Told of each line, with the simulated time in ms; undefined = no lines are made. */
  readonly print: ((line: string) => void) | undefined;
  #low = 0x811c9dc5;
  #high = 0x1234567;
  #now = 0;

  constructor(print?: (line: string) => void) {
    this.print = print;
  }

  get digest(): string {
    const hex = (n: number) => (n >>> 0).toString(16).padStart(8, '0');
    return hex(this.#high) + hex(this.#low);
  }

  add(number: number): void {
    this.#low = Math.imul(this.#low ^ number, 0x01000193);
    this.#high = (Math.imul(this.#high ^ this.#low, 0x85ebca6b) + (this.#high >>> 13)) | 0;
  }

  event(now: number, thread: number): void {
    this.#now = now;
    this.add(Math.floor(now * 1e4) ^ (thread << 24));
  }

  line(text: () => string): void {
    this.print?.(`${this.#now.toFixed(3).padStart(10)}  ${text()}`);
  }
}
