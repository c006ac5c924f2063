/**
 * A running digest of 64 bits for telling states of the simulated disk apart: fast, not safe
 * against anyone who wants two states to look alike.
 */
export class Digest {
  #a = 0x9e3779b9;
  #b = 0x85ebca6b;

  /** Adds an integer below 2^53. */
  add(value: number): void {
    this.#mix(value >>> 0);
    this.#mix(Math.floor(value / 2 ** 32));
  }

  addText(text: string): void {
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
    this.#mix(text.length);
  }

  addDigest({ a, b }: Digest): void {
    this.#mix(a);
    this.#mix(b);
  }

  addWords(words: Uint32Array): void {
    let a = this.#a;
    let b = this.#b;
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!;
      a = Math.imul(a ^ word, 0x01000193) ^ (a >>> 15);
      b = Math.imul(b + word, 0x9e3779b1) ^ (b >>> 13);
    }
    this.#a = a;
    this.#b = b;
  }

  get a(): number {
    return this.#a >>> 0;
  }

  get b(): number {
    return this.#b >>> 0;
  }

  /** 53 of the bits as one number, for use as a key. */
  get key(): number {
    return this.a * 2 ** 21 + (this.b >>> 11);
  }

  #mix(word: number): void {
    const a = Math.imul(this.#a ^ word, 0x85ebca77);
    this.#a = a ^ (a >>> 13);
    const b = Math.imul(this.#b + word, 0xc2b2ae3d);
    this.#b = (b << 15) | ((b >>> 17) ^ (b >>> 7));
  }
}

/** Of bytes that begin at a word and are a whole number of words. */
export function digestOf(bytes: Uint8Array): Digest {
  const digest = new Digest();
  digest.addWords(new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
  return digest;
}
