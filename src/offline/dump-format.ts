/**
 * What `stormkv dump` writes and `stormkv load` reads (docs/formats/dump.md): a header, entries and
 * a trailer, as lines of JSON or as a sequence of msgpack values. The trailer counts the entries
 * and has the CRC-32 of their bytes, so that a dump that was cut short or damaged is noticed.
 */
import { crc32 } from 'node:zlib';
import { StormError } from '../base/errors.js';

export const DUMP_VERSION = 1;
export type DumpFormat = 'ndjson' | 'msgpack';

export interface DumpEntry {
  key: Buffer;
  value: Buffer;
  version: number;
  /** Wall time in ms; 0 = never. */
  expiresAtMs: number;
}

export interface DumpHeader {
  version: number;
  /** When the dump began, ISO 8601. */
  at: string;
  /** Of the keys, base64. */
  prefix: string;
}

export interface DumpTrailer {
  entries: number;
  crc32: number;
  /** Some keys are of a later moment than others of their shard. */
  freshSnapshot: boolean;
}

export const STR_32 = 0xdb;
export const ARRAY_4 = 0x94;
export const BIN_32 = 0xc6;
export const UINT_64 = 0xcf;
/** Of an entry in msgpack, besides its key and its value. */
export const ENTRY_OVERHEAD_BYTES = 1 + 5 + 5 + 9 + 9;

/** Makes a dump piece by piece; whoever calls writes the pieces out. */
export class DumpEncoder {
  readonly #format: DumpFormat;
  #entries = 0;
  #crc32 = 0;

  constructor(format: DumpFormat) {
    this.#format = format;
  }

  get entries(): number {
    return this.#entries;
  }

  header({ at, prefix }: Omit<DumpHeader, 'version'>): Buffer {
    return this.#note({ stormkv: 'dump', version: DUMP_VERSION, at, prefix });
  }

  /** The bytes of some entries. */
  entriesOf(entries: readonly DumpEntry[]): Buffer {
    const encode = this.#format === 'ndjson' ? entryLine : packedEntry;
    const bytes = Buffer.concat(entries.map(encode));
    this.#entries += entries.length;
    this.#crc32 = crc32(bytes, this.#crc32);
    return bytes;
  }

  trailer(freshSnapshot: boolean): Buffer {
    const trailer: DumpTrailer = { entries: this.#entries, crc32: this.#crc32, freshSnapshot };
    return this.#note({ stormkv: 'end', ...trailer });
  }

  #note(fields: object): Buffer {
    const text = Buffer.from(JSON.stringify(fields));
    if (this.#format === 'ndjson') return Buffer.concat([text, Buffer.from('\n')]);
    const head = Buffer.alloc(5);
    head[0] = STR_32;
    head.writeUInt32BE(text.length, 1);
    return Buffer.concat([head, text]);
  }
}

function entryLine({ key, value, version, expiresAtMs }: DumpEntry): Buffer {
  const expiry = expiresAtMs === 0 ? {} : { expires_at_ms: expiresAtMs };
  const fields = { key: key.toString(), value: value.toString('base64'), version, ...expiry };
  return Buffer.from(`${JSON.stringify(fields)}\n`);
}

function packedEntry({ key, value, version, expiresAtMs }: DumpEntry): Buffer {
  const bytes = Buffer.allocUnsafe(ENTRY_OVERHEAD_BYTES + key.length + value.length);
  bytes[0] = ARRAY_4;
  let at = 1;
  for (const content of [key, value]) {
    bytes[at] = BIN_32;
    bytes.writeUInt32BE(content.length, at + 1);
    bytes.set(content, at + 5);
    at += 5 + content.length;
  }
  for (const number of [version, expiresAtMs]) {
    bytes[at] = UINT_64;
    bytes.writeBigUInt64BE(BigInt(number), at + 1);
    at += 9;
  }
  return bytes;
}

/** What a header or a trailer says; undefined when the fields are those of neither. */
export function noteOf(
  fields: Record<string, unknown>,
): { header: DumpHeader } | { trailer: DumpTrailer } | undefined {
  const { stormkv, version, at, prefix, entries, crc32: sum, freshSnapshot } = fields;
  if (stormkv === 'dump') {
    if (version !== DUMP_VERSION) {
      throw new StormError(
        'FAILED_PRECONDITION',
        `The dump has format version ${String(version)}, this program reads ${DUMP_VERSION}: ` +
          'use the program version that wrote it, or a newer one',
      );
    }
    return { header: { version, at: String(at), prefix: String(prefix) } };
  }
  if (stormkv !== 'end' || typeof entries !== 'number' || typeof sum !== 'number') return undefined;
  return { trailer: { entries, crc32: sum, freshSnapshot: freshSnapshot === true } };
}
