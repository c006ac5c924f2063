/**
 * Key → slot. A slot is CRC-16/XMODEM (polynomial 0x1021, start 0) of the key modulo 16384, or of
 * the key's hash tag: the bytes between the first `{` and the first `}` after it, where there are
 * any. So `{patient-17}/q3` and `{patient-17}/q4` share a slot, and with it a shard.
 */
export const SLOT_COUNT = 16_384;
/** Name of the function in the data dir's root file: another one could not find the keys. */
export const SLOT_HASH_ID = 'crc16-xmodem';

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const TABLE = makeTable();

function makeTable(): Uint16Array {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) !== 0 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
    }
    table[byte] = crc;
  }
  return table;
}

/** CRC-16/XMODEM of `length` bytes from `start`; the check value of "123456789" is 0x31c3. */
export function crc16(bytes: Uint8Array, start: number, length: number): number {
  let crc = 0;
  const end = start + length;
  for (let i = start; i < end; i++) {
    crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >>> 8) ^ bytes[i]!]!;
  }
  return crc;
}

/** The slot of the key at [start, start + length). */
export function slotOfKey(bytes: Uint8Array, start: number, length: number): number {
  const end = start + length;
  // One pass over keys without a brace, which nearly all are.
  let crc = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === OPEN_BRACE) return slotOfTag(bytes, start, length, i);
    crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >>> 8) ^ byte]!;
  }
  return crc & (SLOT_COUNT - 1);
}

/** Of a key whose first brace opens at `open`. */
function slotOfTag(bytes: Uint8Array, start: number, length: number, open: number): number {
  const end = start + length;
  let close = open + 1;
  while (close < end && bytes[close] !== CLOSE_BRACE) close++;
  // Only the first pair counts, and an empty tag `{}` is no tag.
  const isTag = close < end && close > open + 1;
  const crc = isTag ? crc16(bytes, open + 1, close - open - 1) : crc16(bytes, start, length);
  return crc & (SLOT_COUNT - 1);
}
