/**
 * Small files that say which others count (ROOT, CURRENT): one line of JSON and one line with its
 * CRC-32 in hexadecimal. Replaced as a whole: temporary file, sync, rename, directory sync.
 */
import { crc32 } from 'node:zlib';
import { CorruptionError } from '../base/errors.js';
import { temporaryName } from './file-names.js';
import type { FileSystem } from './file-system.js';

const SIZE_BYTES_MAX = 1 << 20;

/** Writes `dir/name` so that a crash leaves the old content or the new one. */
export function writeCheckedJson(fs: FileSystem, dir: string, name: string, value: object): void {
  const temporary = `${dir}/${temporaryName(name)}`;
  if (fs.stat(temporary) !== undefined) fs.remove(temporary);
  const body = encodeCheckedJson(value);
  const handle = fs.open(temporary, 'create');
  try {
    handle.writeAt(body, 0, body.length, 0);
    handle.syncData();
  } finally {
    handle.close();
  }
  fs.rename(temporary, `${dir}/${name}`);
  fs.syncDir(dir);
}

/** The value of `dir/name`, undefined where there is no such file; damage is a CorruptionError. */
export function readCheckedJson(
  fs: FileSystem,
  dir: string,
  name: string,
  sizeBytesMax = SIZE_BYTES_MAX,
): Record<string, unknown> | undefined {
  const path = `${dir}/${name}`;
  const stat = fs.stat(path);
  if (stat === undefined) return undefined;
  if (stat.sizeBytes > sizeBytesMax) throw new CorruptionError('The file is too large', at(path));
  const bytes = new Uint8Array(stat.sizeBytes);
  const handle = fs.open(path, 'read');
  try {
    const got = handle.readAt(bytes, 0, bytes.length, 0);
    return decodeCheckedJson(bytes.subarray(0, got), path);
  } finally {
    handle.close();
  }
}

export function encodeCheckedJson(value: object): Uint8Array {
  const line = Buffer.from(`${JSON.stringify(value)}\n`);
  return Buffer.concat([line, Buffer.from(`${hex(crc32(line))}\n`)]);
}

export function decodeCheckedJson(bytes: Uint8Array, path: string): Record<string, unknown> {
  const end = bytes.indexOf(0x0a) + 1;
  const sum = Buffer.from(bytes.subarray(end)).toString('latin1');
  const line = bytes.subarray(0, end);
  if (end === 0 || sum !== `${hex(crc32(line))}\n`) {
    throw new CorruptionError('The checksum of the file does not fit its content', at(path));
  }
  const value = parse(Buffer.from(line).toString('utf8'), path);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CorruptionError('The file does not hold an object', at(path));
  }
  return { ...value };
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CorruptionError('The file does not hold JSON', at(path), error);
  }
}

function at(file: string): { file: string; offset: number } {
  return { file, offset: 0 };
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}
