/**
 * What the demo knows of each answer, kept by the client side only: whether it was ever sent, and
 * whether the server said that it is durable. The truth that the read-back is held against.
 */
import { assert } from '../base/assert.js';

const SUBMITTED = 1;
const ACKNOWLEDGED = 2;

export class Ledger {
  readonly #states: Uint8Array;
  readonly #questionCount: number;
  #submitted = 0;
  #acknowledged = 0;

  constructor(patientCount: number, questionCount: number) {
    this.#states = new Uint8Array(patientCount * questionCount);
    this.#questionCount = questionCount;
  }

  get submittedCount(): number {
    return this.#submitted;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged;
  }

  /** Before the first attempt; may be called again. */
  submit(patient: number, question: number): void {
    const at = this.#at(patient, question);
    if (this.#states[at] !== 0) return;
    this.#states[at] = SUBMITTED;
    this.#submitted++;
  }

  /** After the first success; may be called again. */
  acknowledge(patient: number, question: number): void {
    const at = this.#at(patient, question);
    assert(this.#states[at] !== 0, 'only what was submitted is acknowledged');
    if (this.#states[at] === ACKNOWLEDGED) return;
    this.#states[at] = ACKNOWLEDGED;
    this.#acknowledged++;
  }

  isAcknowledged(patient: number, question: number): boolean {
    return this.#states[this.#at(patient, question)] === ACKNOWLEDGED;
  }

  #at(patient: number, question: number): number {
    const at = patient * this.#questionCount + question;
    assert(question < this.#questionCount && at < this.#states.length, 'the answer is planned');
    return at;
  }
}
