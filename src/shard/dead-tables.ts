/**
 * What the tables of a version say of their entries without being read: which of them hold nothing
 * that counts any more, and the figures that the picker decides by. Pure functions.
 */
import type { TableMeta } from '../base/table-meta.js';
import { compareBytes } from '../storage/key-bytes.js';
import type { RunFigures } from './compaction-picker.js';

/** A sorted run: tables ascending by key, with disjoint ranges. */
export interface RunTables {
  readonly id: number;
  readonly tables: readonly TableMeta[];
}

/**
 * The tables that may be dropped unread at `nowMs`, of runs newest first: their entries are all
 * tombstones or have expired, and no older run holds a key of their range, so nothing that they
 * hide can come back. Open snapshots change nothing: expiry is judged by the present for them too,
 * and what hides nothing is not missed. What `isBusy` stays, and counts as an older run.
 */
export function deadTables<Run extends RunTables>(
  runs: readonly Run[],
  nowMs: number,
  isBusy: (run: Run) => boolean,
): TableMeta[] {
  const dead: TableMeta[] = [];
  const older: TableMeta[] = [];
  for (const run of runs.toReversed()) {
    const stay = run.tables.filter(
      (table) => isBusy(run) || !isDead(table, nowMs) || older.some((one) => overlap(one, table)),
    );
    if (stay.length < run.tables.length) {
      const staying = new Set(stay);
      dead.push(...run.tables.filter((table) => !staying.has(table)));
    }
    older.push(...stay);
  }
  return dead;
}

/**
 * `oldestSnapshot`: the sequence number of the oldest open one; Infinity without any. `shadowed`:
 * versions that were kept for a snapshot.
 */
export function runFigures(
  tables: readonly TableMeta[],
  nowMs: number,
  oldestSnapshot: number,
  isBusy: boolean,
  shadowed = 0,
): RunFigures {
  const figures = { sizeBytes: 0, entryCount: 0, tombstoneCount: 0, expiredCount: 0 };
  const isHeld = tables.some(({ maxSequence }) => maxSequence > oldestSnapshot);
  const shadowedCount = isHeld ? 0 : shadowed;
  for (const table of tables) {
    figures.sizeBytes += table.sizeBytes;
    figures.entryCount += table.entryCount;
    // A merge keeps the others as long as the snapshot is open: they are no reason for one.
    if (table.maxSequence <= oldestSnapshot) figures.tombstoneCount += table.tombstoneCount;
    figures.expiredCount += expiredCount(table, nowMs);
  }
  return { ...figures, shadowedCount, isBusy };
}

/** Tombstones never expire: they count among the immortal entries. */
function isDead(table: TableMeta, nowMs: number): boolean {
  return table.immortalCount === table.tombstoneCount && table.maxExpiresAtMs <= nowMs;
}

/** As if the expiries lay evenly between the earliest and the latest one. */
function expiredCount(table: TableMeta, nowMs: number): number {
  const { minExpiresAtMs, maxExpiresAtMs } = table;
  const mortal = table.entryCount - table.immortalCount;
  if (mortal === 0 || nowMs < minExpiresAtMs) return 0;
  if (nowMs >= maxExpiresAtMs) return mortal;
  return Math.floor((mortal * (nowMs - minExpiresAtMs)) / (maxExpiresAtMs - minExpiresAtMs));
}

function overlap(a: TableMeta, b: TableMeta): boolean {
  return compare(a.minKey, b.maxKey) <= 0 && compare(b.minKey, a.maxKey) <= 0;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}
