import * as assert from 'uvu/assert';
import { metricsText } from '../../src/router/metrics-text.js';
import { clusterStats, shardSituation } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('metrics-text');

const SAMPLE = /^(stormkv_[a-z_]+)((?:\{[a-z]+="(?:[^"\\]|\\.)*"(?:,[a-z]+="[^"]*")*\})?) (\S+)$/;

/** Series by name and labels; throws on a line that is not of the text format. */
function parse(text: string): Map<string, number> {
  const series = new Map<string, number>();
  let family = '';
  assert.ok(text.endsWith('\n'));
  for (const line of text.slice(0, -1).split('\n')) {
    if (line.startsWith('# HELP ')) continue;
    if (line.startsWith('# TYPE ')) {
      const [, , name = '', kind] = line.split(' ');
      assert.ok(kind === 'gauge' || kind === 'counter', line);
      assert.is(name.endsWith('_total'), kind === 'counter', line);
      family = name;
      continue;
    }
    const [, name = '', labels = '', value] = SAMPLE.exec(line) ?? [];
    assert.is(name, family, line);
    assert.ok(Number.isFinite(Number(value)), line);
    assert.not(series.has(name + labels), line);
    series.set(name + labels, Number(value));
  }
  return series;
}

test('metricsText tells every shard and router, in base units', () => {
  const shards = [
    shardSituation(0, { walBytesTotal: 4096, delayedMsTotal: 1500 }),
    shardSituation(1, { tables: 3 }, { state: 'recovering', epoch: 3 }),
  ];
  const series = parse(metricsText(clusterStats(shards)));
  assert.is(series.get('stormkv_build_info{version="1.2.3"}'), 1);
  assert.is(series.get('stormkv_uptime_seconds'), 61.5005);
  assert.is(series.get('stormkv_inflight_requests{router="0"}'), 3);
  assert.is(series.get('stormkv_wal_bytes_total{shard="0"}'), 4096);
  assert.is(series.get('stormkv_write_delay_seconds_total{shard="0"}'), 1.5);
  assert.is(series.get('stormkv_sstables{shard="1"}'), 3);
  assert.is(series.get('stormkv_shard_up{shard="0"}'), 1);
  assert.is(series.get('stormkv_shard_up{shard="1"}'), 0);
  assert.is(series.get('stormkv_shard_restarts_total{shard="1"}'), 2);
});

test('metricsText escapes what would end a label', () => {
  const stats = clusterStats([]);
  const odd = { ...stats, process: { ...stats.process, version: 'a"b\\c\nd' } };
  assert.ok(metricsText(odd).includes('stormkv_build_info{version="a\\"b\\\\c\\nd"} 1\n'));
});

run();
