/**
 * The router's core: an operation comes in from a door, goes as one frame into the lane of the
 * shard that owns its key's slot, and the shard's reply answers it. Owner: one router thread;
 * nothing here waits, or, for one key, allocates per call beyond the answer itself.
 *
 * 1. Validate (the only place where keys and values are judged), find the shard, check its state.
 * 2. Take a place in the in-flight table and write the frame; no room in either is
 *    RESOURCE_EXHAUSTED, surely not applied.
 * 3. The rest is ShardCalls'. Operations on many keys are in files of their own.
 */
import {
  checkKey,
  checkTtl,
  checkValue,
  deleteLength,
  expiringPutLength,
  putLength,
  RUN_FORMAT,
  RUN_HEADER_BYTES,
  writeDelete,
  writeExpiringPut,
  writePut,
} from '../base/entry-run.js';
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
  ScanRequest,
  SetOptions,
  TtlDone,
  WriteDone,
} from '../rpc/kv-operations.js';
import type { KvWatch, WatchRequest } from '../rpc/kv-watch.js';
import type { RouterEnd } from '../rpc/link.js';
import { commitRequest, MESSAGE_GET, MESSAGE_WRITE, tryReserveRequest } from '../rpc/messages.js';
import { tryReserveWriteIf, writeIfBytes } from '../rpc/write-messages.js';
import { startBatchGet } from './batch-get.js';
import { BatchSet } from './batch-set.js';
import { deadlineError } from './call-errors.js';
import { ConditionalWrite } from './conditional-write.js';
import { deletePageBytes, deletePrefix } from './delete-prefix.js';
import { sendExpire, sendTtl } from './expiry.js';
import type { RouterLimits, RouterStatus, ServingSeat } from './router-types.js';
import { Scans } from './scans.js';
import { type RouterOptions, ShardCalls } from './shard-calls.js';
import { type After, Watch } from './watch.js';

export class Router implements KvOperations {
  readonly #limits: RouterLimits;
  readonly #calls: ShardCalls;
  readonly #batches: BatchSet;
  readonly #scans: Scans;
  readonly #after: After | undefined;

  constructor(options: RouterOptions) {
    this.#limits = options.limits;
    this.#calls = new ShardCalls(options);
    this.#batches = new BatchSet(this.#calls, options.limits);
    this.#scans = new Scans(this.#calls, options.limits);
    this.#after = options.after;
  }

  set(
    key: Uint8Array,
    value: Uint8Array,
    timeoutMs: number,
    done: WriteDone,
    options?: SetOptions,
  ): void {
    this.#write(key, value, timeoutMs, done, options?.ttlMs ?? 0, options?.ifVersion);
  }

  delete(key: Uint8Array, timeoutMs: number, done: WriteDone, options?: DeleteOptions): void {
    this.#write(key, undefined, timeoutMs, done, 0, options?.ifVersion);
  }

  get(key: Uint8Array, timeoutMs: number, done: ReadDone): void {
    const seat = this.#admit(key, 0, 0, timeoutMs);
    if (seat instanceof StormError) {
      done(seat, undefined, 0);
      return;
    }
    const callId = this.#calls.nextCallId();
    const lane = seat.link.readRequests;
    const { slotMapEpoch } = this.#calls;
    const at =
      callId < 0 ? -1 : tryReserveRequest(lane, MESSAGE_GET, callId, slotMapEpoch, key.length);
    if (at < 0) {
      done(this.#calls.busy(seat.shard), undefined, 0);
      return;
    }
    lane.bytes.set(key, at);
    this.#calls.begin(seat, timeoutMs, undefined, done, undefined);
    commitRequest(lane, key.length);
  }

  batchSet(batch: Batch, timeoutMs: number, done: BatchSetDone): void {
    this.#batches.start(batch, timeoutMs, done);
  }

  hasRoomForBatch(runBytes: number): boolean {
    return this.#calls.hasRoomForBatch(runBytes);
  }

  onRoom(go: () => void): void {
    this.#calls.onRoom(go);
  }

  batchGet(keys: readonly Uint8Array[], timeoutMs: number, done: BatchGetDone): void {
    startBatchGet(this.#calls, this.#limits, keys, timeoutMs, done);
  }

  expire(key: Uint8Array, ttlMs: number, timeoutMs: number, done: ExpireDone): void {
    const seat = this.#admit(key, 0, ttlMs, timeoutMs);
    if (seat instanceof StormError) done(seat, 0);
    else sendExpire(this.#calls, seat, key, ttlMs, timeoutMs, done);
  }

  ttl(key: Uint8Array, timeoutMs: number, done: TtlDone): void {
    const seat = this.#admit(key, 0, 0, timeoutMs);
    if (seat instanceof StormError) done(seat, undefined);
    else sendTtl(this.#calls, seat, key, timeoutMs, done);
  }

  scan(request: ScanRequest): KvScan {
    return this.#scans.start(request);
  }

  watch(request: WatchRequest): KvWatch {
    const after = this.#after;
    if (after === undefined) throw new StormError('UNIMPLEMENTED', 'There is no feed of changes');
    return new Watch(this.#calls, request, this.#limits.keyBytesMax, after);
  }

  deletePrefix(
    prefix: Uint8Array,
    { dryRun }: { dryRun: boolean },
    timeoutMs: number,
    done: DeletePrefixDone,
  ): void {
    const options = { dryRun, pageBytes: deletePageBytes(this.#limits) };
    deletePrefix(this, prefix, options, timeoutMs, this.#calls.clock, done);
  }

  /** A shard serves: its calls go through this link from now on. */
  shardUp(link: RouterEnd): void {
    this.#calls.shardUp(link);
  }

  /** A shard died: answers all its calls and refuses new ones until `shardUp`. */
  shardDown(shard: number, reason: string): void {
    this.#calls.shardDown(shard, reason);
  }

  /** A shard will not serve its data without help: as `shardDown`, but nobody need try again. */
  shardRefused(shard: number, reason: string): void {
    this.#calls.shardRefused(shard, reason);
  }

  /** Not ready from now on; calls are still served while the doors close. */
  startDrain(): void {
    this.#calls.startDrain();
  }

  /** Answers every call and refuses new ones: the time of a drain is nearly over. */
  giveUp(): void {
    this.#calls.giveUp();
  }

  status(): RouterStatus {
    return this.#calls.status();
  }

  /** Rings the bell of each shard that got frames since the last time. */
  flush(): void {
    this.#calls.flush();
  }

  /** Answers calls from the reply lanes; true when there is more to do at once. */
  pump(): boolean {
    return this.#calls.pump();
  }

  /** Whether a shard has replied since the last `pump`. */
  hasReplies(): boolean {
    return this.#calls.hasReplies();
  }

  /** Answers the calls whose deadline has passed. Call it every few milliseconds. */
  sweep(): void {
    this.#calls.sweep();
  }

  /** A put, or a delete where `value` is undefined, as an entry run of one. */
  #write(
    key: Uint8Array,
    value: Uint8Array | undefined,
    timeoutMs: number,
    done: WriteDone,
    ttlMs: number,
    ifVersion: number | undefined,
  ): void {
    const seat = this.#admit(key, value?.length ?? 0, ttlMs, timeoutMs, ifVersion);
    if (seat instanceof StormError) {
      done(seat, 0);
      return;
    }
    const callId = this.#calls.nextCallId();
    if (callId < 0) {
      done(this.#calls.busy(seat.shard), 0);
      return;
    }
    const length = RUN_HEADER_BYTES + entryLength(key.length, value?.length, ttlMs);
    const lane = seat.link.writeRequests;
    const { slotMapEpoch } = this.#calls;
    const conditions = ifVersion === undefined ? [] : [{ index: 0, version: ifVersion }];
    const isConditional = ifVersion !== undefined;
    const at = isConditional
      ? tryReserveWriteIf(lane, callId, slotMapEpoch, length, conditions)
      : tryReserveRequest(lane, MESSAGE_WRITE, callId, slotMapEpoch, length);
    if (at < 0) {
      done(this.#calls.busy(seat.shard), 0);
      return;
    }
    lane.bytes[at] = RUN_FORMAT;
    writeEntry(lane.bytes, at + RUN_HEADER_BYTES, key, value, ttlMs);
    if (isConditional) {
      this.#calls.begin(seat, timeoutMs, undefined, undefined, new ConditionalWrite(done));
      lane.commit(writeIfBytes(length, 1));
      return;
    }
    this.#calls.begin(seat, timeoutMs, done, undefined, undefined);
    commitRequest(lane, length);
  }

  /** Step 1: the shard that a call may go to, or why it may not. */
  #admit(
    key: Uint8Array,
    valueLength: number,
    ttlMs: number,
    timeoutMs: number,
    ifVersion?: number,
  ): ServingSeat | StormError {
    try {
      checkKey(key, 0, key.length, this.#limits);
      checkValue(valueLength, this.#limits);
      if (ttlMs !== 0) checkTtl(ttlMs);
      if (ifVersion !== undefined) checkVersion(ifVersion);
    } catch (error) {
      if (error instanceof StormError) return error;
      throw error;
    }
    if (timeoutMs <= 0) return deadlineError(false);
    return this.#calls.serving(this.#calls.ownerOf(key, 0, key.length));
  }
}

function checkVersion(version: number): void {
  if (Number.isSafeInteger(version) && version >= 0) return;
  const text = `A version is a whole number from 0 (no value) to 2^53 - 1: it is ${version}`;
  throw new StormError('INVALID_ARGUMENT', text);
}

function entryLength(keyLength: number, valueLength: number | undefined, ttlMs: number): number {
  if (valueLength === undefined) return deleteLength(keyLength);
  return ttlMs === 0
    ? putLength(keyLength, valueLength)
    : expiringPutLength(keyLength, valueLength);
}

function writeEntry(
  target: Uint8Array,
  at: number,
  key: Uint8Array,
  value: Uint8Array | undefined,
  ttlMs: number,
): void {
  if (value === undefined) writeDelete(target, at, key);
  else if (ttlMs === 0) writePut(target, at, key, value);
  else writeExpiringPut(target, at, key, value, ttlMs);
}
