/**
 * The read side of a turn. Point reads are answered at once; what takes longer is put among the
 * link's long reads and gets a step per turn. Everything is bounded: reads per turn, long reads per
 * link; beyond that requests stay in their ring.
 */
import { StormError } from '../base/errors.js';
import { decodeChanges, MESSAGE_CHANGES } from '../rpc/change-messages.js';
import {
  decodeRequest,
  MESSAGE_GET,
  RequestView,
  tryWriteFailure,
  tryWriteMissing,
  tryWriteValue,
} from '../rpc/messages.js';
import {
  MESSAGE_MULTI_GET,
  MESSAGE_SCAN,
  MESSAGE_SCAN_END,
  MESSAGE_TTL,
  tryWriteTtl,
} from '../rpc/read-messages.js';
import type { RingProducer } from '../rpc/ring-channel.js';
import type { ShardStats } from '../rpc/shard-stats.js';
import { LookupResult } from '../storage/lookup.js';
import { asStormError, wrongShard } from './answer-errors.js';
import { ChangesPage } from './changes-page.js';
import type { Engine } from './engine.js';
import { type LongRead, MultiGet, ScanPage, Scratch } from './long-reads.js';
import type { ShardLink } from './shard-link.js';

/** Reads per turn and link: at a few microseconds each, well below a millisecond. */
const READS_PER_TURN = 256;
const LONG_READS_MAX = 64;

export class ReadLane {
  readonly #engine: Engine;
  readonly #stats: ShardStats;
  readonly #slotMapEpoch: number;
  readonly #request = new RequestView();
  readonly #found = new LookupResult();
  readonly #scratch = new Scratch();

  constructor(engine: Engine, stats: ShardStats, slotMapEpoch: number) {
    this.#engine = engine;
    this.#stats = stats;
    this.#slotMapEpoch = slotMapEpoch;
  }

  /** Does the link's part of a turn; true when something was done. */
  serve(link: ShardLink): boolean {
    const stepped = this.#stepLongReads(link);
    const served = this.#drain(link);
    if (served > 0) this.#stats.add('readsTotal', served);
    if (stepped || served > 0) link.replied = true;
    return stepped || served > 0;
  }

  #drain(link: ShardLink): number {
    const { readRequests } = link.end;
    let served = 0;
    while (served < READS_PER_TURN && link.longReads.length < LONG_READS_MAX) {
      if (!link.heldRead && !readRequests.tryRead()) break;
      link.heldRead = !this.#take(link);
      if (link.heldRead) break;
      served++;
    }
    if (!link.heldRead) readRequests.release();
    return served;
  }

  /** Deals with the request at hand; false when the reply ring has no room for its answer. */
  #take(link: ShardLink): boolean {
    const { readRequests, readReplies } = link.end;
    const request = this.#request;
    decodeRequest(readRequests, request);
    const { callId, type } = request;
    if (request.slotMapEpoch !== this.#slotMapEpoch) {
      return tryWriteFailure(readReplies, callId, wrongShard(request, this.#slotMapEpoch));
    }
    if (type === MESSAGE_GET) return this.#get(readRequests.bytes, readReplies);
    if (type === MESSAGE_TTL) return this.#ttl(readRequests.bytes, readReplies);
    if (type === MESSAGE_SCAN_END) {
      this.#engine.closeSnapshot(request.snapshotId);
      return tryWriteMissing(readReplies, callId);
    }
    const long = this.#longRead(readRequests.bytes);
    if (long !== undefined) {
      link.longReads.push(long);
      return true;
    }
    const unknown = new StormError('UNIMPLEMENTED', `Message ${type} is none of the read lane`);
    return tryWriteFailure(readReplies, callId, unknown);
  }

  #longRead(bytes: Uint8Array): LongRead | undefined {
    const { callId, type, scan, payloadStart, payloadLength } = this.#request;
    if (type === MESSAGE_SCAN && scan !== undefined) return new ScanPage(callId, scan);
    if (type === MESSAGE_CHANGES) {
      const payload = bytes.slice(payloadStart, payloadStart + payloadLength);
      return new ChangesPage(callId, decodeChanges(payload));
    }
    if (type !== MESSAGE_MULTI_GET) return undefined;
    return new MultiGet(callId, bytes.slice(payloadStart, payloadStart + payloadLength));
  }

  #get(bytes: Uint8Array, replies: RingProducer): boolean {
    const { callId, payloadStart, payloadLength } = this.#request;
    const found = this.#found;
    try {
      if (this.#engine.get(bytes, payloadStart, payloadLength, found)) {
        const { sequence, valueBytes, valueStart, valueLength } = found;
        return tryWriteValue(replies, callId, sequence, valueBytes, valueStart, valueLength);
      }
    } catch (error) {
      return tryWriteFailure(replies, callId, asStormError(error));
    }
    this.#stats.add('readsMissedTotal', 1);
    return tryWriteMissing(replies, callId);
  }

  #ttl(bytes: Uint8Array, replies: RingProducer): boolean {
    const { callId, payloadStart, payloadLength } = this.#request;
    const found = this.#found;
    try {
      if (this.#engine.get(bytes, payloadStart, payloadLength, found)) {
        const { sequence, expiresAtMs } = found;
        // Alive a moment ago: never the 0 that means "for ever".
        const left = expiresAtMs === 0 ? 0 : Math.max(1, expiresAtMs - this.#engine.wallMs());
        return tryWriteTtl(replies, callId, sequence, left);
      }
    } catch (error) {
      return tryWriteFailure(replies, callId, asStormError(error));
    }
    return tryWriteMissing(replies, callId);
  }

  #stepLongReads(link: ShardLink): boolean {
    let progress = false;
    for (let i = 0; i < link.longReads.length; ) {
      const long = link.longReads[i];
      if (long === undefined) break;
      const step = this.#step(long, link.end.readReplies);
      if (step !== 'waiting') progress = true;
      if (step === 'finished') link.longReads.splice(i, 1);
      else i++;
    }
    return progress;
  }

  #step(long: LongRead, replies: RingProducer): ReturnType<LongRead['step']> {
    try {
      return long.step(this.#engine, replies, this.#scratch);
    } catch (error) {
      return tryWriteFailure(replies, long.callId, asStormError(error)) ? 'finished' : 'waiting';
    }
  }
}
