/** A router's bounds, what it knows of each shard, and what it tells others of them. */
import type { EntryLimits } from '../base/entry-run.js';
import type { RouterEnd } from '../rpc/link.js';

export interface RouterLimits extends EntryLimits {
  /**
   * The longest part of a batch that goes to one shard, and the most bytes of values got at once.
   */
  batchBytesMax: number;
  batchEntriesMax: number;
  /** Scans in progress; each holds a page of every shard. */
  scansMax: number;
  /** Calls sent to shards and not yet answered by them. */
  inFlightMax: number;
  /** How long a call waits whose caller set no limit. */
  deadlineMsDefault: number;
  /** The hint given when a lane or the table is full. */
  busyRetryAfterMs: number;
  /** The hint given while a shard is down. */
  downRetryAfterMs: number;
}

export type ShardState = 'up' | 'down' | 'refused';

export interface ShardStatus {
  shard: number;
  state: ShardState;
  /** Why it is not up; empty when it is. */
  reason: string;
}

export interface RouterStatus {
  ready: boolean;
  draining: boolean;
  inFlight: number;
  shards: ShardStatus[];
}

export interface ShardSeat {
  readonly shard: number;
  state: ShardState;
  reason: string;
  link: RouterEnd | undefined;
  /** Frames were written since the bell was last rung. */
  isDirty: boolean;
}

/** A seat whose shard serves. */
export type ServingSeat = ShardSeat & { link: RouterEnd };
