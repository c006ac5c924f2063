/**
 * The shard that the model test judges: a real actor and engine on a simulated disk, in several
 * lives, with a clock that only the test moves. Requests go through the rings; jobs run, and their
 * results arrive, when the dice say so.
 */
import type { EngineOptions } from '../../src/rpc/control.js';
import { keyItemLength, putKeyItem } from '../../src/rpc/message-items.js';
import { MESSAGE_GET, MESSAGE_WRITE } from '../../src/rpc/messages.js';
import {
  MESSAGE_MULTI_GET,
  MESSAGE_TTL,
  type ScanParameters,
  tryWriteScan,
  tryWriteScanEnd,
} from '../../src/rpc/read-messages.js';
import {
  type Condition,
  tryReserveWriteIf,
  tryWriteExpire,
  writeIfBytes,
} from '../../src/rpc/write-messages.js';
import { ActorRig, type Reply, SLOT_MAP_EPOCH } from './actor-rig.js';
import { ManualClock } from './manual-clock.js';
import type { SeededRandom } from './seeded-random.js';
import { SimulatedDisk } from './simulated-disk.js';

export type Ending = 'clean' | 'kill' | 'power';

/** A write that is not answered after so many jobs and moments never will be. */
const WAITS_MAX = 5000;
const WAIT_MS = 5;

export class ModelShard {
  readonly clock = new ManualClock();
  readonly totals = { flushes: 0, merges: 0, lives: 1 };
  readonly #disk = new SimulatedDisk({ mapCopies: true });
  readonly #options: Partial<EngineOptions>;
  readonly #random: SeededRandom;
  #rig: ActorRig;
  #callId = 0;

  constructor(options: Partial<EngineOptions>, random: SeededRandom) {
    this.#options = options;
    this.#random = random;
    this.#rig = this.#open();
  }

  get nowMs(): number {
    return this.clock.wallMs();
  }

  write(run: Uint8Array, conditions: readonly Condition[]): number {
    const callId = ++this.#callId;
    if (conditions.length === 0) {
      sent(this.#rig.send('write', MESSAGE_WRITE, callId, run));
      return callId;
    }
    const ring = this.#rig.router(0).writeRequests;
    const at = tryReserveWriteIf(ring, callId, SLOT_MAP_EPOCH, run.length, conditions);
    sent(at >= 0);
    ring.bytes.set(run, at);
    ring.commit(writeIfBytes(run.length, conditions.length));
    return callId;
  }

  expire(key: Uint8Array, ttlMs: number): number {
    const callId = ++this.#callId;
    const ring = this.#rig.router(0).writeRequests;
    sent(tryWriteExpire(ring, callId, SLOT_MAP_EPOCH, key, ttlMs));
    return callId;
  }

  /** Lets the shard work until all these writes are answered; `take` gets each answer at once. */
  awaitWrites(callIds: readonly number[], take: (reply: Reply) => void): void {
    const waiting = new Set(callIds);
    for (let waits = 0; waits < WAITS_MAX; waits++) {
      this.#rig.turns();
      const replies = this.#rig.replies('write').toSorted((a, b) => a.callId - b.callId);
      for (const reply of replies) {
        if (!waiting.delete(reply.callId)) throw new Error(`${reply.callId} is answered unasked`);
        take(reply);
      }
      if (waiting.size === 0) return;
      if (this.#rig.rig.jobs.count > 0) this.#rig.rig.jobs.runOne();
      else this.clock.advance(WAIT_MS);
    }
    throw new Error(`Writes are held for ever: ${[...waiting].join(', ')}`);
  }

  get(key: Uint8Array): Reply {
    return this.#read(MESSAGE_GET, key);
  }

  ttl(key: Uint8Array): Reply {
    return this.#read(MESSAGE_TTL, key);
  }

  getMany(keys: readonly Uint8Array[]): (string | undefined)[] {
    const bytes = new Uint8Array(keys.reduce((sum, key) => sum + keyItemLength(key.length), 0));
    let at = 0;
    for (const key of keys) at = putKeyItem(bytes, at, key);
    sent(this.#rig.send('read', MESSAGE_MULTI_GET, ++this.#callId, bytes));
    const values: (string | undefined)[] = [];
    for (let done = false; !done; ) {
      this.#rig.turns();
      for (const reply of this.#rig.replies('read')) {
        if (reply.kind !== 'values') throw new Error(`Many keys got ${JSON.stringify(reply)}`);
        values.push(...reply.values);
        done = reply.done;
      }
    }
    return values;
  }

  scan(parameters: ScanParameters): Reply {
    const ring = this.#rig.router(0).readRequests;
    sent(tryWriteScan(ring, ++this.#callId, SLOT_MAP_EPOCH, parameters));
    return this.#onlyRead();
  }

  endScan(snapshotId: number): void {
    const ring = this.#rig.router(0).readRequests;
    sent(tryWriteScanEnd(ring, ++this.#callId, SLOT_MAP_EPOCH, snapshotId));
    this.#rig.turns();
    this.#rig.replies('read');
  }

  /** Some time passes, some background work is done. */
  idle(): void {
    this.clock.advance(this.#random.nextInt(10));
    this.#rig.turns();
    const { jobs } = this.#rig.rig;
    while (jobs.count > 0 && this.#random.chance(0.6)) {
      jobs.stepAny(this.#random);
      this.#rig.turns();
    }
  }

  /** All flushes and merges that are due. */
  settle(): void {
    this.#rig.settle();
  }

  restart(ending: Ending): void {
    if (ending === 'clean') this.#rig.actor.stop();
    this.#count();
    if (ending === 'power') this.#disk.crash(this.#random);
    else this.#disk.processCrash();
    this.#rig = this.#open();
    this.totals.lives++;
  }

  /** The end of the last life. */
  close(): void {
    this.#rig.actor.stop();
    this.#count();
  }

  #open(): ActorRig {
    const { clock } = this;
    const seed = this.#random.nextInt(2 ** 31);
    return new ActorRig({ engine: this.#options, disk: this.#disk, clock, seed });
  }

  #count(): void {
    const { flushesTotal, mergesTotal } = this.#rig.rig.engine.figures();
    this.totals.flushes += flushesTotal;
    this.totals.merges += mergesTotal;
  }

  #read(type: number, key: Uint8Array): Reply {
    sent(this.#rig.send('read', type, ++this.#callId, key));
    return this.#onlyRead();
  }

  #onlyRead(): Reply {
    this.#rig.turns();
    const [reply, ...more] = this.#rig.replies('read');
    if (reply === undefined || more.length > 0) throw new Error('A read has one answer');
    return reply;
  }
}

function sent(isSent: boolean): void {
  if (!isSent) throw new Error('The ring is full');
}
