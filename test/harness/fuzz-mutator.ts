/**
 * Makes inputs for decoders out of valid ones: bits, bytes, lengths and numbers changed, parts
 * removed, doubled and mixed with those of others. The n-th input depends on the seed and n alone,
 * so any one of them can be made again.
 */
import { SeededRandom } from './seeded-random.js';

/** Values at which decoders of lengths go wrong. */
const NUMBERS = [
  0, 1, 2, 7, 8, 15, 16, 63, 64, 127, 128, 129, 254, 255, 256, 511, 512, 4095, 4096, 32767, 32768,
  65535, 65536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1f_ffff_ffff_ffff, 0x20_0000_0000_0000,
];
const INPUT_BYTES_MAX = 64 * 1024;
const RANDOM_SHARE = 0.04;
const RANDOM_BYTES_MAX = 96;
const PIECE_BYTES_MAX = 64;

export class Mutator {
  readonly #seed: number;
  readonly #corpus: readonly Uint8Array[];
  readonly #words: readonly Uint8Array[];
  readonly #bytes = new Uint8Array(INPUT_BYTES_MAX);
  #length = 0;
  #random = new SeededRandom(0);

  /** `words`: what the decoder knows, put in here and there. */
  constructor(seed: number, corpus: readonly Uint8Array[], words: readonly string[]) {
    if (corpus.length === 0) throw new Error('There is nothing to begin with');
    this.#seed = seed;
    this.#corpus = corpus;
    this.#words = words.map((word) => Buffer.from(word, 'latin1'));
  }

  /** For more decisions about the input made last. */
  get random(): SeededRandom {
    return this.#random;
  }

  /** The n-th input; a view that the next call overwrites. */
  make(n: number): Uint8Array {
    this.#random = new SeededRandom(this.#seed * 2 ** 32 + n);
    const random = this.#random;
    if (random.chance(RANDOM_SHARE)) {
      this.#length = random.nextInt(RANDOM_BYTES_MAX);
      random.fill(this.#bytes.subarray(0, this.#length));
      return this.#view();
    }
    const base = random.pick(this.#corpus);
    this.#bytes.set(base);
    this.#length = base.length;
    // Some as they are: decoders must accept what encoders made.
    for (let left = random.nextInt(5); left > 0; left--) this.#mutate();
    return this.#view();
  }

  #view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #mutate(): void {
    const random = this.#random;
    const at = random.nextInt(this.#length + 1);
    switch (random.nextInt(11)) {
      case 0:
        this.#bytes[at]! ^= 1 << random.nextInt(8);
        break;
      case 1:
        this.#bytes[at] = random.uint32();
        break;
      case 2:
        this.#bytes[at] = random.pick(NUMBERS);
        break;
      case 3:
        this.#putNumber(at, random.pick(NUMBERS) - random.nextInt(2));
        break;
      case 4:
        this.#putNumber(at, this.#length - at + random.nextInt(3) - 1);
        break;
      case 5:
        this.#length = at;
        break;
      case 6:
        this.#cut(at, 1 + random.nextInt(8));
        break;
      case 7:
        this.#insert(at, this.#piece(this.#view()));
        break;
      case 8:
        this.#insert(at, this.#piece(random.pick(this.#corpus)));
        break;
      case 9:
        this.#overwrite(at, this.#piece(random.pick(this.#corpus)));
        break;
      default:
        this.#putWord(at);
    }
  }

  #piece(from: Uint8Array): Uint8Array {
    const start = this.#random.nextInt(from.length + 1);
    return from.slice(start, start + 1 + this.#random.nextInt(PIECE_BYTES_MAX));
  }

  #putWord(at: number): void {
    const random = this.#random;
    if (this.#words.length === 0) this.#bytes[at] = random.uint32();
    else if (random.chance(0.5)) this.#insert(at, random.pick(this.#words));
    else this.#overwrite(at, random.pick(this.#words));
  }

  /** In one, two, four or eight bytes, of either order. */
  #putNumber(at: number, value: number): void {
    const random = this.#random;
    const width = random.pick([1, 2, 4, 8]);
    const isLittle = random.chance(0.5);
    let rest = Math.max(0, value);
    for (let i = 0; i < width; i++) {
      this.#bytes[at + (isLittle ? i : width - 1 - i)] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.#length = Math.min(Math.max(this.#length, at + (width > 4 ? 0 : width)), INPUT_BYTES_MAX);
  }

  #cut(at: number, count: number): void {
    const end = Math.min(at + count, this.#length);
    this.#bytes.copyWithin(at, end, this.#length);
    this.#length -= end - at;
  }

  #insert(at: number, piece: Uint8Array): void {
    if (this.#length + piece.length > INPUT_BYTES_MAX - 8) return;
    this.#bytes.copyWithin(at + piece.length, at, this.#length);
    this.#bytes.set(piece, at);
    this.#length += piece.length;
  }

  #overwrite(at: number, piece: Uint8Array): void {
    if (at + piece.length > INPUT_BYTES_MAX - 8) return;
    this.#bytes.set(piece, at);
    this.#length = Math.max(this.#length, at + piece.length);
  }
}
