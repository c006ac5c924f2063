/** Scans and reads of many keys as lines of JSON. */
import type { StormError } from '../base/errors.js';
import { entryLine } from '../rpc/json-lines.js';
import type { GetResult, KvScan, ScanPage, ScanRequest } from '../rpc/kv-operations.js';
import type { HttpQuery } from './http-query.js';
import { errorBody } from './http-status.js';

export const SCAN_PARAMETERS = [
  'prefix',
  'from',
  'to',
  'reverse',
  'limit',
  'cursor',
  'keys_only',
  'encoding',
];
const LIMIT_DEFAULT = 1000;

export function scanRequestOf(query: HttpQuery): ScanRequest {
  return {
    prefix: query.bytes('prefix'),
    from: query.bytes('from'),
    to: query.bytes('to'),
    reverse: query.flag('reverse'),
    limit: query.number('limit', LIMIT_DEFAULT),
    cursor: query.text('cursor'),
    keysOnly: query.flag('keys_only'),
  };
}

/** One page; rejects with a StormError. */
export function nextPage(scan: KvScan): Promise<ScanPage> {
  return new Promise((resolve, reject) => {
    scan.nextPage(Infinity, (error, page) => {
      if (page !== undefined) resolve(page);
      else reject(error);
    });
  });
}

/**
 * The lines of a scan from its first page on, fetched as they are read. An error
 * under way is the last line, because the status has been sent by then.
 */
export async function* scanLines(
  scan: KvScan,
  first: ScanPage,
  asUtf8: boolean,
): AsyncGenerator<string> {
  try {
    for (let page = first; ; page = await nextPage(scan)) {
      let lines = '';
      for (const entry of page.entries) lines += entryLine(entry, asUtf8);
      if (page.isLast && page.cursor !== undefined) {
        const fresh = page.freshSnapshot ? { freshSnapshot: true } : {};
        lines += `${JSON.stringify({ cursor: page.cursor, ...fresh })}\n`;
      }
      if (lines !== '') yield lines;
      if (page.isLast) return;
    }
  } catch (error) {
    const { code, message } = error as StormError;
    yield `${JSON.stringify(errorBody(code, message))}\n`;
  }
}

/** One line per key, in their order; `"found":false` where a key has no value. */
export function resultLines(
  keys: readonly Buffer[],
  results: readonly (GetResult | undefined)[],
  asUtf8: boolean,
): string {
  const lines = keys.map((key, i) => {
    const result = results[i];
    if (result === undefined) return `${JSON.stringify({ key: key.toString(), found: false })}\n`;
    return entryLine({ key, value: result.value, version: result.sequence }, asUtf8);
  });
  return lines.join('');
}
