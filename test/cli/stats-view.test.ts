import * as assert from 'uvu/assert';
import { bytes, statsText, whole } from '../../src/cli/stats-view.js';
import type { ClusterStats, ShardSituation } from '../../src/rpc/admin-operations.js';
import { clusterStats, shardSituation } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('stats-view');
const MIB = 2 ** 20;

function statsOf(...shards: ShardSituation[]): ClusterStats {
  return clusterStats(shards);
}

/** The cells of the row of a shard in the table that has this column, by column. */
function rowOf(text: string, head: string, shard: string): Record<string, string> {
  const table = text.split('\n\n').find((part) => new RegExp(`\\b${head}\\b`).test(part)) ?? '';
  const cells = (line: string | undefined) => (line ?? '').trim().split(/ {2,}/);
  const lines = table.split('\n').filter((line) => /^(shard|all|\d+) /.test(line));
  const found = cells(lines.find((line) => line.startsWith(`${shard} `)));
  return Object.fromEntries(cells(lines[0]).map((name, i) => [name, found[i] ?? '']));
}

test('begins with the process, its memory and the disk', () => {
  const [line] = statsText(statsOf(shardSituation(0))).split('\n');
  assert.is(
    line,
    'stormkv 1.2.3  pid 4711  up 1 min 1 s  memory 200 MiB' +
      '  disk 10.0 GiB free of 20.0 GiB  calls in flight 3',
  );
});

test('shows totals, fill and write amplification of each shard and of all', () => {
  const busy = {
    writeEntriesTotal: 3000,
    groupsTotal: 100,
    walLiveBytes: 32 * MIB,
    memTableBytes: MIB,
    tableBytes: 5 * MIB,
    walBytesTotal: 10 * MIB,
    flushBytesTotal: 9 * MIB,
    mergeWrittenBytesTotal: 16 * MIB,
  };
  const text = statsText(statsOf(shardSituation(0, busy), shardSituation(1)));
  const first = rowOf(text, 'writes', '0');
  assert.equal([first['state'], first['writes'], first['per sync']], ['serving', '3,000', '30.0']);
  assert.is(first['recovered in'], '12 ms, 7 records');
  const memory = rowOf(text, 'MemTable', '0');
  assert.equal([memory['log'], memory['of'], memory['MemTable']], ['32.0 MiB', '64.0 MiB', '25 %']);
  assert.is(rowOf(text, 'MemTable', 'all')['MemTable'], '13 %');
  assert.is(rowOf(text, 'MemTable', 'all')['of'], '128 MiB');
  assert.is(rowOf(text, 'amplification', '0')['amplification'], '2.50');
  assert.is(rowOf(text, 'amplification', '1')['amplification'], '-');
  assert.is(rowOf(text, 'amplification', 'all')['on disk'], '5.0 MiB');
});

test('shows rates against an earlier look', () => {
  const before = statsOf(shardSituation(0, { writeEntriesTotal: 1000, tables: 4 }));
  const now = statsOf(shardSituation(0, { writeEntriesTotal: 6000, tables: 5 }));
  const text = statsText(now, { stats: before, elapsedMs: 2500 });
  assert.is(rowOf(text, 'writes', '0')['writes'], '2,000/s');
  assert.is(rowOf(text, 'tables', '0')['tables'], '5', 'what is there now is no rate');
  assert.match(text, /per second/);
});

test('begins again with totals when the server was started anew', () => {
  const before = statsOf(shardSituation(0, { writeEntriesTotal: 1000 }));
  const now = statsOf(shardSituation(0, { writeEntriesTotal: 10 }));
  const stats = { ...now, process: { ...now.process, pid: 1 } };
  const text = statsText(stats, { stats: before, elapsedMs: 1000 });
  assert.is(rowOf(text, 'writes', '0')['writes'], '10');
});

test('shows the pressure and its reason, where the server tells them', () => {
  const shard = shardSituation(0);
  const pressed = (state: number, reason: number) => {
    const figures = { pressureState: state, pressureReason: reason, debtBytes: 3 * MIB };
    const counters = { ...shard.counters, ...figures };
    return rowOf(statsText(statsOf({ ...shard, counters })), 'MemTable', '0');
  };
  assert.is(pressed(0, 0)['pressure'], 'none');
  assert.is(pressed(1, 2)['pressure'], 'delaying: sorted-runs');
  assert.is(pressed(1, 2)['merges owed'], '3.0 MiB');
  assert.is(pressed(7, 9)['pressure'], '7: 9', 'names of a newer server');
});

test('says what is wrong with a shard, and has no row for all where there is one', () => {
  const trouble = { state: 'refused', reason: 'table-000004.sst is damaged', recoveries: 0 };
  const text = statsText(statsOf(shardSituation(0, {}, trouble)));
  assert.match(text, /\n\nshard 0 is refused: table-000004\.sst is damaged\n$/);
  assert.is(rowOf(text, 'writes', '0')['recovered in'], '-');
  assert.not.match(text, /^all /m);
});

test('writes numbers for people', () => {
  assert.equal([whole(1_234_567.4), whole(undefined)], ['1,234,567', '0']);
  assert.equal([0, 1023, 1024, 1536, 100 * 1024, 2 ** 40, 2 ** 60].map(bytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '100 KiB',
    '1.0 TiB',
    '1048576 TiB',
  ]);
});

run();
