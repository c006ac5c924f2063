/**
 * One router and one shard joined: four rings (requests and replies, each with a lane for writes
 * and one for reads, so that neither starves the other) and the bells of both ends. A link lives in
 * one epoch; when the shard dies the link is dropped whole and a new one is made.
 */
import { PortDoorbell, ThreadDoorbell, type WakePort } from './doorbell.js';
import { RingConsumer, RingProducer } from './ring-channel.js';
import { allocateRing, type RingMemory } from './ring-layout.js';

/** What both ends are made from; passes between threads by structured clone. */
export interface LinkMemory {
  shard: number;
  router: number;
  /** Which life of the shard; rises by one with every restart. */
  epoch: number;
  slotMapEpoch: number;
  writeRequests: RingMemory;
  writeReplies: RingMemory;
  readRequests: RingMemory;
  readReplies: RingMemory;
  /** One per shard, shared by all its links. */
  shardBell: SharedArrayBuffer;
  /** One per router, shared by all its links. */
  routerBell: SharedArrayBuffer;
}

/** Capacities, each a power of two. */
export interface LinkSizes {
  writeRequestBytes: number;
  readRequestBytes: number;
  writeReplyBytes: number;
  readReplyBytes: number;
}

export interface LinkIdentity {
  shard: number;
  router: number;
  epoch: number;
  slotMapEpoch: number;
  shardBell: SharedArrayBuffer;
  routerBell: SharedArrayBuffer;
}

/** The port on which a shard wakes a router. */
export type RouterPort = WakePort;

export function allocateLink(sizes: LinkSizes, identity: LinkIdentity): LinkMemory {
  return {
    ...identity,
    writeRequests: allocateRing(sizes.writeRequestBytes, identity.epoch),
    writeReplies: allocateRing(sizes.writeReplyBytes, identity.epoch),
    readRequests: allocateRing(sizes.readRequestBytes, identity.epoch),
    readReplies: allocateRing(sizes.readReplyBytes, identity.epoch),
  };
}

/** The shard's end. Built and used on the shard's thread only. */
export class ShardEnd {
  readonly router: number;
  readonly slotMapEpoch: number;
  readonly writeRequests: RingConsumer;
  readonly readRequests: RingConsumer;
  readonly writeReplies: RingProducer;
  readonly readReplies: RingProducer;
  readonly #bell: PortDoorbell;
  readonly #port: RouterPort;

  constructor(memory: LinkMemory, routerPort: RouterPort) {
    this.router = memory.router;
    this.slotMapEpoch = memory.slotMapEpoch;
    this.writeRequests = new RingConsumer(memory.writeRequests);
    this.readRequests = new RingConsumer(memory.readRequests);
    this.writeReplies = new RingProducer(memory.writeReplies);
    this.readReplies = new RingProducer(memory.readReplies);
    this.#bell = new PortDoorbell(memory.routerBell);
    this.#port = routerPort;
  }

  /** Call once after a batch of replies. */
  ringRouter(): void {
    this.#bell.ring(this.#port);
  }
}

/** The router's end. Built and used on the router's thread only. */
export class RouterEnd {
  readonly shard: number;
  readonly epoch: number;
  readonly slotMapEpoch: number;
  readonly writeRequests: RingProducer;
  readonly readRequests: RingProducer;
  readonly writeReplies: RingConsumer;
  readonly readReplies: RingConsumer;
  readonly #bell: ThreadDoorbell;

  constructor(memory: LinkMemory) {
    this.shard = memory.shard;
    this.epoch = memory.epoch;
    this.slotMapEpoch = memory.slotMapEpoch;
    this.writeRequests = new RingProducer(memory.writeRequests);
    this.readRequests = new RingProducer(memory.readRequests);
    this.writeReplies = new RingConsumer(memory.writeReplies);
    this.readReplies = new RingConsumer(memory.readReplies);
    this.#bell = new ThreadDoorbell(memory.shardBell);
  }

  /** Call once after a batch of requests. */
  ringShard(): void {
    this.#bell.ring();
  }
}
