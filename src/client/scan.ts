/** Scans as async iterables that go on where they were when a connection fails. */
import { StormError } from '../base/errors.js';
import { decodeScanResponse, encodeScanRequest } from '../rpc/client-codec.js';
import type { Channel } from './channel.js';
import type { ClientTimers } from './timers.js';

export interface ScanOptions {
  prefix?: string | Uint8Array;
  /** Inclusive. */
  from?: string | Uint8Array;
  /** Exclusive. */
  to?: string | Uint8Array;
  reverse?: boolean;
  /** Entries in all; absent or 0 = all. */
  limit?: number;
  keysOnly?: boolean;
}

export interface ScanEntry {
  key: string;
  /** Empty in a scan of keys only. */
  value: Buffer;
  version: number;
  /** The scan goes on, on one shard at least, on a younger snapshot than it began with. */
  freshSnapshot: boolean;
}

const SCAN = '/kv.Kv/Scan';
const RETRY_MS = 50;

/** `deadlineMs`: how long a scan that fails may go without a page. */
export async function* scanPages(
  nextChannel: () => Channel,
  options: ScanOptions,
  deadlineMs: number,
  timers: ClientTimers,
): AsyncGenerator<ScanEntry> {
  let cursor = '';
  let left = options.limit ?? 0;
  let lastPageMs = timers.monotonicMs();
  for (;;) {
    try {
      const request = encodeScanRequest({ ...bytesOf(options), limit: left, cursor });
      for await (const message of nextChannel().stream(SCAN, request, Infinity)) {
        const page = decodeScanResponse(message);
        lastPageMs = timers.monotonicMs();
        cursor = page.cursor;
        for (const entry of page.entries) {
          yield { ...entry, freshSnapshot: page.freshSnapshot };
        }
        if (left > 0) left -= page.entries.length;
      }
      return;
    } catch (error) {
      const mayPass = error instanceof StormError && isPassing(error);
      if (!mayPass || timers.monotonicMs() - lastPageMs >= deadlineMs) throw error;
      // Everything was taken, only the end of the stream was lost.
      if (options.limit !== undefined && options.limit > 0 && left === 0) return;
      await new Promise<void>((resolve) => timers.after(RETRY_MS, resolve));
    }
  }
}

function isPassing({ code }: StormError): boolean {
  return code === 'UNAVAILABLE' || code === 'RESOURCE_EXHAUSTED';
}

function bytesOf({ prefix, from, to, reverse, keysOnly }: ScanOptions) {
  const bytes = (content: string | Uint8Array | undefined) =>
    typeof content === 'string' ? Buffer.from(content) : content;
  return {
    prefix: bytes(prefix),
    from: bytes(from),
    to: bytes(to),
    reverse: reverse ?? false,
    keysOnly: keysOnly ?? false,
  };
}
