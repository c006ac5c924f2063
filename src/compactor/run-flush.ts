/** A frozen MemTable becomes tables: its keys sorted, the versions that count written. */
import type { FlushJob, JobOutput } from '../rpc/jobs.js';
import { ArenaCursor } from '../storage/arena-cursor.js';
import type { FileSystem } from '../storage/file-system.js';
import { copyLiveVersions } from './live-versions.js';
import { UNPACED } from './merge-pace.js';
import { MAY_HOLD_ANY } from './older-keys.js';
import { TableSeries } from './write-tables.js';

/** Runs the flush. Throws the system's error; then no file of its own is left behind. */
export function runFlush(fs: FileSystem, job: FlushJob): JobOutput {
  const cursor = new ArenaCursor(job.arena);
  const series = new TableSeries(fs, job.dir, job.outputs, job.table);
  try {
    cursor.seekToFirst();
    // Older tables may hold what a tombstone or an expired entry hides: nothing is dropped here.
    const rules = { snapshots: job.snapshots, nowMs: 0, older: MAY_HOLD_ANY };
    copyLiveVersions(cursor, rules, series, UNPACED);
    const tables = series.finish();
    const bytesWritten = tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { tables, bytesRead: 0, bytesWritten };
  } catch (error) {
    series.abandon();
    throw error;
  }
}
