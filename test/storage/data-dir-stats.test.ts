import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { readDataDirStats } from '../../src/storage/data-dir-stats.js';
import { dataDirOnDisk } from '../harness/check-rig.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('data-dir-stats');

test('agrees with the files of the data dir', () => {
  const disk = dataDirOnDisk();
  const [shard, ...others] = readDataDirStats(disk, '/data');
  assert.equal(others, []);
  assert.ok(shard !== undefined);
  const sizes = disk
    .list('/data/shard-000')
    .map((name) => ({ name, size: disk.contentOf(`/data/shard-000/${name}`).length }));
  const of = (pattern: RegExp) => sizes.filter(({ name }) => pattern.test(name));
  const sum = (files: { size: number }[]) => files.reduce((total, { size }) => total + size, 0);
  assert.is(shard.fileBytes, sum(sizes));
  assert.is(shard.walBytes, sum(of(/\.seg$/)));
  assert.is(shard.walFiles, of(/\.seg$/).length);
  assert.is(shard.tables, of(/\.sst$/).length);
  assert.is(shard.tableBytes, sum(of(/\.sst$/)));
  assert.ok(shard.sortedRuns > 0 && shard.sortedRuns <= shard.tables);
  assert.ok(shard.tombstones < shard.tableEntries);
});

test('refuses a folder that is no data dir, and a damaged manifest', () => {
  assert.throws(() => readDataDirStats(new SimulatedDisk(), '/'), /is no data dir: it has no ROOT/);
  const disk = dataDirOnDisk();
  const name = disk.list('/data/shard-000').find((each) => each.startsWith('manifest-')) ?? '';
  const path = `/data/shard-000/${name}`;
  const bytes = disk.contentOf(path);
  bytes[20]! ^= 1;
  disk.replaceContent(path, bytes);
  assert.throws(
    () => readDataDirStats(disk, '/data'),
    (error: unknown) => error instanceof CorruptionError && error.site.file === path,
  );
});

run();
