/**
 * A change feed over all shards: pages of each shard's log in turn, one on its way at a time, so a
 * reader costs one page, however slow it is, and holds nobody up. Where the log no longer has what
 * is asked for, the shard's content comes instead: a gap, a snapshot, and the changes since then.
 * A shard that is down is passed over until it is back. Owner: the router's thread.
 */
import { StormError } from '../base/errors.js';
import { encodeChanges, MESSAGE_CHANGES } from '../rpc/change-messages.js';
import type { KvWatch, WatchChange, WatchDone, WatchPage, WatchRequest } from '../rpc/kv-watch.js';
import { ItemReader } from '../rpc/message-items.js';
import { commitRequest, type ReplyView, tryReserveRequest } from '../rpc/messages.js';
import { MESSAGE_PAGE } from '../rpc/read-messages.js';
import { damagedError } from './call-errors.js';
import { rangeOf } from './key-range.js';
import { ScanLane } from './scan-lane.js';
import type { ShardCalls } from './shard-calls.js';
import { decodeToken, encodeToken } from './watch-token.js';

const PAGE_BYTES = 64 * 1024;
const CALL_MS = 30_000;
/** How long it waits when no shard has anything new, and for one that is down. */
const IDLE_MS = 20;
const DOWN_MS = 200;
const NAME_LENGTH_MAX = 128;

/** Runs the task after so long; returns what cancels it. */
export type After = (ms: number, task: () => void) => () => void;

interface Lane {
  shard: number;
  /** 0 = what is still to come; undefined = a snapshot is needed. */
  next: number | undefined;
  snapshot: { lane: ScanLane; next: number } | undefined;
  /** What of the present state the reader has not been told by a token. */
  isNews: boolean;
}

/** What became of asking a lane: a page to deliver, nothing new, or not to be asked now. */
type Outcome = WatchPage | 'idle' | 'down' | 'more';
type AskDone = (error: StormError | undefined, outcome?: Outcome) => void;

export class Watch implements KvWatch {
  readonly #calls: ShardCalls;
  readonly #after: After;
  readonly #lanes: Lane[];
  readonly #name: string | undefined;
  readonly #prefix: Uint8Array | undefined;
  readonly #keyBytesMax: number;
  #turn = 0;
  #idle = 0;
  #isDown = false;
  #stopWaiting: () => void = () => {};
  #isClosed = false;

  /** Throws INVALID_ARGUMENT. */
  constructor(calls: ShardCalls, request: WatchRequest, keyBytesMax: number, after: After) {
    const { token, fromNow, prefix, name } = request;
    rangeOf(undefined, undefined, prefix, keyBytesMax);
    if (name.length > NAME_LENGTH_MAX) {
      const text = `The name of a watch has at most ${NAME_LENGTH_MAX} characters`;
      throw new StormError('INVALID_ARGUMENT', text);
    }
    this.#calls = calls;
    this.#after = after;
    this.#keyBytesMax = keyBytesMax;
    this.#name = name === '' ? undefined : name;
    this.#prefix = prefix.length === 0 ? undefined : prefix;
    const position = token === '' ? undefined : decodeToken(token);
    // Sequence numbers of another slot map are those of other shards.
    const isSame = position?.slotMapEpoch === calls.slotMapEpoch;
    this.#lanes = Array.from({ length: calls.shardCount }, (_, shard) => ({
      shard,
      next: isSame ? position.next[shard] : fromNow && token === '' ? 0 : undefined,
      snapshot: undefined,
      isNews: false,
    }));
  }

  nextPage(done: WatchDone): void {
    if (this.#isClosed) return;
    const lane = this.#lanes[this.#turn];
    if (lane === undefined) {
      this.#turn = 0;
      this.#rested(done);
      return;
    }
    this.#ask(lane, (error, outcome) => {
      if (this.#isClosed) return;
      if (error !== undefined) {
        this.close();
        done(error, undefined);
      } else if (outcome === 'more') {
        // Nothing of the prefix so far; others are not to wait for what is behind.
        this.#turn++;
        this.#stopWaiting = this.#after(0, () => this.nextPage(done));
      } else if (outcome === undefined || outcome === 'idle' || outcome === 'down') {
        this.#idle++;
        this.#isDown ||= outcome === 'down';
        this.#turn++;
        this.nextPage(done);
      } else {
        // A snapshot is read to its end before another shard's turn.
        if (lane.snapshot === undefined) this.#turn++;
        this.#idle = 0;
        for (const one of this.#lanes) one.isNews = false;
        done(undefined, outcome);
      }
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopWaiting();
    for (const { snapshot } of this.#lanes) snapshot?.lane.end();
  }

  /** Once round: rests if nobody had anything, after telling how far the reader has come. */
  #rested(done: WatchDone): void {
    const isQuiet = this.#idle >= this.#lanes.length;
    const ms = this.#isDown ? DOWN_MS : IDLE_MS;
    this.#idle = 0;
    this.#isDown = false;
    if (!isQuiet) {
      this.nextPage(done);
    } else if (this.#lanes.some(({ isNews }) => isNews)) {
      for (const lane of this.#lanes) lane.isNews = false;
      done(undefined, this.#page(0, 'changes', []));
    } else this.#stopWaiting = this.#after(ms, () => this.nextPage(done));
  }

  #page(shard: number, kind: WatchPage['kind'], changes: WatchChange[]): WatchPage {
    return { shard, kind, changes, token: this.#token() };
  }

  #token(): string {
    const next = this.#lanes.map((lane) => (lane.next === 0 ? undefined : lane.next));
    return encodeToken({ slotMapEpoch: this.#calls.slotMapEpoch, next });
  }

  #ask(lane: Lane, done: AskDone): void {
    if (lane.snapshot !== undefined) this.#readSnapshot(lane, lane.snapshot, done);
    else this.#askLog(lane, lane.next ?? 0, done);
  }

  #askLog(lane: Lane, from: number, done: AskDone): void {
    const seat = this.#calls.serving(lane.shard);
    if (seat instanceof StormError) {
      if (seat.code === 'UNAVAILABLE') done(undefined, 'down');
      else done(seat);
      return;
    }
    const payload = encodeChanges({
      from,
      name: this.#name,
      prefix: this.#prefix,
      bytesMax: PAGE_BYTES,
    });
    const callId = this.#calls.nextCallId();
    const ring = seat.link.readRequests;
    const { slotMapEpoch } = this.#calls;
    const at =
      callId < 0
        ? -1
        : tryReserveRequest(ring, MESSAGE_CHANGES, callId, slotMapEpoch, payload.length);
    if (at < 0) {
      done(undefined, 'idle');
      return;
    }
    ring.bytes.set(payload, at);
    this.#calls.begin(seat, CALL_MS, undefined, undefined, {
      isWrite: false,
      reply: (reply, bytes) => this.#took(lane, reply, bytes, done),
      fail: (error) => this.#failed(lane, error, done),
    });
    commitRequest(ring, payload.length);
  }

  #took(lane: Lane, reply: ReplyView, bytes: Uint8Array, done: AskDone): void {
    const { type, snapshotId: next, isDone, itemsStart, itemsLength } = reply;
    if (type !== MESSAGE_PAGE) {
      done(damagedError(`changes were answered with type ${type}`));
      return;
    }
    if (lane.next === undefined) {
      this.#beginSnapshot(lane, next);
      done(undefined, this.#page(lane.shard, 'gap', []));
      return;
    }
    if (lane.next !== next) lane.isNews = true;
    lane.next = next;
    const items = Buffer.from(bytes.subarray(itemsStart, itemsStart + itemsLength));
    const changes = changesIn(items);
    if (changes.length > 0) done(undefined, this.#page(lane.shard, 'changes', changes));
    else done(undefined, isDone ? 'idle' : 'more');
  }

  #failed(lane: Lane, error: StormError, done: AskDone): void {
    switch (error.code) {
      case 'FAILED_PRECONDITION':
        // The log no longer has it: from now on, with a snapshot.
        lane.next = undefined;
        this.#askLog(lane, 0, done);
        return;
      case 'UNAVAILABLE':
      case 'DEADLINE_EXCEEDED':
        done(undefined, 'down');
        return;
      default:
        done(error);
    }
  }

  #beginSnapshot(lane: Lane, next: number): void {
    const range = rangeOf(undefined, undefined, this.#prefix, this.#keyBytesMax);
    const shape = { ...range, reverse: false, keysOnly: false };
    lane.snapshot = { lane: new ScanLane(this.#calls, lane.shard, shape, 0), next };
  }

  #readSnapshot(lane: Lane, snapshot: NonNullable<Lane['snapshot']>, done: AskDone): void {
    const scan = snapshot.lane;
    if (scan.isExhausted) {
      scan.end();
      lane.snapshot = undefined;
      lane.next = snapshot.next;
      done(undefined, this.#page(lane.shard, 'snapshot-end', []));
      return;
    }
    scan.fetch(0xffff_ffff, PAGE_BYTES, CALL_MS, (error) => {
      if (this.#isClosed) scan.end();
      else if (error?.code === 'UNAVAILABLE' || error?.code === 'RESOURCE_EXHAUSTED') {
        done(undefined, 'down');
      } else if (error !== undefined) done(error);
      else done(undefined, this.#page(lane.shard, 'snapshot', takeAll(scan)));
    });
  }
}

/** All entries of the page at hand. */
function takeAll(scan: ScanLane): WatchChange[] {
  const changes: WatchChange[] = [];
  for (; scan.hasEntry; scan.step()) changes.push(changeOf(scan.bytes, scan.items));
  return changes;
}

function changesIn(items: Buffer): WatchChange[] {
  const changes: WatchChange[] = [];
  const reader = new ItemReader();
  reader.reset(items, 0, items.length);
  while (reader.nextEntry()) changes.push(changeOf(items, reader));
  return changes;
}

function changeOf(bytes: Buffer, items: ItemReader): WatchChange {
  const { keyStart, keyLength, valueStart, valueLength, hasValue, sequence, expiresAtMs } = items;
  return {
    key: bytes.subarray(keyStart, keyStart + keyLength),
    value: hasValue ? bytes.subarray(valueStart, valueStart + valueLength) : undefined,
    version: sequence,
    expiresAtMs,
  };
}
