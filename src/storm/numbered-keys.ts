/** Keys from numbers: 16 characters, unlike their neighbours, each from one number only. */

const KEY_BYTES = 16;
const DIGITS = Buffer.from('0123456789abcdef', 'latin1');

export class NumberedKeys {
  readonly #seed: number;
  readonly #scratch: Buffer;

  /** `letter` keeps the keys of different profiles apart. */
  constructor(letter: string, seed: number) {
    this.#seed = seed;
    this.#scratch = Buffer.from(`${letter}/`.padEnd(KEY_BYTES, '0'), 'latin1');
  }

  /** A view that the next call overwrites. */
  keyView(number: number): Buffer {
    const high = Math.floor(number / 2 ** 32);
    this.#hex(2, 8, mixed((number >>> 0) ^ this.#seed));
    this.#hex(10, 6, high);
    return this.#scratch;
  }

  #hex(at: number, digits: number, value: number): void {
    for (let i = 0; i < digits; i++) {
      this.#scratch[at + i] = DIGITS[(value >>> (4 * (digits - 1 - i))) & 15] ?? 0;
    }
  }
}

/** One to one on 32 bits, so no two numbers share a key. */
function mixed(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
