/**
 * The store's operations as one principal may use them. Rights are looked up at every call, and of
 * streams at every batch and page, so that who is revoked gets no further.
 *
 *   set, delete, expire, batchSet   write, on every key
 *   get, ttl, batchGet              read, on every key
 *   scan                            scan, on all of its range; with values read too
 *   watch                           scan and read, on all of its prefix
 *   deletePrefix                    write, on all of the prefix; a dry run scan
 *
 * One object per call; it allocates nothing besides, and walks the keys of a batch only for
 * principals whose right to write is limited to prefixes.
 */
import { RunReader } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import type { Right } from '../rpc/door-security.js';
import type {
  Batch,
  BatchGetDone,
  BatchSetDone,
  DeleteOptions,
  DeletePrefixDone,
  ExpireDone,
  KvOperations,
  KvScan,
  ReadDone,
  ScanDone,
  ScanPage,
  ScanRequest,
  SetOptions,
  TtlDone,
  WriteDone,
} from '../rpc/kv-operations.js';
import type { KvWatch, WatchDone, WatchPage, WatchRequest } from '../rpc/kv-watch.js';
import type { Authority } from './authority.js';

const EVERYTHING = new Uint8Array(0);
const reader = new RunReader();

export class AuthorizedOperations implements KvOperations {
  readonly #inner: KvOperations;
  readonly #authority: Authority;

  constructor(inner: KvOperations, authority: Authority) {
    this.#inner = inner;
    this.#authority = authority;
  }

  set(
    key: Uint8Array,
    value: Uint8Array,
    timeoutMs: number,
    done: WriteDone,
    options?: SetOptions,
  ): void {
    const refusal = this.#authority.refusal('Set', 'write', key);
    if (refusal !== undefined) done(refusal, 0);
    else this.#inner.set(key, value, timeoutMs, this.#written('Set', key, done), options);
  }

  delete(key: Uint8Array, timeoutMs: number, done: WriteDone, options?: DeleteOptions): void {
    const refusal = this.#authority.refusal('Delete', 'write', key);
    if (refusal !== undefined) done(refusal, 0);
    else this.#inner.delete(key, timeoutMs, this.#written('Delete', key, done), options);
  }

  get(key: Uint8Array, timeoutMs: number, done: ReadDone): void {
    const refusal = this.#authority.refusal('Get', 'read', key);
    if (refusal !== undefined) done(refusal, undefined, 0);
    else this.#inner.get(key, timeoutMs, done);
  }

  batchSet(batch: Batch, timeoutMs: number, done: BatchSetDone): void {
    const refusal = this.#authority.refusalOfRun('BatchSet', 'write', batch.run);
    if (refusal !== undefined) {
      done(refusal, { written: 0, errors: [] });
      return;
    }
    if (!this.#authority.auditsWrites) {
      this.#inner.batchSet(batch, timeoutMs, done);
      return;
    }
    const key = firstKeyOf(batch.run);
    this.#inner.batchSet(batch, timeoutMs, (error, result) => {
      this.#authority.wrote('BatchSet', key, result.written, error ?? result.errors[0]?.error);
      done(error, result);
    });
  }

  hasRoomForBatch(runBytes: number): boolean {
    return this.#inner.hasRoomForBatch(runBytes);
  }

  onRoom(go: () => void): void {
    this.#inner.onRoom(go);
  }

  batchGet(keys: readonly Uint8Array[], timeoutMs: number, done: BatchGetDone): void {
    for (const key of keys) {
      const refusal = this.#authority.refusal('BatchGet', 'read', key);
      if (refusal === undefined) continue;
      done(refusal, []);
      return;
    }
    this.#inner.batchGet(keys, timeoutMs, done);
  }

  expire(key: Uint8Array, ttlMs: number, timeoutMs: number, done: ExpireDone): void {
    const refusal = this.#authority.refusal('Expire', 'write', key);
    if (refusal !== undefined) done(refusal, 0);
    else this.#inner.expire(key, ttlMs, timeoutMs, this.#written('Expire', key, done));
  }

  ttl(key: Uint8Array, timeoutMs: number, done: TtlDone): void {
    const refusal = this.#authority.refusal('Ttl', 'read', key);
    if (refusal !== undefined) done(refusal, undefined);
    else this.#inner.ttl(key, timeoutMs, done);
  }

  scan(request: ScanRequest): KvScan {
    const rights: Right[] = request.keysOnly === true ? ['scan'] : ['scan', 'read'];
    // Where a cursor goes on is judged by what its pages hold.
    if (request.cursor === undefined || request.cursor === '') {
      for (const right of rights) this.#checkRange(request, right);
    }
    return new AuthorizedScan(this.#inner.scan(request), this.#authority, rights);
  }

  watch(request: WatchRequest): KvWatch {
    for (const right of ['scan', 'read'] as const) {
      const refusal = this.#authority.refusal('Watch', right, request.prefix);
      if (refusal !== undefined) throw refusal;
    }
    const inner = this.#inner.watch?.(request);
    if (inner === undefined) throw new StormError('UNIMPLEMENTED', 'There is no feed of changes');
    return new AuthorizedWatch(inner, this.#authority);
  }

  deletePrefix(
    prefix: Uint8Array,
    options: { dryRun: boolean },
    timeoutMs: number,
    done: DeletePrefixDone,
  ): void {
    const right = options.dryRun ? 'scan' : 'write';
    const refusal = this.#authority.refusal('DeletePrefix', right, prefix);
    if (refusal !== undefined) {
      done(refusal, 0);
      return;
    }
    this.#inner.deletePrefix(prefix, options, timeoutMs, (error, count) => {
      if (!options.dryRun) this.#authority.wrote('DeletePrefix', prefix, count, error);
      done(error, count);
    });
  }

  #written(operation: string, key: Uint8Array, done: WriteDone): WriteDone {
    if (!this.#authority.auditsWrites) return done;
    const kept = Uint8Array.from(key);
    return (error, sequence) => {
      this.#authority.wrote(operation, kept, 1, error);
      done(error, sequence);
    };
  }

  /** A range without a prefix of its own is under one if both of its ends are. */
  #checkRange({ prefix, from, to }: ScanRequest, right: Right): void {
    const isBare = prefix === undefined || prefix.length === 0;
    const [first, last] = isBare ? [from ?? EVERYTHING, to ?? EVERYTHING] : [prefix, prefix];
    const refusal = this.#authority.refusalOfSpan('Scan', right, first, last);
    if (refusal !== undefined) throw refusal;
  }
}

/** Of the entry that `reader` has come to. */
function keyOf(run: Uint8Array): Uint8Array {
  return run.subarray(reader.keyStart, reader.keyStart + reader.keyLength);
}

function firstKeyOf(run: Uint8Array): Uint8Array {
  try {
    reader.reset(run, 0, run.length);
    if (reader.next()) return Uint8Array.from(keyOf(run));
  } catch {
    // What is wrong with it is said by who splits it.
  }
  return EVERYTHING;
}

/** Each page is judged by its own keys: they are in order, so the outer ones stand for all. */
class AuthorizedScan implements KvScan {
  readonly #inner: KvScan;
  readonly #authority: Authority;
  readonly #rights: readonly Right[];

  constructor(inner: KvScan, authority: Authority, rights: readonly Right[]) {
    this.#inner = inner;
    this.#authority = authority;
    this.#rights = rights;
  }

  nextPage(timeoutMs: number, done: ScanDone): void {
    this.#inner.nextPage(timeoutMs, (error, page) => {
      const refusal = page === undefined ? undefined : this.#refusalOf(page);
      if (refusal === undefined) {
        done(error, page);
        return;
      }
      this.#inner.close();
      done(refusal, undefined);
    });
  }

  close(): void {
    this.#inner.close();
  }

  #refusalOf({ entries }: ScanPage): StormError | undefined {
    const [first, last] = [entries[0]?.key, entries.at(-1)?.key];
    const isEmpty = first === undefined || last === undefined;
    if (isEmpty)
      return this.#authority.isRevoked ? this.#authority.refuse('Scan', 'scan') : undefined;
    for (const right of this.#rights) {
      const refusal = this.#authority.refusalOfSpan('Scan', right, first, last);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }
}

/** Each page is judged by its own keys, which are in the order of their changes. */
class AuthorizedWatch implements KvWatch {
  readonly #inner: KvWatch;
  readonly #authority: Authority;

  constructor(inner: KvWatch, authority: Authority) {
    this.#inner = inner;
    this.#authority = authority;
  }

  nextPage(done: WatchDone): void {
    this.#inner.nextPage((error, page) => {
      const refusal = page === undefined ? undefined : this.#refusalOf(page);
      if (refusal === undefined) {
        done(error, page);
        return;
      }
      this.#inner.close();
      done(refusal, undefined);
    });
  }

  close(): void {
    this.#inner.close();
  }

  #refusalOf({ changes }: WatchPage): StormError | undefined {
    if (this.#authority.isRevoked) return this.#authority.refuse('Watch', 'scan');
    for (const { key } of changes) {
      const refusal =
        this.#authority.refusal('Watch', 'scan', key) ??
        this.#authority.refusal('Watch', 'read', key);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }
}
