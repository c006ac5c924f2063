/**
 * What a door (gRPC, HTTP, …) asks of the store. The router implements it; doors know only this.
 *
 * Every call is answered exactly once, maybe before the method returns. Key and value are copied
 * before it returns. `timeoutMs` is how long the caller is willing to wait (Infinity = no limit of
 * its own). A failed write says in `error.outcome` whether it may have been applied.
 */
import type { StormError } from '../base/errors.js';

/** `sequence` is the version that the write made. */
export type WriteDone = (error: StormError | undefined, sequence: number) => void;

/** Without an error, `value` undefined means that the key has none. The buffer is the caller's. */
export type ReadDone = (
  error: StormError | undefined,
  value: Buffer | undefined,
  sequence: number,
) => void;

export interface KvOperations {
  set(key: Uint8Array, value: Uint8Array, timeoutMs: number, done: WriteDone): void;
  delete(key: Uint8Array, timeoutMs: number, done: WriteDone): void;
  get(key: Uint8Array, timeoutMs: number, done: ReadDone): void;
}
