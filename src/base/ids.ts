/**
 * Branded identifiers, so that a file number can never be passed where a sequence number is meant.
 * At run time all of them are plain non-negative integers below 2^53.
 */
declare const brand: unique symbol;
type Branded<Name extends string> = number & { readonly [brand]: Name };

/** Index of a shard, 0 ≤ id < shard count. */
export type ShardId = Branded<'ShardId'>;
/** Number of a table or manifest file within one shard; never reused. */
export type FileNumber = Branded<'FileNumber'>;
/** Number of a WAL segment incarnation within one shard; never reused, rises by 1. */
export type SegmentNumber = Branded<'SegmentNumber'>;
/** Position of a write in its shard's order: 1, 2, 3 …; the version that clients see. */
export type SequenceNumber = Branded<'SequenceNumber'>;

export const shardId = (n: number): ShardId => n as ShardId;
export const fileNumber = (n: number): FileNumber => n as FileNumber;
export const segmentNumber = (n: number): SegmentNumber => n as SegmentNumber;
export const sequenceNumber = (n: number): SequenceNumber => n as SequenceNumber;
