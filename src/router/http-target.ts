/**
 * What an HTTP request asks for, read from its target exactly as it came: nothing is normalised, so
 * `..`, `//`, `%2F` and upper case stay what they are in a key, and every byte is decoded once.
 */
import { StormError } from '../base/errors.js';

const KV_PREFIX = '/kv/';
const TTL_PREFIX = '/ttl/';
const PERCENT = 0x25;

const PLAIN_ROUTES = ['/kv', '/livez', '/readyz', '/stats', '/metrics'] as const;
export type Route = (typeof PLAIN_ROUTES)[number] | '/kv/' | '/ttl/' | '/unknown';

/** The route of a target, without looking at a key. */
export function routeOf(target: string): Route {
  if (target.startsWith(KV_PREFIX)) return KV_PREFIX;
  if (target.startsWith(TTL_PREFIX)) return TTL_PREFIX;
  const path = pathOf(target);
  return PLAIN_ROUTES.find((route) => route === path) ?? '/unknown';
}

/**
 * The key in a target of the route /kv/ or /ttl/, decoded once. Throws INVALID_ARGUMENT when it is
 * not well-formed; whether it is UTF-8 is judged later.
 */
export function keyOfTarget(target: string): Buffer {
  // Dropping what a client took for a part of its key would store another key than it meant.
  if (target.includes('?')) {
    throw invalid('a key takes no query; write ? in it as %3F');
  }
  if (target.includes('#')) throw invalid('write # in a key as %23');
  // Node's parser lets only ASCII through; other characters arrive percent-encoded or not at all.
  return decodePercent(Buffer.from(target.slice(target.indexOf('/', 1) + 1), 'latin1'), 'key');
}

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

/** Decodes in place, once. Throws INVALID_ARGUMENT, naming `what`. */
export function decodePercent(bytes: Buffer, what: string): Buffer {
  const first = bytes.indexOf(PERCENT);
  if (first < 0) return bytes;
  let to = first;
  for (let from = first; from < bytes.length; from++) {
    let byte = bytes[from]!;
    if (byte === PERCENT) {
      const high = hexDigit(bytes[from + 1]);
      const low = hexDigit(bytes[from + 2]);
      if (high < 0 || low < 0) {
        throw invalid(`malformed percent-encoding at byte ${from} of the ${what}`);
      }
      byte = high * 16 + low;
      from += 2;
    }
    bytes[to++] = byte;
  }
  return bytes.subarray(0, to);
}

function hexDigit(code: number | undefined): number {
  if (code === undefined) return -1;
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const upper = code & ~0x20;
  return upper >= 0x41 && upper <= 0x46 ? upper - 0x41 + 10 : -1;
}

function invalid(why: string): StormError {
  return new StormError('INVALID_ARGUMENT', `The path is not a valid key: ${why}`);
}
