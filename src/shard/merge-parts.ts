/**
 * Cuts a large merge into parts by key range, each a job of its own, so that a small merge gets its
 * turn in between and several threads can share the work. Pure.
 *
 * The cuts are first keys of tables of the largest run: nothing needs to be read to find them, and
 * where keys are spread alike over the runs, parts of that run mean like parts of all.
 */
import type { TableMeta } from '../base/table-meta.js';
import type { KeyBounds } from '../rpc/jobs.js';
import { compareBytes } from '../storage/key-bytes.js';

export interface MergePart {
  /** Undefined for a merge in one piece. */
  bounds: KeyBounds | undefined;
  /** The tables that may hold keys within the bounds, of each run that has any, newest first. */
  runs: TableMeta[][];
}

/** `partBytes`: what a part should read, about. Together the parts cover every key once. */
export function mergeParts(
  runs: readonly (readonly TableMeta[])[],
  partBytes: number,
): MergePart[] {
  const cuts = cutKeys(runs, partBytes);
  if (cuts.length === 0) return [{ bounds: undefined, runs: runs.map((tables) => [...tables]) }];
  return [undefined, ...cuts].map((from, i) => {
    const to = cuts[i];
    const bounds = { ...(from && { from }), ...(to && { to }) };
    const within = runs.map((tables) => tables.filter((table) => reaches(table, bounds)));
    return { bounds, runs: within.filter((tables) => tables.length > 0) };
  });
}

/** How many output numbers a part of these tables may need, whatever it keeps. */
export function outputsOf(runs: readonly (readonly TableMeta[])[], tableBytesMax: number): number {
  return Math.ceil(bytesOf(runs.flat()) / tableBytesMax) + 1;
}

function cutKeys(runs: readonly (readonly TableMeta[])[], partBytes: number): Uint8Array[] {
  const total = bytesOf(runs.flat());
  const largest = runs.reduce(
    (best, tables) => (bytesOf(tables) > bytesOf(best) ? tables : best),
    runs[0] ?? [],
  );
  const scale = total / Math.max(1, bytesOf(largest));
  const cuts: Uint8Array[] = [];
  let bytes = 0;
  for (const { minKey, sizeBytes } of largest) {
    if (bytes >= partBytes) {
      cuts.push(minKey);
      bytes = 0;
    }
    bytes += sizeBytes * scale;
  }
  return cuts;
}

function reaches({ minKey, maxKey }: TableMeta, { from, to }: KeyBounds): boolean {
  const isBehind = from !== undefined && compare(maxKey, from) < 0;
  const isBefore = to !== undefined && compare(minKey, to) >= 0;
  return !isBehind && !isBefore;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

function bytesOf(tables: readonly TableMeta[]): number {
  return tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
