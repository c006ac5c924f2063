/**
 * The shard as an actor: it alone owns its engine and talks to routers through its links. `turn`
 * does a bounded amount of work and never waits:
 *   1. Reads, each link in turn, within a time budget.
 *   2. Writes: drain what waits into one group, commit it, answer what has become durable.
 *   3. Housekeeping.
 * Reads and writes have rings of their own, and both get their part of every turn, so neither side
 * starves the other. A request is taken only if its answer will fit the reply ring: an answer is
 * never dropped, the shard rather stops taking work.
 */
import { StormError } from '../base/errors.js';
import type { ShardEnd } from '../rpc/link.js';
import {
  decodeRequest,
  MESSAGE_WRITE,
  REPLY_BYTES_MAX_SMALL,
  RequestView,
  tryWriteFailure,
  tryWriteMissing,
  tryWriteValue,
  tryWriteWritten,
  WRITTEN_REPLY_BYTES,
} from '../rpc/messages.js';
import type { ShardStats } from '../rpc/shard-stats.js';
import { LookupResult } from '../storage/lookup.js';
import type { CommitGroup } from './commit-group.js';
import type { Engine } from './engine.js';

export type Turn =
  /** There is more to do at once. */
  | { kind: 'again' }
  /** Nothing to do before this monotonic time, unless a bell rings. */
  | { kind: 'until'; ms: number }
  /** The engine is poisoned: every caller has been told, the thread must end. */
  | { kind: 'poisoned'; message: string };

const AGAIN: Turn = { kind: 'again' };
/** Reads per turn and link: at a few microseconds each well below a millisecond. */
const READS_PER_TURN = 256;

interface LinkState {
  end: ShardEnd;
  /** A request was read that could not be dealt with yet; it is the next one. */
  heldWrite: boolean;
  heldRead: boolean;
  /** Replies were written since the router was last woken. */
  replied: boolean;
}

export class ShardActor {
  readonly #engine: Engine;
  readonly #stats: ShardStats;
  readonly #links: LinkState[];
  readonly #slotMapEpoch: number;
  readonly #request = new RequestView();
  readonly #lookup = new LookupResult();
  /** Where the next turn begins, so that no link is always first. */
  #firstLink = 0;

  constructor(
    engine: Engine,
    links: ShardEnd[],
    options: { stats: ShardStats; slotMapEpoch: number },
  ) {
    this.#engine = engine;
    this.#stats = options.stats;
    this.#slotMapEpoch = options.slotMapEpoch;
    this.#links = links.map((end) => ({ end, heldWrite: false, heldRead: false, replied: false }));
  }

  turn(): Turn {
    let busy = false;
    let due = Number.POSITIVE_INFINITY;
    try {
      busy = this.#serveReads() || busy;
      busy = this.#serveWrites() || busy;
      busy = this.#answerSettled() || busy;
      due = this.#engine.maintain();
    } catch (error) {
      if (this.#engine.poison === undefined) throw error;
    }
    if (this.#engine.poison !== undefined) this.#failUnsettled(this.#engine.poison);
    this.#stats.add('turns', 1);
    this.#wakeRouters();
    if (this.#engine.poison !== undefined) {
      return { kind: 'poisoned', message: this.#engine.poison };
    }
    return busy ? AGAIN : { kind: 'until', ms: due };
  }

  /** Answers everything that was taken and closes the engine; for an orderly stop. */
  stop(): void {
    for (let turn = this.turn(); turn.kind === 'again'; turn = this.turn());
    this.publishFigures();
    this.#engine.close();
  }

  /** Copies the engine's figures into the shared counters. */
  publishFigures(): void {
    const figures = this.#engine.figures();
    for (const [name, value] of Object.entries(figures)) {
      this.#stats.set(name as keyof typeof figures, value);
    }
  }

  #serveReads(): boolean {
    let served = 0;
    for (const link of this.#links) {
      const { readRequests } = link.end;
      for (let n = 0; n < READS_PER_TURN; n++) {
        if (!link.heldRead && !readRequests.tryRead()) break;
        link.heldRead = !this.#read(link);
        if (link.heldRead) break;
        served++;
        link.replied = true;
      }
      if (!link.heldRead) readRequests.release();
    }
    if (served > 0) this.#stats.add('readsTotal', served);
    return served > 0;
  }

  /** Answers the read request at hand; false when the reply ring has no room for the answer. */
  #read(link: LinkState): boolean {
    const { readRequests, readReplies } = link.end;
    const request = this.#request;
    decodeRequest(readRequests, request);
    if (request.slotMapEpoch !== this.#slotMapEpoch) {
      return tryWriteFailure(readReplies, request.callId, wrongShard(request, this.#slotMapEpoch));
    }
    const found = this.#lookup;
    const { callId, payloadStart, payloadLength } = request;
    try {
      if (this.#engine.get(readRequests.bytes, payloadStart, payloadLength, found)) {
        const { sequence, valueBytes, valueStart, valueLength } = found;
        return tryWriteValue(readReplies, callId, sequence, valueBytes, valueStart, valueLength);
      }
      this.#stats.add('readsMissedTotal', 1);
      return tryWriteMissing(readReplies, callId);
    } catch (error) {
      return tryWriteFailure(readReplies, callId, asStormError(error));
    }
  }

  #serveWrites(): boolean {
    const group = this.#engine.openGroup();
    if (group === undefined) return false;
    let refused = 0;
    for (let i = 0; i < this.#links.length; i++) {
      const index = (this.#firstLink + i) % this.#links.length;
      const link = this.#links[index];
      if (link !== undefined) refused += this.#drainWrites(link, index, group);
    }
    this.#firstLink = (this.#firstLink + 1) % this.#links.length;
    if (refused > 0) this.#stats.add('writesRefusedTotal', refused);
    if (group.count === 0) {
      this.#engine.recycle(group);
      return refused > 0;
    }
    this.#engine.commit(group);
    this.#stats.add('groupsTotal', 1);
    return true;
  }

  /** Stages what waits in one link's write lane; returns how many requests were refused. */
  #drainWrites(link: LinkState, index: number, group: CommitGroup): number {
    const { writeRequests, writeReplies } = link.end;
    let owed = this.#unanswered(index) * WRITTEN_REPLY_BYTES;
    let refused = 0;
    // Room for what is owed, and for a refusal of the next one.
    while (
      writeReplies.hasRoomFor(1 + Math.ceil(owed / REPLY_BYTES_MAX_SMALL), REPLY_BYTES_MAX_SMALL)
    ) {
      if (!link.heldWrite && !writeRequests.tryRead()) break;
      link.heldWrite = false;
      const verdict = this.#stage(link, index, group);
      if (verdict === 'held') {
        link.heldWrite = true;
        break;
      }
      if (verdict === 'staged') owed += WRITTEN_REPLY_BYTES;
      else refused++;
    }
    // Staged bytes were copied. A held request keeps its place, and with it those before it.
    if (!link.heldWrite) writeRequests.release();
    if (refused > 0) link.replied = true;
    return refused;
  }

  /** Requests of a link that are on their way to the disk and will want a reply. */
  #unanswered(index: number): number {
    let count = 0;
    for (const group of this.#engine.pending) {
      for (const request of group.requests) if (request.link === index) count++;
    }
    return count;
  }

  #stage(link: LinkState, index: number, group: CommitGroup): 'staged' | 'held' | 'refused' {
    const { writeRequests } = link.end;
    const request = this.#request;
    decodeRequest(writeRequests, request);
    const { callId, type, payloadStart, payloadLength } = request;
    if (type !== MESSAGE_WRITE || request.slotMapEpoch !== this.#slotMapEpoch) {
      return this.#refuse(link, callId, wrongShard(request, this.#slotMapEpoch));
    }
    if (!group.hasRoomFor(payloadLength)) return 'held';
    try {
      group.stage(index, callId, writeRequests.bytes, payloadStart, payloadLength);
    } catch (error) {
      return this.#refuse(link, callId, asStormError(error));
    }
    const pressure = this.#engine.admitStaged(group);
    if (pressure.kind === 'accept') return 'staged';
    group.unstage();
    switch (pressure.kind) {
      case 'refuse': {
        const { message, retryAfterMs } = pressure;
        return this.#refuse(
          link,
          callId,
          new StormError('RESOURCE_EXHAUSTED', message, { retryAfterMs }),
        );
      }
      case 'too-large':
        return this.#refuse(
          link,
          callId,
          new StormError('INVALID_ARGUMENT', 'The batch is larger than a MemTable can hold'),
        );
      default:
        return 'held';
    }
  }

  #refuse(link: LinkState, callId: number, error: StormError): 'refused' {
    // Room was made sure of before the request was taken.
    tryWriteFailure(link.end.writeReplies, callId, error);
    return 'refused';
  }

  #answerSettled(): boolean {
    let any = false;
    for (
      let group = this.#engine.nextSettled();
      group !== undefined;
      group = this.#engine.nextSettled()
    ) {
      any = true;
      for (const { link: index, callId, firstIndex, count } of group.requests) {
        const link = this.#links[index];
        if (link === undefined) continue;
        tryWriteWritten(link.end.writeReplies, callId, group.firstSequence + firstIndex, count);
        link.replied = true;
      }
      this.#stats.add('writesTotal', group.requests.length);
      this.#stats.add('writeEntriesTotal', group.count);
      this.#stats.add('walBytesTotal', group.payloadLength);
      this.#stats.set('durableSequence', group.firstSequence + group.count - 1);
      this.#engine.recycle(group);
    }
    return any;
  }

  #failUnsettled(why: string): void {
    const message = `The shard could not make the write durable (${why}); it may be stored or not`;
    const error = new StormError('UNAVAILABLE', message, { outcome: 'unknown' });
    for (const group of this.#engine.takeUnsettled()) {
      for (const { link: index, callId } of group.requests) {
        const link = this.#links[index];
        if (link === undefined) continue;
        tryWriteFailure(link.end.writeReplies, callId, error);
        link.replied = true;
      }
    }
  }

  #wakeRouters(): void {
    for (const link of this.#links) {
      if (!link.replied) continue;
      link.replied = false;
      link.end.ringRouter();
    }
  }
}

function wrongShard(request: RequestView, epoch: number): StormError {
  return new StormError(
    'WRONG_SHARD',
    `The request was routed by slot map ${request.slotMapEpoch}, this shard serves ${epoch}`,
  );
}

function asStormError(error: unknown): StormError {
  if (error instanceof StormError) return error;
  return new StormError('INTERNAL', error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}
