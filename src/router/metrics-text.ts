/**
 * The figures of the cluster in Prometheus' text format: pure, from what `stats` answers. Labels
 * are shards, routers and nothing that callers choose, never a key, so the number of series is
 * bounded by the configuration.
 */
import type { ClusterStats } from '../rpc/admin-operations.js';
import type { StatName } from '../rpc/shard-stats.js';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Record<string, string | number>;
type Kind = 'counter' | 'gauge';
/** Name without prefix, kind, counter of the shard, its unit in the metric's, what it tells. */
type Row = readonly [name: string, kind: Kind, stat: StatName, unit: number, help: string];

const MS = 1 / 1000;
const ROWS: readonly Row[] = [
  ['write_requests_total', 'counter', 'writesTotal', 1, 'Writes taken by the shard.'],
  ['write_entries_total', 'counter', 'writeEntriesTotal', 1, 'Entries in the writes taken.'],
  ['writes_refused_total', 'counter', 'writesRefusedTotal', 1, 'Writes refused by the shard.'],
  ['reads_total', 'counter', 'readsTotal', 1, 'Keys read.'],
  ['reads_missed_total', 'counter', 'readsMissedTotal', 1, 'Keys read and not found.'],
  ['wal_groups_total', 'counter', 'groupsTotal', 1, 'Groups written to the WAL.'],
  ['wal_bytes_total', 'counter', 'walBytesTotal', 1, 'Bytes written to the WAL.'],
  ['wal_live_bytes', 'gauge', 'walLiveBytes', 1, 'Bytes of the WAL that are not in tables.'],
  ['memtable_bytes', 'gauge', 'memTableBytes', 1, 'Bytes in the active MemTable.'],
  ['frozen_memtables', 'gauge', 'frozenMemTables', 1, 'MemTables that wait for their flush.'],
  ['sstables', 'gauge', 'tables', 1, 'Tables.'],
  ['sorted_runs', 'gauge', 'sortedRuns', 1, 'Sorted runs.'],
  ['sstable_bytes', 'gauge', 'tableBytes', 1, 'Bytes in tables.'],
  ['flushes_total', 'counter', 'flushesTotal', 1, 'Flushes.'],
  ['flush_bytes_total', 'counter', 'flushBytesTotal', 1, 'Bytes written by flushes.'],
  ['compactions_total', 'counter', 'mergesTotal', 1, 'Merges.'],
  ['compaction_read_bytes_total', 'counter', 'mergeReadBytesTotal', 1, 'Bytes merges have read.'],
  ['compaction_bytes_total', 'counter', 'mergeWrittenBytesTotal', 1, 'Bytes merges have written.'],
  ['compaction_debt_bytes', 'gauge', 'debtBytes', 1, 'What merges due have to read.'],
  ['mmap_live_maps', 'gauge', 'mappedTables', 1, 'Tables that are mapped.'],
  ['pressure_state', 'gauge', 'pressureState', 1, '0 none, 1 delays, 2 holds, 3 refuses writes.'],
  ['write_delay_seconds_total', 'counter', 'delayedMsTotal', MS, 'Time in which writes waited.'],
  ['scrub_bytes_total', 'counter', 'scrubBytesTotal', 1, 'Bytes read again by the scrub.'],
  ['scrub_damage_total', 'counter', 'scrubDamageTotal', 1, 'Damage found by the scrub.'],
  ['damaged_tables', 'gauge', 'damagedTables', 1, 'Tables out of service.'],
];

/** Ends with a line feed, as the format wants it. */
export function metricsText({ process, bounds, routers, shards }: ClusterStats): string {
  const text = new MetricsText();
  text.family('build_info', 'gauge', 'The version that runs.', [[{ version: process.version }, 1]]);
  text.family('uptime_seconds', 'gauge', 'Since the start.', [[{}, process.uptimeMs * MS]]);
  text.family('resident_memory_bytes', 'gauge', 'Of the process.', [[{}, process.rssBytes]]);
  text.family('disk_free_bytes', 'gauge', 'Where the data is.', [[{}, bounds.diskFreeBytes]]);
  text.family('disk_total_bytes', 'gauge', 'Where the data is.', [[{}, bounds.diskTotalBytes]]);
  text.family(
    'inflight_requests',
    'gauge',
    'Calls sent to shards and not yet answered.',
    routers.map(({ router, inFlight }) => [{ router }, inFlight]),
  );
  text.family(
    'shard_up',
    'gauge',
    'Whether the shard serves.',
    shards.map(({ shard, state }) => [{ shard }, Number(state === 'serving')]),
  );
  text.family(
    'shard_restarts_total',
    'counter',
    'Lives of the shard after its first.',
    shards.map(({ shard, epoch }) => [{ shard }, Math.max(0, epoch - 1)]),
  );
  for (const [name, kind, stat, unit, help] of ROWS) {
    const samples = shards.map(
      ({ shard, counters }): Sample => [{ shard }, (counters[stat] ?? 0) * unit],
    );
    text.family(name, kind, help, samples);
  }
  return text.toString();
}

type Sample = readonly [labels: Labels, value: number];

class MetricsText {
  #text = '';

  family(name: string, kind: Kind, help: string, samples: readonly Sample[]): void {
    this.#text += `# HELP stormkv_${name} ${help}\n# TYPE stormkv_${name} ${kind}\n`;
    for (const [labels, value] of samples) {
      this.#text += `stormkv_${name}${labelsText(labels)} ${value}\n`;
    }
  }

  toString(): string {
    return this.#text;
  }
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string | number): string {
  return String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
