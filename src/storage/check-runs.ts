/** The invariants of a manifest's state that reading alone does not prove. Pure. */
import { compareBytes } from './key-bytes.js';
import type { PlacedTable } from './manifest-format.js';
import { type ManifestState, type SortedRun, tablesOf } from './manifest-state.js';

/** What is wrong with the state; empty for a sound one. */
export function checkRuns(state: ManifestState): string[] {
  const wrong: string[] = [];
  for (const { id, tables } of state.runs) {
    tables.forEach((table, i) => {
      const next = tables[i + 1];
      if (compare(table.minKey, table.maxKey) > 0) {
        wrong.push(`Table ${table.number} ends before it begins`);
      }
      if (next !== undefined && compare(table.maxKey, next.minKey) >= 0) {
        wrong.push(`Tables ${table.number} and ${next.number} of run ${id} overlap`);
      }
    });
  }
  for (const { number, maxSequence, minSequence } of tablesOf(state)) {
    if (number >= state.nextNumber) {
      wrong.push(`Table ${number} bears a number that was never reserved`);
    }
    if (maxSequence > state.flushedSequence || minSequence > maxSequence) {
      wrong.push(
        `Table ${number} holds sequences ${minSequence} to ${maxSequence}, ` +
          `flushed are those to ${state.flushedSequence}`,
      );
    }
  }
  state.runs.forEach((newer, i) => {
    for (const older of state.runs.slice(i + 1)) wrong.push(...disorder(newer, older));
  });
  return wrong;
}

/**
 * A lookup takes the first version that it finds, newest run first. So wherever keys of two runs
 * may meet, all sequences of the newer one must be above those of the older one.
 */
function disorder(newer: SortedRun, older: SortedRun): string[] {
  const wrong: string[] = [];
  let first = 0;
  for (const table of newer.tables) {
    while (first < older.tables.length && endsBefore(older.tables[first], table)) first++;
    for (let i = first; i < older.tables.length; i++) {
      const other = older.tables[i];
      if (other === undefined || endsBefore(table, other)) break;
      if (table.minSequence > other.maxSequence) continue;
      wrong.push(
        `Table ${table.number} of run ${newer.id} is not newer than table ${other.number} of the ` +
          `older run ${older.id}, though both hold keys of one range`,
      );
    }
  }
  return wrong;
}

function endsBefore(a: PlacedTable | undefined, b: PlacedTable): boolean {
  return a !== undefined && compare(a.maxKey, b.minKey) < 0;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}
