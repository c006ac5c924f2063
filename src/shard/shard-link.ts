import type { ShardEnd } from '../rpc/link.js';
import type { LongRead } from './long-reads.js';

/** The shard's view of one router: its end of the link, and what waits on it. */
export interface ShardLink {
  readonly end: ShardEnd;
  /** A request was read from the ring that could not be dealt with yet; it is the next one. */
  heldWrite: boolean;
  heldRead: boolean;
  /** Reads that take more than one step, in order of arrival. */
  readonly longReads: LongRead[];
  /** Replies were written since the router was last woken. */
  replied: boolean;
}

export function shardLink(end: ShardEnd): ShardLink {
  return { end, heldWrite: false, heldRead: false, longReads: [], replied: false };
}
