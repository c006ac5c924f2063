/** A Writable of write requests that keeps to the client's backlog. */
import { Writable } from 'node:stream';
import type { StormError } from '../base/errors.js';

export interface WriteRequest {
  key: string | Uint8Array;
  /** Undefined deletes. */
  value?: string | Uint8Array | undefined;
  ttlMs?: number;
}

export interface WritableSource {
  write(request: WriteRequest, settle: (error: StormError | undefined) => void): void;
  hasRoom(): boolean;
  /** Resolves when the backlog has room. */
  room(): Promise<void>;
}

export function writableOf(source: WritableSource): Writable {
  let open = 0;
  let failure: Error | undefined;
  let whenDone: ((error?: Error | null) => void) | undefined;
  const settle = (error: StormError | undefined): void => {
    open--;
    failure ??= error;
    if (failure !== undefined && whenDone === undefined) stream.destroy(failure);
    if (open === 0) whenDone?.(failure ?? null);
  };
  const stream = new Writable({
    objectMode: true,
    write(request: WriteRequest, _encoding, next) {
      const go = (): void => {
        try {
          open++;
          source.write(request, settle);
          next();
        } catch (error) {
          open--;
          next(error as Error);
        }
      };
      if (source.hasRoom()) go();
      else source.room().then(go, next);
    },
    final(done) {
      if (open === 0) done(failure ?? null);
      else whenDone = done;
    },
  });
  return stream;
}
