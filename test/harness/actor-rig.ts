/**
 * A shard actor with its routers' ends of the rings on the same thread: requests are put into the
 * rings, turns are taken one by one, and replies are read as plain values.
 */
import { RUN_FORMAT } from '../../src/base/entry-run.js';
import type { StormError } from '../../src/base/errors.js';
import type { EngineOptions } from '../../src/rpc/control.js';
import { PortDoorbell, ThreadDoorbell } from '../../src/rpc/doorbell.js';
import { MESSAGE_FAILED } from '../../src/rpc/failure-message.js';
import { allocateLink, type LinkSizes, RouterEnd, ShardEnd } from '../../src/rpc/link.js';
import { ItemReader } from '../../src/rpc/message-items.js';
import {
  commitRequest,
  decodeReply,
  MESSAGE_GET,
  MESSAGE_MISSING,
  MESSAGE_VALUE,
  MESSAGE_WRITE,
  MESSAGE_WRITTEN,
  ReplyView,
  tryReserveRequest,
} from '../../src/rpc/messages.js';
import { MESSAGE_PAGE, MESSAGE_TTL_IS, MESSAGE_VALUES } from '../../src/rpc/read-messages.js';
import type { RingConsumer } from '../../src/rpc/ring-channel.js';
import { ShardStats } from '../../src/rpc/shard-stats.js';
import { MESSAGE_CONDITION_FAILED } from '../../src/rpc/write-messages.js';
import { ShardActor, type Turn } from '../../src/shard/shard-actor.js';
import { type Change, EngineRig, encodeRun, smallOptions } from './engine-rig.js';
import { textOf } from './entries.js';
import type { ManualClock } from './manual-clock.js';
import { SimulatedDisk } from './simulated-disk.js';

export const SLOT_MAP_EPOCH = 7;

const SIZES: LinkSizes = {
  writeRequestBytes: 64 * 1024,
  readRequestBytes: 64 * 1024,
  writeReplyBytes: 64 * 1024,
  readReplyBytes: 64 * 1024,
};

export type Lane = 'write' | 'read';

export type Reply =
  | { callId: number; kind: 'written'; sequence: number; count: number }
  | { callId: number; kind: 'value'; sequence: number; value: string }
  | { callId: number; kind: 'missing' }
  | { callId: number; kind: 'failed'; error: StormError }
  | { callId: number; kind: 'conflict'; index: number; version: number }
  | { callId: number; kind: 'ttl'; sequence: number; remainingMs: number }
  | { callId: number; kind: 'values'; done: boolean; values: (string | undefined)[] }
  | { callId: number; kind: 'page'; done: boolean; snapshotId: number; items: PageItem[] };

/** An entry of a page, or the key at which the next page begins. */
export type PageItem = { key: string; value: string | undefined } | { mark: string };

export interface ActorRigOptions {
  engine?: Partial<EngineOptions>;
  sizes?: Partial<LinkSizes>;
  routers?: number;
  arenas?: number;
  disk?: SimulatedDisk;
  clock?: ManualClock;
  /** Another one for every life on the same disk. */
  seed?: number;
  /** Those of an earlier life. */
  stats?: ShardStats;
}

export class ActorRig {
  readonly disk: SimulatedDisk;
  readonly rig: EngineRig;
  readonly stats: ShardStats;
  readonly actor: ShardActor;
  readonly routers: RouterEnd[] = [];
  /** Messages posted to wake each router. */
  readonly wakes: number[] = [];
  readonly #bells: PortDoorbell[] = [];
  readonly #view = new ReplyView();

  constructor(options: ActorRigOptions = {}) {
    const { engine, sizes, routers = 1, arenas = 4, disk, clock, seed = 1, stats } = options;
    this.stats = stats ?? new ShardStats(ShardStats.allocate());
    this.disk = disk ?? new SimulatedDisk();
    this.rig = new EngineRig(this.disk, seed, smallOptions(engine), arenas, clock);
    const shardBell = ThreadDoorbell.allocate();
    const ends: ShardEnd[] = [];
    for (let router = 0; router < routers; router++) {
      const routerBell = PortDoorbell.allocate();
      const identity = { shard: 0, router, epoch: 1, slotMapEpoch: SLOT_MAP_EPOCH };
      const memory = allocateLink({ ...SIZES, ...sizes }, { ...identity, shardBell, routerBell });
      this.wakes.push(0);
      this.#bells.push(new PortDoorbell(routerBell));
      this.routers.push(new RouterEnd(memory));
      const wake = (): void => {
        this.wakes[router] = this.wakesOf(router) + 1;
      };
      ends.push(new ShardEnd(memory, { postMessage: wake }));
    }
    const common = { stats: this.stats, slotMapEpoch: SLOT_MAP_EPOCH };
    this.actor = new ShardActor(this.rig.engine, ends, common);
  }

  /** Puts a write into the ring; false when the ring is full. */
  write(callId: number, batch: Change[], router = 0, epoch = SLOT_MAP_EPOCH): boolean {
    return this.send('write', MESSAGE_WRITE, callId, encodeRun(batch), router, epoch);
  }

  get(callId: number, key: string, router = 0, epoch = SLOT_MAP_EPOCH): boolean {
    return this.send('read', MESSAGE_GET, callId, Buffer.from(key), router, epoch);
  }

  /** A request of the layout of WRITE and GET. */
  send(
    lane: Lane,
    type: number,
    callId: number,
    payload: Uint8Array,
    router = 0,
    epoch = SLOT_MAP_EPOCH,
  ): boolean {
    const end = this.router(router);
    const ring = lane === 'write' ? end.writeRequests : end.readRequests;
    const at = tryReserveRequest(ring, type, callId, epoch, payload.length);
    if (at < 0) return false;
    ring.bytes.set(payload, at);
    commitRequest(ring, payload.length);
    return true;
  }

  /** Takes turns until there is nothing left to do at once; the last turn. */
  turns(max = 1000): Turn {
    for (let i = 0; i < max; i++) {
      const turn = this.actor.turn();
      if (turn.kind !== 'again') return turn;
    }
    throw new Error('The actor does not come to rest');
  }

  /** Turns, and jobs run as soon as they are ordered, until both come to rest. */
  settle(): void {
    for (let i = 0; i < 1000; i++) {
      this.turns();
      if (this.rig.jobs.count === 0) return;
      while (this.rig.jobs.count > 0) this.rig.jobs.runOne();
    }
    throw new Error('The shard does not come to rest');
  }

  /** Reads and releases the replies of a lane, at most so many. */
  replies(lane: Lane, router = 0, max = Number.POSITIVE_INFINITY): Reply[] {
    const end = this.router(router);
    const ring = lane === 'write' ? end.writeReplies : end.readReplies;
    const all: Reply[] = [];
    while (all.length < max && ring.tryRead()) all.push(this.#decode(ring));
    ring.release();
    return all;
  }

  /** The only reply to one write. */
  writeNow(callId: number, batch: Change[]): Reply {
    this.write(callId, batch);
    this.turns();
    return onlyOne(this.replies('write'));
  }

  getNow(callId: number, key: string): Reply {
    this.get(callId, key);
    this.turns();
    return onlyOne(this.replies('read'));
  }

  router(index: number): RouterEnd {
    const end = this.routers[index];
    if (end === undefined) throw new Error(`There is no router ${index}`);
    return end;
  }

  wakesOf(router: number): number {
    return this.wakes[router] ?? 0;
  }

  /** The router goes to sleep: the next reply must wake it. */
  sleep(router: number): void {
    this.#bells[router]?.arm();
  }

  #decode(ring: RingConsumer): Reply {
    const view = this.#view;
    decodeReply(ring, view);
    const { callId, type, sequence, error, conflict } = view;
    if (type === MESSAGE_WRITTEN) return { callId, kind: 'written', sequence, count: view.count };
    if (type === MESSAGE_MISSING) return { callId, kind: 'missing' };
    if (type === MESSAGE_FAILED && error !== undefined) return { callId, kind: 'failed', error };
    if (type === MESSAGE_VALUE) {
      const value = textOf(ring.bytes, view.valueStart, view.valueLength);
      return { callId, kind: 'value', sequence, value };
    }
    if (type === MESSAGE_TTL_IS) {
      return { callId, kind: 'ttl', sequence, remainingMs: view.remainingMs };
    }
    if (type === MESSAGE_CONDITION_FAILED && conflict !== undefined) {
      return { callId, kind: 'conflict', ...conflict };
    }
    const done = view.isDone;
    if (type === MESSAGE_VALUES) {
      return { callId, kind: 'values', done, values: valuesOf(ring, view) };
    }
    if (type === MESSAGE_PAGE) {
      return {
        callId,
        kind: 'page',
        done,
        snapshotId: view.snapshotId,
        items: itemsOf(ring, view),
      };
    }
    throw new Error(`An unknown reply: ${type}`);
  }
}

function valuesOf(ring: RingConsumer, { itemsStart, itemsLength }: ReplyView) {
  const values: (string | undefined)[] = [];
  const reader = new ItemReader();
  reader.reset(ring.bytes, itemsStart, itemsLength);
  while (reader.nextValue()) values.push(itemValue(reader));
  return values;
}

function itemsOf(ring: RingConsumer, { itemsStart, itemsLength }: ReplyView): PageItem[] {
  const items: PageItem[] = [];
  const reader = new ItemReader();
  reader.reset(ring.bytes, itemsStart, itemsLength);
  while (reader.nextEntry()) {
    const key = textOf(reader.bytes, reader.keyStart, reader.keyLength);
    items.push(reader.isMark ? { mark: key } : { key, value: itemValue(reader) });
  }
  return items;
}

function itemValue({ hasValue, bytes, valueStart, valueLength }: ItemReader): string | undefined {
  return hasValue ? textOf(bytes, valueStart, valueLength) : undefined;
}

/** A run that begins well and ends within its second entry. */
export function brokenRun(): Uint8Array {
  const run = encodeRun([
    { key: 'first', value: 'stays out' },
    { key: 'second', value: 'is cut' },
  ]);
  if (run[0] !== RUN_FORMAT) throw new Error('A run begins with its format');
  return run.subarray(0, run.length - 2);
}

export function onlyOne<T>(all: readonly T[]): T {
  const [first] = all;
  if (first === undefined || all.length > 1) throw new Error(`Expected one, found ${all.length}`);
  return first;
}
