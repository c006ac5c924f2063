/**
 * The write side of a turn: what waits in the links' write lanes goes into one group, and groups
 * that have become durable are answered. A request is taken only if its answer will fit the reply
 * ring: an answer is never dropped, the shard rather stops taking work.
 */
import {
  ENTRY_OVERHEAD_BYTES_MAX,
  RUN_FORMAT,
  RUN_HEADER_BYTES,
  RunReader,
  writeExpiringPut,
  writePut,
} from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import {
  decodeRequest,
  MESSAGE_WRITE,
  REPLY_BYTES_MAX_SMALL,
  RequestView,
  tryWriteFailure,
  tryWriteMissing,
  tryWriteWritten,
  WRITTEN_REPLY_BYTES,
} from '../rpc/messages.js';
import type { ShardStats } from '../rpc/shard-stats.js';
import {
  MESSAGE_EXPIRE,
  MESSAGE_WRITE_IF,
  tryWriteConditionFailed,
} from '../rpc/write-messages.js';
import { LookupResult } from '../storage/lookup.js';
import { asStormError, wrongShard } from './answer-errors.js';
import type { CommitGroup } from './commit-group.js';
import type { Engine } from './engine.js';
import type { ShardLink } from './shard-link.js';

/** What became of a request: in the group, to be looked at again, or answered already. */
type Verdict = 'staged' | 'held' | 'answered';

export class WriteLane {
  readonly #engine: Engine;
  readonly #stats: ShardStats;
  readonly #slotMapEpoch: number;
  readonly #links: readonly ShardLink[];
  readonly #request = new RequestView();
  readonly #reader = new RunReader();
  readonly #found = new LookupResult();
  /** Where the next turn begins, so that no link is always first. */
  #firstLink = 0;

  constructor(
    engine: Engine,
    stats: ShardStats,
    slotMapEpoch: number,
    links: readonly ShardLink[],
  ) {
    this.#engine = engine;
    this.#stats = stats;
    this.#slotMapEpoch = slotMapEpoch;
    this.#links = links;
  }

  /** Makes and commits one group of what waits; true when something was done. */
  serve(): boolean {
    if (this.#engine.isDelaying) return false;
    const group = this.#engine.openGroup();
    if (group === undefined) return false;
    let answered = 0;
    for (let i = 0; i < this.#links.length; i++) {
      const index = (this.#firstLink + i) % this.#links.length;
      const link = this.#links[index];
      if (link !== undefined) answered += this.#drain(link, index, group);
    }
    this.#firstLink = (this.#firstLink + 1) % this.#links.length;
    if (group.count === 0) {
      this.#engine.recycle(group);
      return answered > 0;
    }
    this.#engine.commit(group);
    this.#stats.add('groupsTotal', 1);
    return true;
  }

  /** Answers the groups that have become durable; true when there were any. */
  answerSettled(): boolean {
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
      this.#count(group);
      this.#engine.recycle(group);
    }
    return any;
  }

  /** Tells the callers of everything unsettled in a poisoned engine that its fate is unknown. */
  failUnsettled(why: string): void {
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

  #count(group: CommitGroup): void {
    this.#stats.add('writesTotal', group.requests.length);
    this.#stats.add('writeEntriesTotal', group.count);
    this.#stats.add('walBytesTotal', group.payloadLength);
    this.#stats.set('durableSequence', group.firstSequence + group.count - 1);
  }

  /** Stages what waits in one link's lane; returns how many requests were answered at once. */
  #drain(link: ShardLink, index: number, group: CommitGroup): number {
    const { writeRequests } = link.end;
    let owed = this.#owedTo(index) * WRITTEN_REPLY_BYTES;
    let answered = 0;
    while (hasRoomForReplies(link, owed)) {
      if (!link.heldWrite && !writeRequests.tryRead()) break;
      link.heldWrite = false;
      const verdict = this.#take(link, index, group);
      if (verdict === 'held') {
        link.heldWrite = true;
        break;
      }
      if (verdict === 'staged') owed += WRITTEN_REPLY_BYTES;
      else answered++;
    }
    // Staged bytes were copied. A held request keeps its place, and with it those before it.
    if (!link.heldWrite) writeRequests.release();
    if (answered > 0) link.replied = true;
    return answered;
  }

  /** Requests of a link that are on their way to the disk and will want a reply. */
  #owedTo(index: number): number {
    let count = 0;
    for (const group of this.#engine.pending) {
      for (const request of group.requests) if (request.link === index) count++;
    }
    return count;
  }

  #take(link: ShardLink, index: number, group: CommitGroup): Verdict {
    const { writeRequests } = link.end;
    const request = this.#request;
    decodeRequest(writeRequests, request);
    if (request.slotMapEpoch !== this.#slotMapEpoch) {
      return this.#refuse(link, wrongShard(request, this.#slotMapEpoch));
    }
    const { bytes } = writeRequests;
    const { type, payloadStart, payloadLength } = request;
    try {
      if (type === MESSAGE_WRITE) {
        return this.#stage(link, index, group, bytes, payloadStart, payloadLength);
      }
      if (type === MESSAGE_WRITE_IF) return this.#writeIf(link, index, group, bytes);
      if (type === MESSAGE_EXPIRE) return this.#expire(link, index, group, bytes);
    } catch (error) {
      return this.#refuse(link, asStormError(error));
    }
    const message = `Message ${type} is none of the write lane`;
    return this.#refuse(link, new StormError('UNIMPLEMENTED', message));
  }

  #stage(
    link: ShardLink,
    index: number,
    group: CommitGroup,
    run: Uint8Array,
    start: number,
    length: number,
  ): Verdict {
    if (!group.hasRoomFor(length)) {
      // An empty group has all the room there is: waiting for more would block the lane for ever.
      return group.count > 0 ? 'held' : this.#refuseAsTooLarge(link, 'a group');
    }
    group.stage(index, this.#request.callId, run, start, length);
    const pressure = this.#engine.admitStaged(group);
    if (pressure.kind === 'accept') return 'staged';
    group.unstage();
    if (pressure.kind === 'refuse') {
      const { message, retryAfterMs } = pressure;
      return this.#refuse(link, new StormError('RESOURCE_EXHAUSTED', message, { retryAfterMs }));
    }
    return pressure.kind === 'too-large' ? this.#refuseAsTooLarge(link, 'a MemTable') : 'held';
  }

  #refuseAsTooLarge(link: ShardLink, holder: string): 'answered' {
    const message = `The batch is larger than ${holder} can hold; send it in parts`;
    return this.#refuse(link, new StormError('INVALID_ARGUMENT', message));
  }

  /**
   * All conditions hold, or nothing is written. They see the state before the batch, with the
   * writes counted in that are before it in this group. A refusal tells a version, so it waits
   * until that version is durable.
   */
  #writeIf(link: ShardLink, index: number, group: CommitGroup, run: Uint8Array): Verdict {
    const { callId, conditions = [], payloadStart, payloadLength } = this.#request;
    const reader = this.#reader;
    reader.reset(run, payloadStart, payloadLength);
    for (const condition of conditions) {
      while (reader.count <= condition.index) {
        if (!reader.next()) {
          throw new StormError('INVALID_ARGUMENT', `The batch has no entry ${condition.index}`);
        }
      }
      const { version, provisional } = this.#engine.versionOf(
        group,
        run,
        reader.keyStart,
        reader.keyLength,
      );
      if (version === condition.version) continue;
      if (provisional) return 'held';
      tryWriteConditionFailed(link.end.writeReplies, callId, condition.index, version);
      this.#stats.add('writesRefusedTotal', 1);
      return 'answered';
    }
    return this.#stage(link, index, group, run, payloadStart, payloadLength);
  }

  /** Writes the present value again, with another expiry. */
  #expire(link: ShardLink, index: number, group: CommitGroup, bytes: Uint8Array): Verdict {
    const { callId, ttlMs, payloadStart, payloadLength } = this.#request;
    const engine = this.#engine;
    const { provisional } = engine.versionOf(group, bytes, payloadStart, payloadLength);
    // The value lies in a group that is not applied yet.
    if (provisional) return 'held';
    const found = this.#found;
    if (!engine.get(bytes, payloadStart, payloadLength, found)) {
      tryWriteMissing(link.end.writeReplies, callId);
      return 'answered';
    }
    const key = bytes.subarray(payloadStart, payloadStart + payloadLength);
    const { valueStart, valueLength } = found;
    const value = found.valueBytes.subarray(valueStart, valueStart + valueLength);
    const run = new Uint8Array(
      RUN_HEADER_BYTES + ENTRY_OVERHEAD_BYTES_MAX + key.length + value.length,
    );
    run[0] = RUN_FORMAT;
    const end =
      ttlMs === 0
        ? writePut(run, RUN_HEADER_BYTES, key, value)
        : writeExpiringPut(run, RUN_HEADER_BYTES, key, value, ttlMs);
    return this.#stage(link, index, group, run, 0, end);
  }

  #refuse(link: ShardLink, error: StormError): 'answered' {
    // Room was made sure of before the request was taken.
    tryWriteFailure(link.end.writeReplies, this.#request.callId, error);
    this.#stats.add('writesRefusedTotal', 1);
    return 'answered';
  }
}

/** Room for what is owed, and for a refusal of the next request. */
function hasRoomForReplies(link: ShardLink, owedBytes: number): boolean {
  const frames = 1 + Math.ceil(owedBytes / REPLY_BYTES_MAX_SMALL);
  return link.end.writeReplies.hasRoomFor(frames, REPLY_BYTES_MAX_SMALL);
}
