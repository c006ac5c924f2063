/**
 * The store's operations as one caller has them: every call passes the gates, and they hear of its
 * end. A refused call is answered at once and has cost one small object.
 *
 * A scan is one call from its first page to its last. What its pages hold is charged when they are
 * delivered; where that is more than the caller may have, the scan's next page waits, and is
 * refused only if its deadline would pass.
 */
import { RunReader } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
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
  ScanRequest,
  SetOptions,
  TtlDone,
  WriteDone,
} from '../rpc/kv-operations.js';
import type { KvWatch, WatchDone, WatchRequest } from '../rpc/kv-watch.js';
import { Call, type Caller, type Gates } from './gates.js';

/** Runs the task after so long; returns what cancels it. */
export type After = (ms: number, task: () => void) => () => void;

export class GovernedOperations implements KvOperations {
  readonly #inner: KvOperations;
  readonly #gates: Gates;
  readonly #caller: Caller;
  readonly #after: After;

  constructor(inner: KvOperations, gates: Gates, caller: Caller, after: After) {
    this.#inner = inner;
    this.#gates = gates;
    this.#caller = caller;
    this.#after = after;
  }

  set(
    key: Uint8Array,
    value: Uint8Array,
    timeoutMs: number,
    done: WriteDone,
    options?: SetOptions,
  ): void {
    const call = new Call('Set', 'write', this.#caller, 1);
    const refusal = this.#gates.enter(call);
    if (refusal === undefined) {
      this.#inner.set(key, value, timeoutMs, this.#written(call, done), options);
    } else done(refusal, 0);
  }

  delete(key: Uint8Array, timeoutMs: number, done: WriteDone, options?: DeleteOptions): void {
    const call = new Call('Delete', 'write', this.#caller, 1);
    const refusal = this.#gates.enter(call);
    if (refusal === undefined) {
      this.#inner.delete(key, timeoutMs, this.#written(call, done), options);
    } else done(refusal, 0);
  }

  get(key: Uint8Array, timeoutMs: number, done: ReadDone): void {
    const call = new Call('Get', 'read', this.#caller, 1);
    const refusal = this.#gates.enter(call);
    if (refusal !== undefined) {
      done(refusal, undefined, 0);
      return;
    }
    this.#inner.get(key, timeoutMs, (error, value, sequence) => {
      this.#gates.leave(call, error);
      done(error, value, sequence);
    });
  }

  batchSet(batch: Batch, timeoutMs: number, done: BatchSetDone): void {
    const entries = this.#gates.countsEntries ? entriesOf(batch.run) : 0;
    const call = new Call('BatchSet', 'write', this.#caller, entries);
    const refusal = this.#gates.enter(call);
    if (refusal !== undefined) {
      done(refusal, { written: 0, errors: [] });
      return;
    }
    this.#inner.batchSet(batch, timeoutMs, (error, result) => {
      call.entries ||= result.written + result.errors.length;
      this.#gates.leave(call, error ?? faultAmong(result.errors));
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
    const call = new Call('BatchGet', 'read', this.#caller, keys.length);
    const refusal = this.#gates.enter(call);
    if (refusal !== undefined) {
      done(refusal, []);
      return;
    }
    this.#inner.batchGet(keys, timeoutMs, (error, results) => {
      this.#gates.leave(call, error);
      done(error, results);
    });
  }

  expire(key: Uint8Array, ttlMs: number, timeoutMs: number, done: ExpireDone): void {
    const call = new Call('Expire', 'write', this.#caller, 1);
    const refusal = this.#gates.enter(call);
    if (refusal === undefined) {
      this.#inner.expire(key, ttlMs, timeoutMs, this.#written(call, done));
    } else done(refusal, 0);
  }

  ttl(key: Uint8Array, timeoutMs: number, done: TtlDone): void {
    const call = new Call('Ttl', 'read', this.#caller, 1);
    const refusal = this.#gates.enter(call);
    if (refusal !== undefined) {
      done(refusal, undefined);
      return;
    }
    this.#inner.ttl(key, timeoutMs, (error, ttl) => {
      this.#gates.leave(call, error);
      done(error, ttl);
    });
  }

  scan(request: ScanRequest): KvScan {
    const call = new Call('Scan', 'scan', this.#caller, 0);
    const refusal = this.#gates.enter(call);
    if (refusal !== undefined) throw refusal;
    try {
      return new GovernedScan(this.#inner.scan(request), this.#gates, call, this.#after);
    } catch (error) {
      this.#gates.leave(call, error instanceof StormError ? error : undefined);
      throw error;
    }
  }

  watch(request: WatchRequest): KvWatch {
    const call = new Call('Watch', 'scan', this.#caller, 0);
    const refusal = this.#gates.enter(call);
    if (refusal !== undefined) throw refusal;
    try {
      const inner = this.#inner.watch?.(request);
      if (inner === undefined) throw new StormError('UNIMPLEMENTED', 'There is no feed of changes');
      return new GovernedWatch(inner, this.#gates, call);
    } catch (error) {
      this.#gates.leave(call, error instanceof StormError ? error : undefined);
      throw error;
    }
  }

  deletePrefix(
    prefix: Uint8Array,
    options: { dryRun: boolean },
    timeoutMs: number,
    done: DeletePrefixDone,
  ): void {
    const call = new Call('DeletePrefix', options.dryRun ? 'scan' : 'write', this.#caller, 0);
    const refusal = this.#gates.enter(call);
    if (refusal !== undefined) {
      done(refusal, 0);
      return;
    }
    this.#inner.deletePrefix(prefix, options, timeoutMs, (error, count) => {
      this.#gates.charge(call, count);
      this.#gates.leave(call, error);
      done(error, count);
    });
  }

  #written(call: Call, done: WriteDone): WriteDone {
    return (error, sequence) => {
      this.#gates.leave(call, error);
      done(error, sequence);
    };
  }
}

class GovernedScan implements KvScan {
  readonly #inner: KvScan;
  readonly #gates: Gates;
  readonly #call: Call;
  readonly #after: After;
  /** How long the next page has to wait. */
  #restMs = 0;
  #stopWaiting: () => void = () => {};
  #isOver = false;

  constructor(inner: KvScan, gates: Gates, call: Call, after: After) {
    this.#inner = inner;
    this.#gates = gates;
    this.#call = call;
    this.#after = after;
  }

  nextPage(timeoutMs: number, done: ScanDone): void {
    const restMs = this.#restMs;
    this.#restMs = 0;
    if (restMs <= 0) {
      this.#fetch(timeoutMs, done);
    } else if (restMs >= timeoutMs) {
      this.#inner.close();
      const refusal = slowError(restMs);
      this.#end(refusal);
      done(refusal, undefined);
    } else {
      this.#stopWaiting = this.#after(restMs, () => this.#fetch(timeoutMs - restMs, done));
    }
  }

  close(): void {
    this.#stopWaiting();
    this.#inner.close();
    this.#end(undefined);
  }

  #fetch(timeoutMs: number, done: ScanDone): void {
    this.#inner.nextPage(timeoutMs, (error, page) => {
      if (page !== undefined) this.#restMs = this.#gates.charge(this.#call, page.entries.length);
      if (error !== undefined || page?.isLast === true) this.#end(error);
      done(error, page);
    });
  }

  #end(error: StormError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#gates.leave(this.#call, error);
  }
}

/** Its pages are not charged: it holds one, and takes the next when its reader has taken that. */
class GovernedWatch implements KvWatch {
  readonly #inner: KvWatch;
  readonly #gates: Gates;
  readonly #call: Call;
  #isOver = false;

  constructor(inner: KvWatch, gates: Gates, call: Call) {
    this.#inner = inner;
    this.#gates = gates;
    this.#call = call;
  }

  nextPage(done: WatchDone): void {
    this.#inner.nextPage((error, page) => {
      if (error !== undefined) this.#end(error);
      done(error, page);
    });
  }

  close(): void {
    this.#inner.close();
    this.#end(undefined);
  }

  #end(error: StormError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#gates.leave(this.#call, error);
  }
}

function slowError(retryAfterMs: number): StormError {
  const text =
    'The scan has used up what its caller may read for now, and its deadline is too near to ' +
    'wait: go on from the last cursor a little later, or with a longer deadline';
  return new StormError('RESOURCE_EXHAUSTED', text, { retryAfterMs });
}

const reader = new RunReader();

/** What is wrong with a malformed run is said by who splits it. */
function entriesOf(run: Uint8Array): number {
  let count = 0;
  try {
    reader.reset(run, 0, run.length);
    while (reader.next()) count++;
  } catch {
    // Counted as far as it could be read.
  }
  return Math.max(1, count);
}

/** A shard's failure lies in the errors of single entries; one is enough to know. */
function faultAmong(errors: readonly { error: StormError }[]): StormError | undefined {
  for (const { error } of errors) if (error.code !== 'ABORTED') return error;
  return errors[0]?.error;
}
