/**
 * Merges sorted runs into one. Files in, files out: the shard commits the result. Inputs are read
 * with large reads rather than mapped, because each byte is needed once, and every block is
 * verified so that damage never travels into a new file under a fresh checksum. What stays is
 * decided by live-versions.ts.
 *
 * A merge may be one part of a larger one: the keys within two bounds. Tables that reach beyond
 * them are read by several parts; then only the sum of all parts tells whether entries are missing.
 */
import { CorruptionError } from '../base/errors.js';
import type { TableMeta } from '../base/table-meta.js';
import type { JobOutput, MergeJob } from '../rpc/jobs.js';
import type { EntryCursor } from '../storage/entry-cursor.js';
import type { FileSystem } from '../storage/file-system.js';
import { MergeCursor } from '../storage/merge-cursor.js';
import { RunCursor, type RunTables } from '../storage/run-cursor.js';
import { TableReader } from '../storage/table-reader.js';
import { copyLiveVersions } from './live-versions.js';
import { MergePace, NEVER_RESTS, type Pace, type PaceClock } from './merge-pace.js';
import { OlderRuns } from './older-keys.js';
import { TableSeries } from './write-tables.js';

/** All inputs together; each gets an equal share within these bounds. */
const READAHEAD_BYTES_TOTAL = 4 * 1024 * 1024;
const READAHEAD_BYTES_MIN = 128 * 1024;
const READAHEAD_BYTES_MAX = 1024 * 1024;

/**
 * Runs the merge. Throws CorruptionError naming the damaged input, the system's error, or
 * MergeCancelled; then no file of its own is left behind.
 */
export function runMerge(fs: FileSystem, job: MergeJob, clock: PaceClock = NEVER_RESTS): JobOutput {
  const runs = job.runs.filter((run) => run.length > 0);
  const inputs = new MergeInputs(fs, job.dir, runs.length);
  const cursors = runs.map((run) => new RunCursor(run, inputs));
  const series = new TableSeries(fs, job.dir, job.outputs, job.table);
  try {
    const merged = new MergeCursor(cursors);
    const { from, to } = job.part ?? {};
    if (from === undefined) merged.seekToFirst();
    else merged.seek(from);
    const { snapshots, nowMs } = job;
    const rules = { snapshots, nowMs, older: new OlderRuns(job.older), to };
    const tally = copyLiveVersions(merged, rules, series, paceOf(job, clock));
    if (job.part === undefined) checkCount(tally.seen, job);
    const tables = series.finish();
    const bytesWritten = tables.reduce((sum, table) => sum + table.sizeBytes, 0);
    return {
      tables,
      bytesRead: inputs.bytesRead,
      bytesWritten,
      entriesRead: tally.seen,
      entriesShadowed: tally.shadowed,
    };
  } catch (error) {
    series.abandon();
    throw error;
  } finally {
    for (const cursor of cursors) cursor.close();
  }
}

function paceOf({ control, runs }: MergeJob, clock: PaceClock): Pace {
  const tables = runs.flat();
  const bytes = tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const entries = tables.reduce((sum, { entryCount }) => sum + entryCount, 0);
  return MergePace.of(control, clock, bytes / Math.max(1, entries));
}

/** A table that yields fewer entries than it was written with has lost data: refuse the merge. */
function checkCount(seen: number, job: MergeJob): void {
  let expected = 0;
  for (const run of job.runs) for (const table of run) expected += table.entryCount;
  if (seen === expected) return;
  throw new CorruptionError(`The merged tables hold ${seen} entries and should hold ${expected}`, {
    file: job.dir,
    offset: 0,
  });
}

/** Opens the inputs of one merge, with large sequential reads, and counts what was read. */
class MergeInputs implements RunTables {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #readaheadBytes: number;
  readonly #open = new Map<number, TableReader>();
  #bytesRead = 0;

  constructor(fs: FileSystem, dir: string, runCount: number) {
    this.#fs = fs;
    this.#dir = dir;
    const share = Math.floor(READAHEAD_BYTES_TOTAL / Math.max(1, runCount));
    this.#readaheadBytes = Math.min(Math.max(share, READAHEAD_BYTES_MIN), READAHEAD_BYTES_MAX);
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  open(meta: TableMeta): EntryCursor {
    const reader = TableReader.open(this.#fs, this.#dir, meta, { mode: 'pread', verify: 'always' });
    this.#open.set(meta.number, reader);
    this.#bytesRead += meta.sizeBytes;
    return reader.cursor(this.#readaheadBytes);
  }

  close(meta: TableMeta): void {
    this.#open.get(meta.number)?.close();
    this.#open.delete(meta.number);
  }
}
