/** What an engine says of itself; see shard-stats.ts for what becomes of it. */
import type { Admission } from './admission.js';
import type { Housekeeper } from './housekeeper.js';

type Totals = Housekeeper['totals'];

export interface EngineFigures extends ReturnType<Admission['figures']>, Totals {
  durableSequence: number;
  walLiveBytes: number;
  memTableBytes: number;
  frozenMemTables: number;
  tables: number;
  sortedRuns: number;
  tableBytes: number;
  tableEntries: number;
  mappedTables: number;
}
