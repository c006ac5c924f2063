/** One write with a condition: a call of its own, sent once. */
import { checkTtl } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import { decodeNumbers, encodeConditionalSet } from '../rpc/client-codec.js';
import type { Channel } from './channel.js';

export interface ConditionalOptions {
  /** Only while the key has no value. */
  ifAbsent?: boolean;
  /** Only while the key has this version. */
  ifVersion?: number;
  ttlMs?: number;
}

/** Resolves to the version that the write made. */
export function conditionalSet(
  channel: Channel,
  key: Uint8Array,
  value: Uint8Array,
  options: ConditionalOptions,
  deadlineMs: number,
): Promise<number> {
  const { ifAbsent = false, ifVersion = 0, ttlMs = 0 } = options;
  if (ifAbsent === ifVersion > 0) {
    throw new StormError('INVALID_ARGUMENT', 'Give either ifAbsent: true or an ifVersion above 0');
  }
  if (ttlMs !== 0) checkTtl(ttlMs);
  const message = encodeConditionalSet(key, value, { ttlMs, ifAbsent, ifVersion });
  return new Promise((resolve, reject) => {
    channel.unary('/kv.Kv/Set', message, deadlineMs, (error, response) => {
      if (error !== undefined) reject(error);
      else resolve(decodeNumbers(response)[0] ?? 0);
    });
  });
}
