/** The decoders of what people and their programs send: HTTP, lines of JSON, cursors, options. */

import { hash32 } from '../../src/base/hash.js';
import { JsonSyntaxError, parseJsonText } from '../../src/config/json-text.js';
import { loadConfig } from '../../src/config/load-config.js';
import { HEADER_TTL_MS, isKnownVersion, writeOptionsOf } from '../../src/router/http-conditions.js';
import { HttpQuery } from '../../src/router/http-query.js';
import { SCAN_PARAMETERS, scanRequestOf } from '../../src/router/http-scan.js';
import { keyOfTarget, routeOf } from '../../src/router/http-target.js';
import { decodeCursor, encodeCursor } from '../../src/router/scan-cursor.js';
import { entryLine, parseLine } from '../../src/rpc/json-lines.js';
import { FuzzFault, type FuzzTarget, promise } from '../harness/fuzz-run.js';

const KEY_BYTES_MAX = 64;
const SHARDS = 4;
const CHECK_SEED = 0x5c41;

const textOf = (input: Uint8Array, encoding: BufferEncoding = 'latin1'): string =>
  Buffer.from(input.buffer, input.byteOffset, input.length).toString(encoding);

const cursor: FuzzTarget = {
  name: 'scan-cursor',
  run(input) {
    // The bytes without their check: so every input gets behind it.
    const bytes = Buffer.alloc(input.length + 4);
    bytes.set(input);
    bytes.writeUInt32BE(hash32(input, 0, input.length, CHECK_SEED), input.length);
    const position = decodeCursor(bytes.toString('base64url'), KEY_BYTES_MAX, SHARDS);
    promise(position.lastKey.length <= KEY_BYTES_MAX, 'a key that is too long');
    const text = encodeCursor(position);
    promise(text === encodeCursor(decodeCursor(text, KEY_BYTES_MAX, SHARDS)), 'another cursor');
    return text;
  },
};

const cursorText: FuzzTarget = {
  name: 'scan-cursor-text',
  run: (input) => encodeCursor(decodeCursor(textOf(input), KEY_BYTES_MAX, SHARDS)),
};

const target: FuzzTarget = {
  name: 'http-target',
  words: ['%', '%2F', '%ff', '/kv/', '/ttl/', '..', '?', '#', '%zz'],
  run(input) {
    const text = textOf(input);
    const route = routeOf(text);
    const key = keyOfTarget(text);
    promise(key.length <= text.length, 'a key longer than its target');
    const written = [...key].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    promise(keyOfTarget(`/kv/${written}`).equals(key), 'another key when written anew');
    return `${route} ${key.toString('latin1')}`;
  },
};

const query: FuzzTarget = {
  name: 'http-query',
  words: [...SCAN_PARAMETERS.map((name) => `&${name}=`), '%00', '+', 'true', 'utf8', '1e3', '%'],
  run(input) {
    const found = new HttpQuery(textOf(input), SCAN_PARAMETERS, ['key']);
    const { limit = 0, reverse, cursor: at } = scanRequestOf(found);
    promise(Number.isSafeInteger(limit) && limit >= 0, 'a limit that is no count');
    return `${limit} ${String(reverse)} ${at} ${found.isUtf8()} ${found.all('key').length}`;
  },
};

/** A header a line. */
const headers: FuzzTarget = {
  name: 'http-headers',
  words: ['"1"', '*', 'W/"1"', '9007199254740993', '\n'],
  run(input) {
    const [match, noneMatch, ttl] = textOf(input).split('\n');
    const given: Record<string, string> = {};
    if (match) given['if-match'] = match;
    if (noneMatch) given['if-none-match'] = noneMatch;
    if (ttl) given[HEADER_TTL_MS] = ttl;
    const isKnown = isKnownVersion(given, 1);
    const options = writeOptionsOf(given);
    const { ifVersion = 0, ttlMs = 0 } = options ?? {};
    promise(Number.isSafeInteger(ifVersion) && ifVersion >= 0, 'a version that is none');
    promise(Number.isSafeInteger(ttlMs) && ttlMs >= 0, 'a duration that is none');
    return `${isKnown} ${ifVersion} ${ttlMs}`;
  },
};

const lines: FuzzTarget = {
  name: 'json-line',
  words: [
    '"key":',
    '"value":null',
    '"ttl_ms":1e400',
    '\\ud800',
    '"__proto__":',
    '\\u0000',
    '[',
    '{',
  ],
  run(input) {
    const entry = parseLine(input, input.length % 2 === 0);
    if (entry === undefined) return 'nothing';
    const { key, value, ttlMs } = entry;
    promise(ttlMs === 0 || Number.isSafeInteger(ttlMs), 'a duration that is none');
    if (value !== undefined) {
      const again = parseLine(Buffer.from(entryLine({ key, value, version: 1 }, false)), false);
      const isSame = again?.key.equals(key) === true && again.value?.equals(value) === true;
      promise(isSame, 'another entry when written anew');
    }
    return `${key.toString('latin1')} ${value?.length} ${ttlMs}`;
  },
};

const JSON_WORDS = ['{', '}', '[', ']', '"', '\\u', ':', ',', 'null', '1e9', '-', '"__proto__":1,'];

const json: FuzzTarget = {
  name: 'json-text',
  words: JSON_WORDS,
  isDocumented: (error) => error instanceof JsonSyntaxError,
  run(input) {
    const text = textOf(input, 'utf8');
    let strict: unknown;
    let isStrict = true;
    try {
      strict = JSON.parse(text);
    } catch {
      isStrict = false;
    }
    const { value } = parseJsonText(text);
    if (!isStrict && !text.startsWith('\uFEFF')) throw new FuzzFault('accepts what is no JSON');
    const found = JSON.stringify(value);
    if (isStrict) promise(found === JSON.stringify(strict), 'reads another value than JSON.parse');
    return found;
  },
};

const config: FuzzTarget = {
  name: 'config',
  words: [...JSON_WORDS, '"wal":{', '"sync":"os"', '"limits":', '0', 'true', '"127.0.0.1"'],
  run(input) {
    const { config: loaded } = loadConfig({ file: { name: 'f', text: textOf(input, 'utf8') } });
    return JSON.stringify(loaded);
  },
};

const flags: FuzzTarget = {
  name: 'config-environment',
  words: ['STORMKV_', 'WAL_SYNC', 'LIMITS_', '=', '\n', '0', '-1', 'true'],
  run(input) {
    const pairs = textOf(input)
      .split('\n')
      .map((line) => line.split('='));
    const env = Object.fromEntries(pairs.map(([name = '', value = '']) => [name, value]));
    const loaded = loadConfig({ env });
    return `${loaded.warnings.length} ${JSON.stringify(loaded.config)}`;
  },
};

export const DOOR_TARGETS: readonly FuzzTarget[] = [
  cursor,
  cursorText,
  target,
  query,
  headers,
  lines,
  json,
  config,
  flags,
];
