/**
 * Entries as lines of JSON, one way for what is read and what is loaded:
 *
 *   {"key":"k","value":"djE=","version":17}     value in base64, or as text with encoding=utf8
 *   {"key":"k","valueBase64":"/w==", …}         where text was asked for and the value is none
 *
 * Where the entry expires, "expires_at_ms" tells when, in milliseconds since 1970.
 *
 * Lines to load may have "ttl_ms", and "value":null for a delete; what they have besides is not
 * looked at, so that what was read can be loaded as it is.
 */
import { isUtf8 } from 'node:buffer';
import { checkTtl } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import type { ScanEntry } from './kv-operations.js';

export function entryLine(entry: ScanEntry, asUtf8: boolean): string {
  const { key, value, version, expiresAtMs = 0 } = entry;
  const expiry = expiresAtMs === 0 ? {} : { expires_at_ms: expiresAtMs };
  const line = { key: key.toString(), ...contentOf(value, asUtf8), version, ...expiry };
  return `${JSON.stringify(line)}\n`;
}

function contentOf(value: Buffer | undefined, asUtf8: boolean): Record<string, string> {
  if (value === undefined) return {};
  if (!asUtf8) return { value: value.toString('base64') };
  return isUtf8(value) ? { value: value.toString() } : { valueBase64: value.toString('base64') };
}

export interface LineEntry {
  key: Buffer;
  /** Undefined = delete. */
  value: Buffer | undefined;
  ttlMs: number;
}

/** What a line says to write; undefined for a blank line and a scan's cursor. */
export function parseLine(line: Uint8Array, asUtf8: boolean): LineEntry | undefined {
  if (!isUtf8(line)) throw wrong('it is not valid UTF-8');
  const text = Buffer.from(line).toString().trim();
  if (text === '') return undefined;
  const { key, value, valueBase64, ttl_ms: ttl, cursor } = objectOf(text);
  if (key === undefined && typeof cursor === 'string') return undefined;
  if (typeof key !== 'string') throw wrong('"key" must be a string');
  if (value !== undefined && valueBase64 !== undefined) {
    throw wrong('it has both "value" and "valueBase64"');
  }
  if (ttl !== undefined && typeof ttl !== 'number') throw wrong('"ttl_ms" must be a number');
  const ttlMs = ttl ?? 0;
  if (ttlMs !== 0) checkTtl(ttlMs);
  const keyBytes = utf8Of('key', key);
  if (value === null) return { key: keyBytes, value: undefined, ttlMs: 0 };
  const isText = asUtf8 && valueBase64 === undefined;
  const content = valueBase64 ?? value;
  if (typeof content !== 'string') throw wrong('"value" must be a string, or null to delete');
  return { key: keyBytes, value: isText ? utf8Of('value', content) : base64Of(content), ttlMs };
}

function objectOf(text: string): Record<string, unknown> {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    throw wrong('it is not valid JSON');
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    throw wrong('it is not a JSON object');
  }
  return found as Record<string, unknown>;
}

function utf8Of(name: string, text: string): Buffer {
  // Half a surrogate pair would become another character.
  if (!text.isWellFormed()) throw wrong(`"${name}" has half a character (a lone surrogate)`);
  return Buffer.from(text, 'utf8');
}

function base64Of(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  // Node passes over what is no base64.
  if (bytes.toString('base64') === text) return bytes;
  throw wrong('"value" is not base64 (for text, use encoding=utf8)');
}

function wrong(why: string): StormError {
  return new StormError('INVALID_ARGUMENT', `The line is wrong: ${why}`);
}
