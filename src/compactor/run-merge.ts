/**
 * Merges sorted runs into one. Files in, files out: the shard commits the result. Inputs are read
 * with large reads rather than mapped, because each byte is needed once, and every block is
 * verified so that damage never travels into a new file under a fresh checksum.
 *
 * Of each key these versions stay: the newest, and for each open snapshot the newest it may see.
 * The snapshots cut the sequence numbers into stripes; of one stripe only the newest version can
 * ever be read. An expired entry counts as a tombstone. In the lowest stripe of the bottom run a
 * tombstone has nothing left to hide and goes as well.
 */
import { CorruptionError } from '../base/errors.js';
import type { TableMeta } from '../base/table-meta.js';
import type { JobOutput, MergeJob } from '../rpc/jobs.js';
import { type EntryCursor, KIND_DELETE } from '../storage/entry-cursor.js';
import type { FileSystem } from '../storage/file-system.js';
import { MergeCursor } from '../storage/merge-cursor.js';
import { RunCursor, type RunTables } from '../storage/run-cursor.js';
import { TableReader } from '../storage/table-reader.js';
import { TableSeries } from './write-tables.js';

/** All inputs together; each gets an equal share within these bounds. */
const READAHEAD_BYTES_TOTAL = 4 * 1024 * 1024;
const READAHEAD_BYTES_MIN = 128 * 1024;
const READAHEAD_BYTES_MAX = 1024 * 1024;

/**
 * Runs the merge. Throws CorruptionError naming the damaged input, or the system's error; then no
 * file of its own is left behind.
 */
export function runMerge(fs: FileSystem, job: MergeJob): JobOutput {
  const runs = job.runs.filter((run) => run.length > 0);
  const inputs = new MergeInputs(fs, job.dir, runs.length);
  const cursors = runs.map((run) => new RunCursor(run, inputs));
  const series = new TableSeries(fs, job.dir, job.outputs, job.table);
  try {
    const merged = new MergeCursor(cursors);
    merged.seekToFirst();
    const entryCount = copyLiveVersions(merged, job, series);
    checkCount(entryCount, job);
    const tables = series.finish();
    const bytesWritten = tables.reduce((sum, table) => sum + table.sizeBytes, 0);
    return { tables, bytesRead: inputs.bytesRead, bytesWritten };
  } catch (error) {
    series.abandon();
    throw error;
  } finally {
    for (const cursor of cursors) cursor.close();
  }
}

/**
 * Moves the versions that must stay from `from`, which is positioned, to `to`; returns how many
 * entries it has seen.
 */
export function copyLiveVersions(
  from: EntryCursor,
  job: Pick<MergeJob, 'snapshots' | 'bottom' | 'nowMs'>,
  to: TableSeries,
): number {
  const key = new KeyMemory();
  let keptStripe = 0;
  let count = 0;
  for (; from.valid; from.next()) {
    count++;
    const stripe = stripeOf(from.sequence, job.snapshots);
    const isNewKey = key.changesTo(from.keyBytes, from.keyStart, from.keyLength);
    if (!isNewKey && stripe === keptStripe) continue;
    keptStripe = stripe;
    const isExpired = from.expiresAtMs !== 0 && from.expiresAtMs <= job.nowMs;
    const isGone = isExpired || from.kind === KIND_DELETE;
    if (isGone && job.bottom && stripe === 0) continue;
    to.add(
      from.keyBytes,
      from.keyStart,
      from.keyLength,
      from.sequence,
      isGone ? KIND_DELETE : from.kind,
      isGone ? 0 : from.expiresAtMs,
      from.valueBytes,
      from.valueStart,
      isGone ? 0 : from.valueLength,
    );
  }
  return count;
}

/** How many open snapshots are too old to see this sequence: 0 = the lowest stripe. */
function stripeOf(sequence: number, snapshots: number[]): number {
  let low = 0;
  let high = snapshots.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (snapshots[middle]! < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
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

/** Remembers the bytes of one key. */
class KeyMemory {
  #bytes = new Uint8Array(256);
  #length = -1;

  /** Takes the key up; true when it is another than before. */
  changesTo(bytes: Uint8Array, start: number, length: number): boolean {
    const known = this.#bytes;
    let i = 0;
    if (length === this.#length) {
      while (i < length && known[i] === bytes[start + i]) i++;
      if (i === length) return false;
    }
    if (length > known.length) {
      this.#bytes = new Uint8Array(length * 2);
      i = 0;
    }
    for (; i < length; i++) this.#bytes[i] = bytes[start + i]!;
    this.#length = length;
    return true;
  }
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
