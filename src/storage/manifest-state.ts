/** The state that a manifest describes, as a value: every edit makes a new one. */
import { StormError } from '../base/errors.js';
import type { ManifestEdit, PlacedTable } from './manifest-format.js';

/** Tables with disjoint key ranges, ascending by key; together they hold a span of sequences. */
export interface SortedRun {
  id: number;
  tables: readonly PlacedTable[];
}

export interface ManifestState {
  ownerEpoch: number;
  /** Numbers below are used up. */
  nextNumber: number;
  flushedSequence: number;
  /** How far tables and WAL were durable together; see ManifestEdit. */
  durableSequence: number;
  minSegment: number;
  /** Newest first. */
  runs: readonly SortedRun[];
  /** Numbers of tables that are damaged and out of service; left out: none. */
  damaged?: readonly number[];
}

export const EMPTY_STATE: ManifestState = {
  ownerEpoch: 0,
  nextNumber: 1,
  flushedSequence: 0,
  durableSequence: 0,
  minSegment: 1,
  runs: [],
};

/** The state after `edit`; an edit that contradicts the state throws DATA_CORRUPTION. */
export function applyEdit(state: ManifestState, edit: ManifestEdit): ManifestState {
  const base = edit.snapshot === undefined ? state : EMPTY_STATE;
  const runs = applyTables(base.runs, edit);
  const damaged = damagedOf(base, edit, runs);
  return {
    ownerEpoch: edit.snapshot?.ownerEpoch ?? base.ownerEpoch,
    nextNumber: rising('nextNumber', base.nextNumber, edit.nextNumber),
    flushedSequence: rising('flushedSequence', base.flushedSequence, edit.flushedSequence),
    durableSequence: rising('durableSequence', base.durableSequence, edit.durableSequence),
    minSegment: rising('minSegment', base.minSegment, edit.minSegment),
    runs,
    ...(damaged.length > 0 && { damaged }),
  };
}

/** The edit that describes `state` whole. */
export function snapshotEdit(
  state: ManifestState,
  identity: { shard: number; storeUuid: string; version: number },
): ManifestEdit {
  return {
    snapshot: { ...identity, ownerEpoch: state.ownerEpoch },
    nextNumber: state.nextNumber,
    flushedSequence: state.flushedSequence,
    durableSequence: state.durableSequence,
    minSegment: state.minSegment,
    add: state.runs.flatMap(({ tables }) => tables),
    runs: state.runs.map(({ id }) => id),
    ...(state.damaged !== undefined && { damaged: [...state.damaged] }),
  };
}

export function tablesOf(state: ManifestState): PlacedTable[] {
  return state.runs.flatMap(({ tables }) => tables);
}

function damagedOf(base: ManifestState, edit: ManifestEdit, runs: readonly SortedRun[]): number[] {
  const all = new Set([...(base.damaged ?? []), ...(edit.damaged ?? [])]);
  if (all.size === 0) return [];
  const present = new Set(runs.flatMap(({ tables }) => tables).map((t) => t.number as number));
  const unknown = (edit.damaged ?? []).find((number) => !present.has(number));
  if (unknown !== undefined) throw contradiction(`table ${unknown} is damaged but not there`);
  return [...all].filter((number) => present.has(number)).sort((a, b) => a - b);
}

function rising(name: string, before: number, after: number | undefined): number {
  if (after !== undefined && after < before) {
    throw contradiction(`${name} falls from ${before} to ${after}`);
  }
  return after ?? before;
}

function applyTables(runs: readonly SortedRun[], edit: ManifestEdit): readonly SortedRun[] {
  if (edit.add === undefined && edit.remove === undefined && edit.runs === undefined) return runs;
  const tables = new Map(runs.flatMap((run) => run.tables).map((t) => [t.number as number, t]));
  for (const number of edit.remove ?? []) {
    if (!tables.delete(number)) throw contradiction(`table ${number} is removed but not there`);
  }
  for (const table of edit.add ?? []) {
    if (tables.has(table.number)) throw contradiction(`table ${table.number} is added twice`);
    tables.set(table.number, table);
  }
  const byRun = new Map<number, PlacedTable[]>();
  for (const table of tables.values()) {
    const list = byRun.get(table.run) ?? [];
    list.push(table);
    byRun.set(table.run, list);
  }
  const order = edit.runs ?? runs.map(({ id }) => id).filter((id) => byRun.has(id));
  const result = order.map((id) => sortedRun(id, byRun.get(id)));
  if (result.length !== byRun.size || new Set(order).size !== order.length) {
    throw contradiction(`the runs ${[...byRun.keys()]} are not those listed: ${order}`);
  }
  return result;
}

function sortedRun(id: number, tables: PlacedTable[] | undefined): SortedRun {
  if (tables === undefined) throw contradiction(`run ${id} has no table`);
  tables.sort((a, b) => Buffer.compare(a.minKey, b.minKey));
  tables.forEach((table, i) => {
    const before = tables[i - 1];
    if (before !== undefined && Buffer.compare(before.maxKey, table.minKey) >= 0) {
      throw contradiction(`tables ${before.number} and ${table.number} of run ${id} overlap`);
    }
  });
  return { id, tables };
}

function contradiction(why: string): StormError {
  return new StormError('DATA_CORRUPTION', `The manifest contradicts itself: ${why}`);
}
