/**
 * The properties section of a table (docs/formats/table.md): what the manifest also knows of the
 * file, apart from its size and checksum, so that a table can be told from a stranger under its
 * name.
 */
import { CorruptionError } from '../base/errors.js';
import { fileNumber } from '../base/ids.js';
import type { TableMeta } from '../base/table-meta.js';
import { compareBytes } from './key-bytes.js';
import { readU32, readU64, writeU32, writeU64 } from './table-format.js';

export type TableProperties = Omit<TableMeta, 'sizeBytes' | 'crc32'>;

/** The numbers of the section, in their order in the file. */
const NUMBERS = [
  'number',
  'entryCount',
  'tombstoneCount',
  'immortalCount',
  'minSequence',
  'maxSequence',
  'minExpiresAtMs',
  'maxExpiresAtMs',
] as const satisfies (keyof TableProperties)[];

const MIN_KEY_LENGTH_AT = NUMBERS.length * 8;
const KEYS_AT = MIN_KEY_LENGTH_AT + 8;

export function propertiesLength(p: TableProperties): number {
  return KEYS_AT + p.minKey.length + p.maxKey.length;
}

/** Writes the section's content at `at`; returns the offset behind it. */
export function writeProperties(target: Uint8Array, at: number, p: TableProperties): number {
  for (const [i, name] of NUMBERS.entries()) writeU64(target, at + i * 8, p[name]);
  writeU32(target, at + MIN_KEY_LENGTH_AT, p.minKey.length);
  writeU32(target, at + MIN_KEY_LENGTH_AT + 4, p.maxKey.length);
  target.set(p.minKey, at + KEYS_AT);
  target.set(p.maxKey, at + KEYS_AT + p.minKey.length);
  return at + propertiesLength(p);
}

/** Reads the content at [start, start + length); the keys are copies. Throws CorruptionError. */
export function readProperties(
  bytes: Uint8Array,
  start: number,
  length: number,
  file: string,
  offset: number,
): TableProperties {
  const broken = (why: string) => new CorruptionError(`Table properties: ${why}`, { file, offset });
  if (length < KEYS_AT) throw broken('cut off');
  const minLength = readU32(bytes, start + MIN_KEY_LENGTH_AT);
  const maxLength = readU32(bytes, start + MIN_KEY_LENGTH_AT + 4);
  if (KEYS_AT + minLength + maxLength !== length) throw broken('wrong key lengths');
  const minKeyAt = start + KEYS_AT;
  const properties: TableProperties = {
    number: fileNumber(0),
    entryCount: 0,
    tombstoneCount: 0,
    immortalCount: 0,
    minSequence: 0,
    maxSequence: 0,
    minExpiresAtMs: 0,
    maxExpiresAtMs: 0,
    minKey: bytes.slice(minKeyAt, minKeyAt + minLength),
    maxKey: bytes.slice(minKeyAt + minLength, start + length),
  };
  for (const [i, name] of NUMBERS.entries()) {
    const value = readU64(bytes, start + i * 8);
    if (!Number.isSafeInteger(value)) throw broken(`${name} exceeds 2^53`);
    if (name === 'number') properties.number = fileNumber(value);
    else properties[name] = value;
  }
  return properties;
}

/** The first property in which the file differs from what the manifest says of it, or undefined. */
export function differenceFrom(p: TableProperties, meta: TableMeta): string | undefined {
  for (const name of NUMBERS) {
    if (p[name] !== meta[name]) return `${name} is ${p[name]} and should be ${meta[name]}`;
  }
  for (const name of ['minKey', 'maxKey'] as const) {
    if (!sameBytes(p[name], meta[name])) return `${name} is another`;
  }
  return undefined;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return compareBytes(a, 0, a.length, b, 0, b.length) === 0;
}
