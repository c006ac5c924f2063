/**
 * What became of each write, two bits each: millions of them fit where their keys would not. Grows
 * in pieces, so that a run of unknown length needs no guess.
 */
export const OUTCOMES = ['open', 'acknowledged', 'unknown', 'refused'] as const;
export type WriteOutcome = (typeof OUTCOMES)[number];

const PER_BYTE = 4;
const CHUNK_WRITES = 2 ** 20;

export class OutcomeMap {
  readonly #chunks: Uint8Array[] = [];

  get(write: number): WriteOutcome {
    const chunk = this.#chunks[Math.floor(write / CHUNK_WRITES)];
    const within = write % CHUNK_WRITES;
    const byte = chunk?.[Math.floor(within / PER_BYTE)] ?? 0;
    return OUTCOMES[(byte >>> (2 * (within % PER_BYTE))) & 3] ?? 'open';
  }

  set(write: number, outcome: WriteOutcome): void {
    const at = Math.floor(write / CHUNK_WRITES);
    while (this.#chunks.length <= at) this.#chunks.push(new Uint8Array(CHUNK_WRITES / PER_BYTE));
    const chunk = this.#chunks[at];
    if (chunk === undefined) return;
    const within = write % CHUNK_WRITES;
    const place = Math.floor(within / PER_BYTE);
    const shift = 2 * (within % PER_BYTE);
    chunk[place] = ((chunk[place] ?? 0) & ~(3 << shift)) | (OUTCOMES.indexOf(outcome) << shift);
  }
}
