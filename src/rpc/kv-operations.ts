/**
 * What a door (gRPC, HTTP, …) asks of the store. The router implements it; doors know only this.
 * docs/API.md has the guarantees of each operation.
 *
 * Every call is answered exactly once, maybe before the method returns. Key and value are copied
 * before it returns. `timeoutMs` is how long the caller is willing to wait (Infinity = no limit of
 * its own). A failed write says in `error.outcome` whether it may have been applied. A version is
 * the sequence number of the write that made it: 1 or more, per shard, rising.
 */
import type { StormError } from '../base/errors.js';
import type { KvWatch, WatchRequest } from './kv-watch.js';
import type { Condition } from './write-messages.js';

/** `sequence` is the version that the write made. */
export type WriteDone = (error: StormError | undefined, sequence: number) => void;

/** Without an error, `value` undefined means that the key has none. The buffer is the caller's. */
export type ReadDone = (
  error: StormError | undefined,
  value: Buffer | undefined,
  sequence: number,
) => void;

export interface DeleteOptions {
  /** Only while the key has this version; 0 = only while it has no value. */
  ifVersion?: number | undefined;
}

export interface SetOptions extends DeleteOptions {
  /** The value expires so long after its commit; 0 or undefined = never. */
  ttlMs?: number | undefined;
}

export interface Ttl {
  /** 0 = never expires. */
  remainingMs: number;
  sequence: number;
}
/** Without an error, undefined means that the key has no value. */
export type TtlDone = (error: StormError | undefined, ttl: Ttl | undefined) => void;
/** Without an error, sequence 0 means that the key has no value. */
export type ExpireDone = (error: StormError | undefined, sequence: number) => void;

export interface Batch {
  /** An entry run. */
  run: Uint8Array;
  /** Rising by index, which counts the run's entries. */
  conditions?: readonly Condition[];
}

export interface EntryError {
  /** Of the entry in the batch. */
  index: number;
  /** A VersionConflict where the entry's own condition did not hold. */
  error: StormError;
}

export interface BatchSetResult {
  written: number;
  /** Rising by index; every entry is either among `written` or here. */
  errors: EntryError[];
}
/** An error means that the batch as a whole was refused: nothing of it is written. */
export type BatchSetDone = (error: StormError | undefined, result: BatchSetResult) => void;

export interface GetResult {
  value: Buffer;
  sequence: number;
}
/** In the order of the keys; undefined where the key has no value. Empty with an error. */
export type BatchGetDone = (
  error: StormError | undefined,
  results: readonly (GetResult | undefined)[],
) => void;

/** Bounds are bytes of keys; absent or empty = none. */
export interface ScanRequest {
  /** Inclusive. */
  from?: Uint8Array | undefined;
  /** Exclusive. */
  to?: Uint8Array | undefined;
  prefix?: Uint8Array | undefined;
  reverse?: boolean | undefined;
  /** Entries in all; 0 or absent = no limit. */
  limit?: number | undefined;
  /** Bytes of keys and values per page; 0 or absent = the default. */
  bytesMax?: number | undefined;
  keysOnly?: boolean | undefined;
  /** Of an earlier page: goes on behind it. Bounds and direction are the cursor's. */
  cursor?: string | undefined;
}

export interface ScanEntry {
  key: Buffer;
  /** Undefined in a scan of keys only. */
  value: Buffer | undefined;
  version: number;
  /** Wall time of the server in ms; 0 or left out = never. */
  expiresAtMs?: number;
}

export interface ScanPage {
  entries: ScanEntry[];
  /** Where to go on; undefined when there is nothing more. */
  cursor: string | undefined;
  /** The scan goes on, or a shard of it, on a younger snapshot than it began with. */
  freshSnapshot: boolean;
  /** The scan is over, because there is no more or `limit` is reached. */
  isLast: boolean;
}

export type ScanDone = (error: StormError | undefined, page: ScanPage | undefined) => void;

/** A scan in progress. It must be closed, or read to its last page. */
export interface KvScan {
  /** Fetches the next page; one at a time, and none after an error or the last. */
  nextPage(timeoutMs: number, done: ScanDone): void;
  /** Gives it up; a page that is being fetched is not answered. May be called at any time. */
  close(): void;
}

/** How many keys; with an error, how many had been deleted before it. */
export type DeletePrefixDone = (error: StormError | undefined, count: number) => void;

export interface KvOperations {
  set(
    key: Uint8Array,
    value: Uint8Array,
    timeoutMs: number,
    done: WriteDone,
    options?: SetOptions,
  ): void;
  delete(key: Uint8Array, timeoutMs: number, done: WriteDone, options?: DeleteOptions): void;
  get(key: Uint8Array, timeoutMs: number, done: ReadDone): void;
  batchSet(batch: Batch, timeoutMs: number, done: BatchSetDone): void;
  /** Whether a batch whose run has so many bytes would now be refused by no full lane. */
  hasRoomForBatch(runBytes: number): boolean;
  /** Calls `go` once when there may be more room than now; soon, and maybe in vain. */
  onRoom(go: () => void): void;
  batchGet(keys: readonly Uint8Array[], timeoutMs: number, done: BatchGetDone): void;
  /** `ttlMs` 0 = the value never expires. */
  expire(key: Uint8Array, ttlMs: number, timeoutMs: number, done: ExpireDone): void;
  ttl(key: Uint8Array, timeoutMs: number, done: TtlDone): void;
  /** Throws what is wrong with the request, or RESOURCE_EXHAUSTED. */
  scan(request: ScanRequest): KvScan;
  deletePrefix(
    prefix: Uint8Array,
    options: { dryRun: boolean },
    timeoutMs: number,
    done: DeletePrefixDone,
  ): void;
  /** Throws what is wrong with the request. Left out where changes cannot be watched. */
  watch?(request: WatchRequest): KvWatch;
}
