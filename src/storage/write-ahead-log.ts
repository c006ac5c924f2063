/**
 * The write-ahead log as a port, in two phases so that a slow disk, a helper thread or a replicated
 * log can stand behind it without changing a caller: `append` hands over a group, `requestSync`
 * asks for durability, `syncedThrough` tells how far it has come.
 *
 * A failure of `append` or `requestSync` is final: the log is then `broken`, every later call
 * throws, and what was not yet covered by `syncedThrough` has an unknown outcome. The one exception
 * is a refusal by `hasRoomFor`, which changes nothing.
 */
export interface WriteAheadLog {
  /** False while the next group needs a segment and no spare one is ready. */
  hasRoomFor(payloadLength: number): boolean;
  /**
   * Appends one group as one frame with one write. `frame` holds the payload behind a gap of
   * FRAME_HEADER_BYTES and has room for the padding; it may be reused when the call returns.
   */
  append(frame: GroupFrame): void;
  /** Starts making everything appended durable. */
  requestSync(): void;
  /** The last sequence number known to be durable. */
  readonly syncedThrough: number;
  /** The last sequence number appended. */
  readonly appendedThrough: number;
  /** Bytes of the segments that hold groups not yet released. */
  readonly liveBytes: number;
  /** How many empty segments are missing from the stock; each wants one `addSpare`. */
  readonly sparesWanted: number;
  /** File name for the next empty segment to be made. */
  takeSpareName(): string;
  /** The segment of that name was made, full of zeros, and synced. */
  addSpare(name: string): void;
  /** The oldest segment that holds something above `sequence`, for the manifest. */
  oldestSegmentFor(sequence: number): number;
  /**
   * Everything through `sequence` is durable elsewhere: older segments may be reused, but for those
   * with something from `keepFrom` on (left out: none is kept), until `recycle` gives them free,
   * and but for `minSegment` and those after it, which the manifest names.
   */
  release(sequence: number, keepFrom?: number, minSegment?: number): void;
  /** Segments that were kept and hold nothing from `keepFrom` on may be reused. */
  recycle(keepFrom: number): void;
  /** What segments take that are only kept (see `release`) and hold something from there on. */
  retiredBytesFrom(sequence: number): number;
  /** Every segment with something from `sequence` on, oldest first; the last is written to. */
  segmentsFrom(sequence: number): LogSegment[];
  /** What is older is in no segment any more. */
  readonly oldestSequence: number;
  /** Writes a witness that everything so far is durable. */
  seal(close: boolean): void;
  close(): void;
}

export interface GroupFrame {
  bytes: Uint8Array;
  view: DataView;
  payloadLength: number;
  count: number;
  firstSequence: number;
  commitTimeMs: number;
}

/** A file of the log, good until it is recycled: its reader holds it (shard/wal-holds.ts). */
export interface LogSegment {
  path: string;
  number: number;
  firstSequence: number;
  lastSequence: number;
  /** Of the segment that is written to: all before is durable. Undefined: it is full. */
  syncedOffset: number | undefined;
}
