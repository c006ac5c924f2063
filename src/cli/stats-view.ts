/**
 * The figures of a server as text. Shards are rows, so that any number of them fits a terminal;
 * what goes together is one table. Pure; with an earlier look, rates instead of totals.
 */
import type { ClusterStats, ShardSituation } from '../rpc/admin-operations.js';
import { PRESSURE_REASONS, PRESSURE_STATES } from '../rpc/shard-stats.js';
import { type Align, textTable } from './text-table.js';

/** Two looks at a server, so far apart. */
export interface Earlier {
  stats: ClusterStats;
  elapsedMs: number;
}

type Counters = Readonly<Record<string, number>>;

/** One row: a shard, or all of them. */
interface Row {
  shard: ShardSituation | undefined;
  now: Counters;
  /** Of the same shard; undefined on the first look. */
  before: Counters | undefined;
  elapsedMs: number;
  bounds: ClusterStats['bounds'];
  /** How many shards it stands for. */
  count: number;
}

interface Column {
  head: string;
  text: (row: Row) => string;
  align?: Align;
  /** Only where the server has a counter of this name. */
  needs?: string;
}

const STATE: readonly Column[] = [
  { head: 'state', text: ({ shard }) => shard?.state ?? '', align: 'left' },
  { head: 'life', text: ({ shard }) => (shard === undefined ? '' : String(shard.epoch)) },
  { head: 'recovered in', text: ({ shard }) => (shard === undefined ? '' : recoveryOf(shard)) },
  { head: 'writes', text: (row) => flow(row, 'writeEntriesTotal') },
  { head: 'refused', text: (row) => flow(row, 'writesRefusedTotal') },
  { head: 'reads', text: (row) => flow(row, 'readsTotal') },
  { head: 'missed', text: (row) => flow(row, 'readsMissedTotal') },
  { head: 'per sync', text: ({ now }) => ratio(now, ['writeEntriesTotal'], ['groupsTotal']) },
];

const MEMORY: readonly Column[] = [
  { head: 'log', text: ({ now }) => bytes(now['walLiveBytes']) },
  { head: 'of', text: ({ bounds, count }) => bytes(bounds.walLiveBytesMax * count) },
  { head: 'MemTable', text: memTableFill },
  { head: 'frozen', text: ({ now }) => whole(now['frozenMemTables']) },
  { head: 'pressure', text: pressureOf, align: 'left', needs: 'pressureState' },
  { head: 'delayed', text: (row) => flow(row, 'delayedGroupsTotal'), needs: 'delayedGroupsTotal' },
  { head: 'merges owed', text: ({ now }) => bytes(now['debtBytes']), needs: 'debtBytes' },
];

const TABLES: readonly Column[] = [
  { head: 'tables', text: ({ now }) => whole(now['tables']) },
  { head: 'runs', text: ({ now }) => whole(now['sortedRuns']) },
  { head: 'entries', text: ({ now }) => whole(now['tableEntries']) },
  { head: 'on disk', text: ({ now }) => bytes(now['tableBytes']) },
  { head: 'flushes', text: (row) => flow(row, 'flushesTotal') },
  { head: 'flushed', text: (row) => flow(row, 'flushBytesTotal', bytes) },
  { head: 'merges', text: (row) => flow(row, 'mergesTotal') },
  { head: 'merged', text: (row) => flow(row, 'mergeWrittenBytesTotal', bytes) },
  { head: 'amplification', text: ({ now }) => ratio(now, WRITTEN, ['walBytesTotal'], 2) },
];
/** What tables cost in writing, for each byte that came in. */
const WRITTEN = ['flushBytesTotal', 'mergeWrittenBytesTotal'];

/** Ends with a line end. */
export function statsText(stats: ClusterStats, earlier?: Earlier): string {
  const rows = rowsOf(stats, earlier);
  const parts = [headline(stats), ...[STATE, MEMORY, TABLES].map((table) => tableOf(table, rows))];
  if (earlier !== undefined) parts.push('Writes, reads, flushes and merges are per second.');
  const troubles = stats.shards
    .filter(({ reason }) => reason !== '')
    .map(({ shard, state, reason }) => `shard ${shard} is ${state}: ${reason}`);
  if (troubles.length > 0) parts.push(troubles.join('\n'));
  return `${parts.join('\n\n')}\n`;
}

function headline({ process, bounds, routers }: ClusterStats): string {
  const inFlight = routers.reduce((sum, router) => sum + router.inFlight, 0);
  const disk = `disk ${bytes(bounds.diskFreeBytes)} free of ${bytes(bounds.diskTotalBytes)}`;
  const { version, pid, uptimeMs, rssBytes } = process;
  const what = `stormkv ${version}  pid ${pid}  up ${duration(uptimeMs)}`;
  return `${what}  memory ${bytes(rssBytes)}  ${disk}  calls in flight ${whole(inFlight)}`;
}

function rowsOf(stats: ClusterStats, earlier: Earlier | undefined): Row[] {
  const { bounds, shards } = stats;
  // Of another life of the process, figures begin again.
  const isSame = earlier?.stats.process.pid === stats.process.pid;
  const past = isSame ? earlier?.stats.shards : undefined;
  const common = { bounds, elapsedMs: earlier?.elapsedMs ?? 0 };
  const rows = shards.map((shard): Row => {
    const before = past?.find((one) => one.shard === shard.shard)?.counters;
    return { ...common, shard, now: shard.counters, before, count: 1 };
  });
  if (rows.length < 2) return rows;
  const before = past === undefined ? undefined : sumOf(past);
  rows.push({ ...common, shard: undefined, now: sumOf(shards), before, count: rows.length });
  return rows;
}

function sumOf(shards: readonly ShardSituation[]): Counters {
  const sum: Record<string, number> = {};
  for (const { counters } of shards) {
    for (const [name, value] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + value;
  }
  return sum;
}

function tableOf(columns: readonly Column[], rows: readonly Row[]): string {
  const has = (name: string): boolean => rows.some(({ now }) => name in now);
  const shown = columns.filter(({ needs }) => needs === undefined || has(needs));
  const heads = ['shard', ...shown.map(({ head }) => head)];
  const lines = rows.map((row) => [
    row.shard === undefined ? 'all' : String(row.shard.shard),
    ...shown.map(({ text }) => text(row)),
  ]);
  return textTable([heads, ...lines], ['left', ...shown.map(({ align }) => align ?? 'right')]);
}

/** A total, or with an earlier look its growth per second. */
function flow(
  { now, before, elapsedMs }: Row,
  name: string,
  form: (value: number | undefined) => string = whole,
): string {
  if (before === undefined || elapsedMs <= 0) return form(now[name]);
  const growth = Math.max(0, (now[name] ?? 0) - (before[name] ?? 0));
  return `${form((growth * 1000) / elapsedMs)}/s`;
}

function ratio(
  now: Counters,
  above: readonly string[],
  below: readonly string[],
  digits = 1,
): string {
  const sum = (names: readonly string[]) =>
    names.reduce((total, name) => total + (now[name] ?? 0), 0);
  const divisor = sum(below);
  return divisor === 0 ? '-' : (sum(above) / divisor).toFixed(digits);
}

function memTableFill({ now, bounds, count }: Row): string {
  const all = bounds.memTableBytesMax * count;
  return all === 0 ? '-' : `${Math.round(((now['memTableBytes'] ?? 0) * 100) / all)} %`;
}

function pressureOf({ shard, now }: Row): string {
  if (shard === undefined) return '';
  const state = nameOf(PRESSURE_STATES, now['pressureState']);
  const reason = nameOf(PRESSURE_REASONS, now['pressureReason']);
  return reason === '' ? state : `${state}: ${reason}`;
}

/** A server that is newer may have more. */
function nameOf(names: readonly string[], value = 0): string {
  return names[value] ?? String(value);
}

function recoveryOf({ recoveries, recoveryMs, recoveredRecords }: ShardSituation): string {
  if (recoveries === 0) return '-';
  return `${whole(recoveryMs)} ms, ${whole(recoveredRecords)} records`;
}

export function whole(value = 0): string {
  return Math.round(value).toLocaleString('en-US');
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Three significant digits at most before the unit. */
export function bytes(value = 0): string {
  let rest = value;
  let unit = 0;
  for (; rest >= 1024 && unit < UNITS.length - 1; unit++) rest /= 1024;
  return `${unit === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${UNITS[unit]}`;
}

function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes === 0) return `${seconds} s`;
  if (hours === 0) return `${minutes} min ${seconds % 60} s`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}
