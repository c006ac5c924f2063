/**
 * What a shard asks of the compactor pool, and what comes back. Jobs are stateless: files and
 * arenas in, files out; the shard alone commits the result through its manifest. These objects
 * travel by structured clone (an arena passes by reference).
 */
import type { FileNumber } from '../base/ids.js';
import type { TableMeta, TableOptions } from '../base/table-meta.js';

export interface FlushJob {
  kind: 'flush';
  dir: string;
  /** The frozen arena; see storage/arena-format.ts. */
  arena: SharedArrayBuffer;
  /** As in MergeJob: versions that no snapshot needs are not written. */
  snapshots: number[];
  /** Numbers reserved for output tables, in order; the job uses as many as it needs. */
  outputs: FileNumber[];
  table: TableOptions;
}

/** Keys from the least to the greatest, both included. */
export interface KeyRange {
  minKey: Uint8Array;
  maxKey: Uint8Array;
}

/** Keys ≥ `from` and < `to`; without one it is open on that side. */
export interface KeyBounds {
  from?: Uint8Array;
  to?: Uint8Array;
}

export interface MergeJob {
  kind: 'merge';
  dir: string;
  /** Sorted runs, newest first; each a list of tables with disjoint, ascending key ranges. */
  runs: TableMeta[][];
  /** Only these keys of them: the job is one part of a merge that was cut. */
  part?: KeyBounds;
  /**
   * The key ranges of the tables of all older runs, each run ascending: a tombstone whose key lies
   * in none of them has nothing left to hide and may be dropped, if nobody needs it.
   */
  older: KeyRange[][];
  /**
   * Ascending sequence numbers of open snapshots. Of each key the newest version is kept, and for
   * each snapshot the newest version that it may see.
   */
  snapshots: number[];
  /** Wall time for judging expiry. */
  nowMs: number;
  outputs: FileNumber[];
  table: TableOptions;
  /** See merge-control.ts; without one the merge cannot be stopped and works at full speed. */
  control?: SharedArrayBuffer;
}

export interface FillSegmentJob {
  kind: 'fill-segment';
  dir: string;
  /** File name to create, filled with zeros and synced, directory entry included. */
  name: string;
  sizeBytes: number;
}

export interface TouchArenaJob {
  kind: 'touch-arena';
  arena: SharedArrayBuffer;
}

/** Files that nobody needs: freeing the pages of a large one takes a while. */
export interface RemoveJob {
  kind: 'remove';
  dir: string;
  names: string[];
}

/** Copies files into a backup, under the names that their content has there. */
export interface CopyJob {
  kind: 'copy';
  /** Of the shard. */
  dir: string;
  /** Of the shard in the backup; exists. */
  backupDir: string;
  files: CopyFile[];
}

export type CopyFile =
  /** `isLink`: a link will do, where the file system makes one. */
  | { kind: 'table'; name: string; to: string; sizeBytes: number; crc32: number; isLink: boolean }
  /**
   * A segment of the log, up to `endOffset`; undefined = to its end. It must be this number's and
   * end with this sequence number.
   */
  | {
      kind: 'log';
      name: string;
      number: number;
      endOffset: number | undefined;
      lastSequence: number;
    };

/** What a backup keeps of a segment; see storage/backup-inventory.ts. */
export interface CopiedLog {
  number: number;
  nonce: number;
  endOffset: number;
  segmentBytes: number;
  crc32: number;
  firstSequence: number;
  lastSequence: number;
}

/** Reads stored bytes again; changes nothing. */
export interface ScrubJob {
  kind: 'scrub';
  dir: string;
  part: /** `crc32`: of the file up to `from`; the output has that of what follows added. */
    | { kind: 'slice'; name: string; from: number; length: number; crc32: number }
    | { kind: 'table'; table: TableMeta }
    | { kind: 'log'; name: string; number: number; lastSequence: number; sizeBytes: number };
}

export type Job = (
  | FlushJob
  | MergeJob
  | FillSegmentJob
  | TouchArenaJob
  | RemoveJob
  | CopyJob
  | ScrubJob
) & {
  /** Of the shard, to be raised when a sync of its folder fails; see sync-alarm.ts. */
  syncAlarm?: SharedArrayBuffer;
};

export interface JobOutput {
  /** Tables written, synced (file and directory), ascending by key. */
  tables: TableMeta[];
  bytesRead: number;
  bytesWritten: number;
  /** By a merge, of all its inputs within its bounds. */
  entriesRead?: number;
  /** Of a merge's result, versions that only a snapshot needs: garbage once that is closed. */
  entriesShadowed?: number;
  /** By a copy, of its segments. */
  logs?: CopiedLog[];
  /** By a scrub: of a slice, and what is wrong with the rest. */
  crc32?: number;
  damage?: string[];
}

export type JobResult =
  | { ok: true; output: JobOutput }
  | { ok: false; code: string; message: string; file?: string; offset?: number };
