/**
 * Unsigned integers in base 128, low group first, high bit = more follows. Up to 2^53 - 1, in the
 * shortest form only, so that equal numbers have equal bytes.
 */
export const VARINT_BYTES_MAX = 8;

/** What `VarintReader.read` answers where no well-formed number stands. */
export const MALFORMED = -1;

/** Writes `value` (an integer, 0 to 2^53 - 1) at `at`; returns the offset behind it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  let to = at;
  // Beyond 31 bits shifts would cut the number: divide until they are safe.
  while (rest > 0x7fffffff) {
    target[to++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 0x80) {
    target[to++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[to++] = rest;
  return to;
}

/** Reads numbers one after another without allocating; `at` moves along and never beyond `end`. */
export class VarintReader {
  bytes: Uint8Array = EMPTY;
  at = 0;
  end = 0;

  reset(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** The next number, or MALFORMED: cut off, too large, or not in its shortest form. */
  read(): number {
    const at = this.at;
    if (at < this.end) {
      const first = this.bytes[at]!;
      if (first < 0x80) {
        this.at = at + 1;
        return first;
      }
    }
    return this.#readLong();
  }

  #readLong(): number {
    let value = 0;
    let scale = 1;
    let byte = 0;
    for (let count = 1; count <= VARINT_BYTES_MAX; count++) {
      if (this.at >= this.end) return MALFORMED;
      byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte >= 0x80) continue;
      return byte !== 0 && value <= Number.MAX_SAFE_INTEGER ? value : MALFORMED;
    }
    return MALFORMED;
  }
}

const EMPTY = new Uint8Array(0);
