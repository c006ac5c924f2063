/** Versions, conditions and times to live as HTTP headers. A version is an ETag: `"17"`. */
import { StormError } from '../base/errors.js';
import type { SetOptions } from '../rpc/kv-operations.js';

export const HEADER_TTL_MS = 'stormkv-ttl-ms';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

export const etagOf = (version: number): string => `"${version}"`;

/** What If-Match, If-None-Match and stormkv-ttl-ms ask of a write; undefined = nothing. */
export function writeOptionsOf(headers: Headers): SetOptions | undefined {
  const ttlText = headers[HEADER_TTL_MS];
  const match = headers['if-match'];
  const noneMatch = headers['if-none-match'];
  if (ttlText === undefined && match === undefined && noneMatch === undefined) return undefined;
  if (match !== undefined && noneMatch !== undefined) {
    throw wrong('give either If-Match or If-None-Match');
  }
  const options: SetOptions = {};
  if (ttlText !== undefined) options.ttlMs = ttlMsOf(String(ttlText));
  if (match !== undefined) options.ifVersion = versionOf(String(match));
  if (noneMatch !== undefined) {
    if (noneMatch !== '*') throw wrong('a write knows only "If-None-Match: *", for no value');
    options.ifVersion = 0;
  }
  return options;
}

/** Whether a reader has this version already: an If-None-Match of a read. */
export function isKnownVersion(headers: Headers, version: number): boolean {
  const known = headers['if-none-match'];
  if (known === undefined) return false;
  const tags = String(known).split(',');
  // Weak comparison, as reads do.
  return tags.some(
    (tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etagOf(version),
  );
}

/** A duration of 0 or more, from text. */
export function ttlMsOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw wrong(`a time to live is a whole number of milliseconds: found ${JSON.stringify(text)}`);
}

function versionOf(tag: string): number {
  const digits = /^"([1-9]\d{0,15})"$/.exec(tag)?.[1];
  const version = Number(digits ?? Number.NaN);
  if (Number.isSafeInteger(version)) return version;
  throw wrong(`If-Match must be one ETag that a read gave, like "17": found ${tag}`);
}

function wrong(why: string): StormError {
  return new StormError('INVALID_ARGUMENT', `The headers are wrong: ${why}`);
}
