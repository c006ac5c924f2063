/**
 * Values that say where they come from: the run, the write's number, the key's number, and a
 * filling that follows from these. So a value that was read is either exactly what one write of
 * this run put under this key, or it is told from that: by another run, or damaged.
 */
import { hash32 } from '../base/hash.js';

/** Run 6 bytes, write 6, key 6. */
export const HEAD_BYTES = 18;

/** The write's number; or whose value it is instead. */
export type ValueOrigin = number | 'other-run' | 'damaged';

export class NumberedValues {
  readonly #run: number;
  readonly #scratch: Buffer;
  readonly #check: Buffer;

  /** `run` is a number of 48 bits; `bytes` ≥ HEAD_BYTES. */
  constructor(run: number, bytes: number) {
    this.#run = run;
    this.#scratch = Buffer.alloc(bytes);
    this.#check = Buffer.alloc(bytes);
  }

  /** The value of a write; a view that the next call overwrites. */
  valueView(write: number, key: number): Buffer {
    return this.#fill(this.#scratch, write, key);
  }

  /** Whether the value is nothing of this run. */
  isOlder(value: Uint8Array): boolean {
    if (value.length < HEAD_BYTES) return true;
    return Buffer.from(value.buffer, value.byteOffset, 6).readUIntBE(0, 6) !== this.#run;
  }

  /** The number of the write, if it put exactly this under the key. */
  originOf(value: Uint8Array, key: number): ValueOrigin {
    if (this.isOlder(value)) return 'other-run';
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const write = bytes.readUIntBE(6, 6);
    return this.#fill(this.#check, write, key).equals(bytes) ? write : 'damaged';
  }

  /** Half of the filling is random and half of it repeats: compression halves it. */
  #fill(target: Buffer, write: number, key: number): Buffer {
    target.writeUIntBE(this.#run, 0, 6);
    target.writeUIntBE(write, 6, 6);
    target.writeUIntBE(key, 12, 6);
    let state = hash32(target, 0, HEAD_BYTES, 1);
    const half = HEAD_BYTES + Math.ceil((target.length - HEAD_BYTES) / 2);
    for (let i = HEAD_BYTES; i < half; i++) {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + i;
      target[i] = state >>> 8;
    }
    target.copyWithin(half, HEAD_BYTES, HEAD_BYTES + target.length - half);
    return target;
  }
}
