/** Collects what became of each entry of a batch. */
import type { StormError } from '../base/errors.js';
import type { Flight, FlightOwner } from './flight.js';

interface Result {
  written: number;
  errors: { index: number; error: StormError }[];
}

export class BatchWrite implements FlightOwner {
  readonly #resolve: (result: Result) => void;
  readonly #errors: Result['errors'] = [];
  #written = 0;
  #open: number;

  constructor(count: number, resolve: (result: Result) => void) {
    this.#open = count;
    this.#resolve = resolve;
  }

  wrote(flight: Flight, isFailed: (index: number) => boolean): void {
    let written = flight.count;
    for (let i = 0; i < flight.count; i++) if (isFailed(i)) written--;
    this.#written += written;
    this.#close(written);
  }

  failed(index: number, error: StormError): void {
    this.#errors.push({ index, error });
    this.#close(1);
  }

  #close(count: number): void {
    this.#open -= count;
    if (this.#open > 0) return;
    this.#errors.sort((a, b) => a.index - b.index);
    this.#resolve({ written: this.#written, errors: this.#errors });
  }
}
