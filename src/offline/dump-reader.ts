/**
 * Reads a dump back, or plain lines of JSON, chunk by chunk: holds one record, whatever the size of
 * the whole. The format is known by the first byte.
 */
import { crc32 } from 'node:zlib';
import { messageOf, StormError } from '../base/errors.js';
import { parseLine } from '../rpc/json-lines.js';
import {
  ARRAY_4,
  BIN_32,
  type DumpHeader,
  type DumpTrailer,
  ENTRY_OVERHEAD_BYTES,
  noteOf,
  STR_32,
  UINT_64,
} from './dump-format.js';

/** A record is a line, or a value of the msgpack sequence; the first one is 1. */
export type DumpRecord = { line: number } & (
  | { kind: 'header'; header: DumpHeader }
  | { kind: 'entry'; key: Buffer; value: Buffer | undefined; ttlMs: number; expiresAtMs: number }
  /** Says nothing. */
  | { kind: 'blank' }
  /** Cannot be understood; what follows is read all the same. */
  | { kind: 'wrong'; why: string }
  /** The last one of a whole dump; `intact`: count and checksum are those of what came before. */
  | { kind: 'trailer'; trailer: DumpTrailer; intact: boolean }
);

const RECORD_BYTES_MAX = 128 * 1024 * 1024;
const LINE_FEED = 0x0a;

/**
 * Yields each record. Throws FAILED_PRECONDITION for a dump of another version, DATA_CORRUPTION
 * where a msgpack dump can no longer be followed. That there was no trailer is the caller's to see.
 */
export async function* readDump(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<DumpRecord, void, void> {
  const parts = new Parts();
  const tally = { entries: 0, crc32: 0 };
  let line = 0;
  for await (const chunk of chunks) {
    parts.add(chunk);
    for (let part = parts.next(false); part !== undefined; part = parts.next(false)) {
      yield recordOf(part, ++line, tally);
    }
  }
  const rest = parts.next(true);
  if (rest !== undefined) yield recordOf(rest, ++line, tally);
}

interface Tally {
  entries: number;
  crc32: number;
}

function recordOf(part: Buffer, line: number, tally: Tally): DumpRecord {
  try {
    const found = part[0] === STR_32 || part[0] === ARRAY_4 ? packedRecord(part) : textRecord(part);
    if ('header' in found) return { line, kind: 'header', header: found.header };
    if ('trailer' in found) {
      const { trailer } = found;
      const intact = trailer.entries === tally.entries && trailer.crc32 === tally.crc32;
      return { line, kind: 'trailer', trailer, intact };
    }
    if (found.kind === 'entry') count(tally, part);
    return { line, ...found };
  } catch (error) {
    if (error instanceof StormError && error.code !== 'INVALID_ARGUMENT') throw error;
    count(tally, part);
    return { line, kind: 'wrong', why: messageOf(error) };
  }
}

function count(tally: Tally, part: Buffer): void {
  tally.entries++;
  tally.crc32 = crc32(part, tally.crc32);
}

type Found =
  | { header: DumpHeader }
  | { trailer: DumpTrailer }
  | { kind: 'blank' }
  | { kind: 'entry'; key: Buffer; value: Buffer | undefined; ttlMs: number; expiresAtMs: number };

function textRecord(part: Buffer): Found {
  if (part.indexOf('"stormkv"') >= 0) {
    const note = noteIn(part);
    if (note !== undefined) return note;
  }
  const entry = parseLine(part, false);
  if (entry === undefined) return { kind: 'blank' };
  return { kind: 'entry', ...entry, expiresAtMs: expiryIn(part) };
}

function noteIn(text: Buffer): ReturnType<typeof noteOf> {
  let fields: unknown;
  try {
    fields = JSON.parse(text.toString());
  } catch {
    return undefined;
  }
  const isObject = typeof fields === 'object' && fields !== null;
  return isObject ? noteOf(fields as Record<string, unknown>) : undefined;
}

function expiryIn(part: Buffer): number {
  if (part.indexOf('"expires_at_ms"') < 0) return 0;
  const { expires_at_ms: at = 0 } = JSON.parse(part.toString()) as Record<string, unknown>;
  if (typeof at === 'number' && Number.isSafeInteger(at) && at >= 0) return at;
  const text = 'The line is wrong: "expires_at_ms" must be a whole number from 0 on';
  throw new StormError('INVALID_ARGUMENT', text);
}

function packedRecord(part: Buffer): Found {
  if (part[0] === STR_32) {
    const note = noteIn(part.subarray(5));
    if (note !== undefined) return note;
    throw damaged('a text that is neither header nor trailer');
  }
  const keyEnd = 6 + part.readUInt32BE(2);
  const valueStart = keyEnd + 5;
  const valueEnd = valueStart + part.readUInt32BE(keyEnd + 1);
  return {
    kind: 'entry',
    key: part.subarray(6, keyEnd),
    value: part.subarray(valueStart, valueEnd),
    ttlMs: 0,
    expiresAtMs: Number(part.readBigUInt64BE(valueEnd + 10)),
  };
}

/** Cuts chunks into records. */
class Parts {
  #held: Buffer = Buffer.alloc(0);
  #at = 0;
  /** No line ends in the held bytes before this. */
  #searched = 0;
  #isPacked: boolean | undefined;

  add(chunk: Uint8Array): void {
    const rest = this.#held.subarray(this.#at);
    this.#searched -= this.#at;
    this.#at = 0;
    this.#held = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    if (this.#searched < 0) this.#searched = 0;
    if (this.#held.length > RECORD_BYTES_MAX) throw damaged('a record without an end');
  }

  /** The next whole record; `isEnd`: no chunk follows, so an open line is one. */
  next(isEnd: boolean): Buffer | undefined {
    if (this.#at === this.#held.length) return undefined;
    const first = this.#held[this.#at];
    this.#isPacked ??= first === STR_32 || first === ARRAY_4;
    const end = this.#isPacked ? this.#packedEnd() : this.#lineEnd(isEnd);
    if (end === undefined) {
      if (isEnd && this.#isPacked) this.#at = this.#held.length;
      return undefined;
    }
    const part = this.#held.subarray(this.#at, end);
    this.#at = this.#searched = end;
    return part;
  }

  #lineEnd(isEnd: boolean): number | undefined {
    const found = this.#held.indexOf(LINE_FEED, Math.max(this.#at, this.#searched));
    this.#searched = this.#held.length;
    if (found >= 0) return found + 1;
    return isEnd ? this.#held.length : undefined;
  }

  #packedEnd(): number | undefined {
    const { length } = this.#held;
    const at = this.#at;
    const tag = this.#held[at];
    if (tag === STR_32) {
      if (length - at < 5) return undefined;
      return this.#within(at + 5 + this.#held.readUInt32BE(at + 1));
    }
    if (tag !== ARRAY_4) throw damaged(`a value that begins with byte ${tag}`);
    const valueAt = this.#binEnd(at + 1);
    const end = valueAt === undefined ? undefined : this.#binEnd(valueAt);
    if (end === undefined || end + 18 > length) return undefined;
    for (const number of [end, end + 9]) {
      if (this.#held[number] !== UINT_64) throw damaged('an entry that is none');
    }
    return end + 18;
  }

  #binEnd(at: number): number | undefined {
    if (at + 5 > this.#held.length) return undefined;
    if (this.#held[at] !== BIN_32) throw damaged('an entry that is none');
    const end = at + 5 + this.#held.readUInt32BE(at + 1);
    if (end - at > RECORD_BYTES_MAX - ENTRY_OVERHEAD_BYTES) throw damaged('an entry without end');
    return this.#within(end);
  }

  #within(end: number): number | undefined {
    return end <= this.#held.length ? end : undefined;
  }
}

function damaged(what: string): StormError {
  return new StormError('DATA_CORRUPTION', `The dump is damaged: it has ${what}`);
}
