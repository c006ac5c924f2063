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

export interface MergeJob {
  kind: 'merge';
  dir: string;
  /** Sorted runs, newest first; each a list of tables with disjoint, ascending key ranges. */
  runs: TableMeta[][];
  /** True when no older run exists below: tombstones that nobody needs may then be dropped. */
  bottom: boolean;
  /**
   * Ascending sequence numbers of open snapshots. Of each key the newest version is kept, and for
   * each snapshot the newest version that it may see.
   */
  snapshots: number[];
  /** Wall time for judging expiry. */
  nowMs: number;
  outputs: FileNumber[];
  table: TableOptions;
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

export type Job = FlushJob | MergeJob | FillSegmentJob | TouchArenaJob;

export interface JobOutput {
  /** Tables written, synced (file and directory), ascending by key. */
  tables: TableMeta[];
  bytesRead: number;
  bytesWritten: number;
}

export type JobResult =
  | { ok: true; output: JobOutput }
  | { ok: false; code: string; message: string; file?: string; offset?: number };
