/** What a door asks of a change feed; the router implements it (router/watch.ts). */
import type { StormError } from '../base/errors.js';

export interface WatchRequest {
  /** Of an earlier watch, goes on behind it; empty = see `fromNow`. */
  token: string;
  /** Without a token: only what is still to come. Else the content first, then the changes. */
  fromNow: boolean;
  /** Only keys that begin so; empty = all. */
  prefix: Uint8Array;
  /** Under which the log is held for this reader; empty = it is not. */
  name: string;
}

export interface WatchChange {
  key: Buffer;
  /** Undefined = deleted. */
  value: Buffer | undefined;
  version: number;
  /** Wall time in ms; 0 = never. */
  expiresAtMs: number;
}

export interface WatchPage {
  shard: number;
  /**
   * `changes`: in the order in which they were made. `gap`: the changes up to here are lost: what
   * is known of keys of this shard must be forgotten; its content follows as `snapshot` pages, then
   * `snapshot-end`, then changes, of which some may be in the snapshot already.
   */
  kind: 'changes' | 'gap' | 'snapshot' | 'snapshot-end';
  changes: WatchChange[];
  /** Where to go on behind this page. */
  token: string;
}

export type WatchDone = (error: StormError | undefined, page: WatchPage | undefined) => void;

/** A watch in progress; it goes on until it is closed, or an error. */
export interface KvWatch {
  /** Answers when there is something to tell, however long that takes; one at a time. */
  nextPage(done: WatchDone): void;
  close(): void;
}
