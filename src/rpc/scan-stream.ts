/**
 * Sends the pages of a scan into a stream as fast as its reader takes them: the next page is
 * fetched when the stream has room, so a slow reader costs one page and holds nobody up.
 */
import type { StormError } from '../base/errors.js';
import { decodeScanRequest, encodeScanResponse } from './batch-codec.js';
import type { KvOperations } from './kv-operations.js';

export interface MessageStream {
  /** False when it has enough for now; `onRoom` is called when it wants more. */
  write(message: Buffer): boolean;
  onRoom(go: () => void): void;
  /** The reader went away: nothing more needs to be written. */
  onCancel(stop: () => void): void;
  end(): void;
  fail(error: StormError): void;
}

/** Throws what is wrong with the request. */
export function streamScan(
  kv: KvOperations,
  message: Uint8Array,
  remainingMs: () => number,
  stream: MessageStream,
): void {
  const scan = kv.scan(decodeScanRequest(message));
  stream.onCancel(() => scan.close());
  const next = (): void => {
    scan.nextPage(remainingMs(), (error, page) => {
      if (error !== undefined) stream.fail(error);
      else if (page !== undefined) {
        const hasRoom = stream.write(encodeScanResponse(page));
        if (page.isLast) stream.end();
        else if (hasRoom) queueMicrotask(next);
        else stream.onRoom(next);
      }
    });
  };
  next();
}
