/**
 * A shard without storage at the other end of real rings, on the test's own thread: a map, and the
 * means to be slow, full, dead or wrong. It answers every message as a real one does, with pages
 * and frames as small as a test wants them. `step()` is one turn.
 */
import { RunReader } from '../../src/base/entry-run.js';
import { StormError } from '../../src/base/errors.js';
import { type LinkMemory, type RouterPort, ShardEnd } from '../../src/rpc/link.js';
import * as items from '../../src/rpc/message-items.js';
import {
  decodeRequest,
  MESSAGE_GET,
  MESSAGE_WRITE,
  REPLY_BYTES_MAX_SMALL,
  RequestView,
  tryWriteFailure,
  tryWriteMissing,
  tryWriteValue,
  tryWriteWritten,
  valueReplyBytes,
} from '../../src/rpc/messages.js';
import * as reads from '../../src/rpc/read-messages.js';
import * as writes from '../../src/rpc/write-messages.js';

export interface FakeEntry {
  value: Buffer;
  sequence: number;
  /** 0 = never; wall time. */
  expiresAtMs?: number;
}
export type FakeData = Map<string, FakeEntry>;

export class FakeShard {
  readonly end: ShardEnd;
  /** By key, its bytes as latin1. */
  readonly data: FakeData;
  /** Answer nothing while true; requests pile up in the lanes. */
  isHeld = false;
  /** Answer every call with this instead of doing it. */
  failWith: StormError | undefined;
  lastSequence = 0;
  steps = 0;
  nowMs = 1_000_000;
  /** Entries in a page, or values in a frame, at most. */
  pageEntriesMax = 1000;
  /** Pages end with a mark instead of before the next entry. */
  usesMarks = false;
  readonly snapshots = new Map<number, FakeData>();
  pagesServed = 0;
  writesServed = 0;
  #nextSnapshotId: number;
  readonly #view = new RequestView();
  readonly #run = new RunReader();
  readonly #items = new items.ItemReader();
  readonly #scratch = new Uint8Array(64 * 1024);

  constructor(memory: LinkMemory, port: RouterPort, data: FakeData = new Map()) {
    this.end = new ShardEnd(memory, port);
    this.data = data;
    this.#nextSnapshotId = memory.epoch * 1000 + 1;
    for (const { sequence } of data.values()) {
      this.lastSequence = Math.max(this.lastSequence, sequence);
    }
  }

  /** Answers what waits, as far as the reply lanes have room. Returns how many calls. */
  step(): number {
    this.steps++;
    if (this.isHeld) return 0;
    const count = this.#stepWrites() + this.#stepReads();
    if (count > 0) this.end.ringRouter();
    return count;
  }

  #stepWrites(): number {
    const { writeRequests, writeReplies } = this.end;
    let count = 0;
    while (writeReplies.hasRoomFor(1, REPLY_BYTES_MAX_SMALL) && writeRequests.tryRead()) {
      decodeRequest(writeRequests, this.#view);
      if (this.failWith === undefined) this.#write();
      else tryWriteFailure(writeReplies, this.#view.callId, this.failWith);
      count++;
    }
    writeRequests.release();
    return count;
  }

  #write(): void {
    const { type, callId, ttlMs } = this.#view;
    const { writeReplies } = this.end;
    this.writesServed++;
    if (type === writes.MESSAGE_EXPIRE) {
      const found = this.#find(this.#payload(this.end.writeRequests.bytes));
      if (found === undefined) tryWriteMissing(writeReplies, callId);
      else {
        found.sequence = ++this.lastSequence;
        found.expiresAtMs = ttlMs === 0 ? 0 : this.nowMs + ttlMs;
        tryWriteWritten(writeReplies, callId, this.lastSequence, 1);
      }
      return;
    }
    const isKnown = type === MESSAGE_WRITE || type === writes.MESSAGE_WRITE_IF;
    if (!isKnown) throw new Error('A read came on the write lane');
    const conflict = type === MESSAGE_WRITE ? undefined : this.#conflict();
    if (conflict === undefined) this.#apply();
    else tryWriteConditionFailed(this.end, callId, conflict);
  }

  #conflict(): writes.Condition | undefined {
    const { conditions = [], payloadStart, payloadLength } = this.#view;
    const run = this.#run;
    run.reset(this.end.writeRequests.bytes, payloadStart, payloadLength);
    for (const { index, version } of conditions) {
      while (run.count <= index) if (!run.next()) throw new Error(`no entry ${index}`);
      const now = this.#find(text(run.bytes, run.keyStart, run.keyLength))?.sequence ?? 0;
      if (now !== version) return { index, version: now };
    }
    return undefined;
  }

  #apply(): void {
    const { callId, payloadStart, payloadLength } = this.#view;
    const first = this.lastSequence + 1;
    const run = this.#run;
    run.reset(this.end.writeRequests.bytes, payloadStart, payloadLength);
    while (run.next()) {
      const { bytes, keyStart, keyLength, valueStart, valueLength, isDelete, ttlMs } = run;
      const key = text(bytes, keyStart, keyLength);
      const value = Buffer.from(bytes.subarray(valueStart, valueStart + valueLength));
      const sequence = ++this.lastSequence;
      const expiresAtMs = ttlMs === 0 ? 0 : this.nowMs + ttlMs;
      if (isDelete) this.data.delete(key);
      else this.data.set(key, { value, sequence, expiresAtMs });
    }
    tryWriteWritten(this.end.writeReplies, callId, first, this.lastSequence - first + 1);
  }

  #stepReads(): number {
    const { readRequests, readReplies } = this.end;
    let count = 0;
    const most = valueReplyBytes(readReplies.frameBytesMax - 64);
    while (readReplies.hasRoomFor(1, most) && readRequests.tryRead()) {
      decodeRequest(readRequests, this.#view);
      if (this.failWith === undefined) this.#read();
      else tryWriteFailure(readReplies, this.#view.callId, this.failWith);
      count++;
    }
    readRequests.release();
    return count;
  }

  #read(): void {
    const { type, callId, snapshotId } = this.#view;
    const { readRequests, readReplies } = this.end;
    if (type === reads.MESSAGE_MULTI_GET) this.#getMany();
    else if (type === reads.MESSAGE_SCAN) this.#scan();
    else if (type === reads.MESSAGE_SCAN_END) {
      this.snapshots.delete(snapshotId);
      tryWriteMissing(readReplies, callId);
    } else {
      const found = this.#find(this.#payload(readRequests.bytes));
      if (found === undefined) tryWriteMissing(readReplies, callId);
      else if (type === MESSAGE_GET) {
        tryWriteValue(readReplies, callId, found.sequence, found.value, 0, found.value.length);
      } else {
        const { expiresAtMs = 0, sequence } = found;
        const left = expiresAtMs === 0 ? 0 : expiresAtMs - this.nowMs;
        reads.tryWriteTtl(readReplies, callId, sequence, left);
      }
    }
  }

  #getMany(): void {
    const { callId, payloadStart, payloadLength } = this.#view;
    const keys: string[] = [];
    const reader = this.#items;
    reader.reset(this.end.readRequests.bytes, payloadStart, payloadLength);
    while (reader.nextKey()) keys.push(text(reader.bytes, reader.keyStart, reader.keyLength));
    for (let i = 0; i < keys.length; i += this.pageEntriesMax) {
      let at = 0;
      for (const key of keys.slice(i, i + this.pageEntriesMax)) {
        const found = this.#find(key);
        if (found === undefined) at = items.putMissingItem(this.#scratch, at);
        else {
          const { value, sequence } = found;
          at = items.putValueItem(this.#scratch, at, sequence, value, 0, value.length);
        }
      }
      const done = i + this.pageEntriesMax >= keys.length;
      const isSent = reads.tryWriteValues(this.end.readReplies, callId, done, this.#scratch, 0, at);
      if (!isSent) throw new Error('The fake shard has no room for its values');
    }
  }

  #scan(): void {
    const { callId, scan } = this.#view;
    if (scan === undefined) throw new Error('a SCAN has parameters');
    const snapshot = scan.snapshotId === 0 ? this.#openSnapshot() : scan.snapshotId;
    const data = this.snapshots.get(snapshot);
    if (data === undefined) {
      const gone = new StormError('FAILED_PRECONDITION', `Snapshot ${snapshot} is closed`);
      tryWriteFailure(this.end.readReplies, callId, gone);
      return;
    }
    this.pagesServed++;
    const found = [...data]
      .filter(([key]) => scan.from === undefined || key >= latin(scan.from))
      .filter(([key]) => scan.to === undefined || key < latin(scan.to))
      .sort(([a], [b]) => (a < b !== scan.reverse ? -1 : 1));
    const count = Math.min(scan.limit, this.pageEntriesMax);
    let at = 0;
    let taken = 0;
    for (const [key, { value, sequence }] of found.slice(0, count)) {
      const bytes = Buffer.from(key, 'latin1');
      const most = items.pageItemLength(bytes.length, value.length);
      if (taken > 0 && at + most > Math.min(scan.bytesMax, 1800)) break;
      at = scan.keysOnly
        ? items.putPageKey(this.#scratch, at, bytes, 0, bytes.length, sequence)
        : items.putPageItem(
            this.#scratch,
            at,
            bytes,
            0,
            bytes.length,
            value,
            0,
            value.length,
            sequence,
          );
      taken++;
    }
    const next = found[taken];
    if (next !== undefined && this.usesMarks) {
      const key = Buffer.from(next[0], 'latin1');
      at = items.putPageMark(this.#scratch, at, key, 0, key.length);
    }
    const isDone = next === undefined;
    reads.tryWritePage(this.end.readReplies, callId, snapshot, isDone, this.#scratch, 0, at);
  }

  #openSnapshot(): number {
    const id = this.#nextSnapshotId++;
    this.snapshots.set(id, new Map([...this.data].filter(([key]) => this.#find(key))));
    return id;
  }

  #find(key: string): FakeEntry | undefined {
    const found = this.data.get(key);
    const expiresAtMs = found?.expiresAtMs ?? 0;
    return expiresAtMs !== 0 && expiresAtMs <= this.nowMs ? undefined : found;
  }

  #payload(bytes: Uint8Array): string {
    return text(bytes, this.#view.payloadStart, this.#view.payloadLength);
  }
}

function tryWriteConditionFailed(
  { writeReplies }: ShardEnd,
  callId: number,
  { index, version }: writes.Condition,
): void {
  writes.tryWriteConditionFailed(writeReplies, callId, index, version);
}

const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const text = (bytes: Uint8Array, start: number, length: number): string =>
  latin(bytes.subarray(start, start + length));
