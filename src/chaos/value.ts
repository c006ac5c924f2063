/**
 * Values that say who wrote them: run, id of the write, key, and a filling that follows from these.
 * So a value that was read is either exactly what one write wrote under this key, or damaged.
 */
import { hash32 } from '../base/hash.js';

const SEPARATOR = ' ';
const FILLING_MAX = 900;

/** The bytes that the write of this id puts under the key. */
export function valueBy(run: string, key: string, id: number): Buffer {
  const head = Buffer.from([run, String(id), key, ''].join(SEPARATOR), 'utf8');
  let state = hash32(head, 0, head.length, id);
  const filling = Buffer.alloc(state % FILLING_MAX);
  for (let i = 0; i < filling.length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + i;
    filling[i] = state & 0xff;
  }
  return Buffer.concat([head, filling]);
}

/** The id of the write; undefined when no write of this run put these bytes under the key. */
export function writerOf(run: string, key: string, value: Uint8Array): number | undefined {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const head = bytes.subarray(0, run.length + 18).toString('latin1');
  const [owner, digits = ''] = head.split(SEPARATOR);
  if (owner !== run || !/^[1-9]\d{0,15}$/.test(digits)) return undefined;
  const id = Number(digits);
  return valueBy(run, key, id).equals(bytes) ? id : undefined;
}
