import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { dataDirOnDisk } from '../harness/check-rig.js';
import { copyToDisk } from '../harness/copy-to-disk.js';
import { shardSituation } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { callCommand as call, inStore } from './cli-rig.js';

const { test, run } = suite('stormkv stats');

test(
  'stats prints tables for people, and the same as JSON',
  inStore(async ({ admin }, at) => {
    admin.shards = [shardSituation(0, { tables: 17 }), shardSituation(1)];
    const { exit, out } = await call(['stats', ...at]);
    assert.is(exit, EXIT.ok);
    assert.match(out, /^stormkv 1\.2\.3 {2}pid 4711 /);
    assert.match(out, /^0 {2,}17 /m);
    const json = await call(['stats', '--json', ...at]);
    const found = JSON.parse(json.out);
    assert.equal(found.shards, admin.shards);
    assert.equal(found.routers, [{ router: 0, draining: false, inFlight: 3 }]);
  }),
);

test(
  'stats --watch looks again, with rates, and goes on when the server does not answer',
  inStore(async ({ admin }, at) => {
    const watched = call(['stats', '--watch', '1', '--count', '3', ...at]);
    while (admin.timeouts.length < 1) await new Promise(setImmediate);
    admin.failWith = new StormError('UNAVAILABLE', 'The server is stopping');
    while (admin.timeouts.length < 2) await new Promise((soon) => setTimeout(soon, 5));
    admin.failWith = undefined;
    const { exit, out, said } = await watched;
    assert.is(exit, EXIT.ok);
    assert.equal(said, ['The server is stopping; looking again']);
    assert.is(out.match(/^stormkv /gm)?.length, 2);
    assert.match(out, /per second/);
    assert.not(out.includes('\x1b'), 'no terminal, no control characters');
  }),
);

test(
  'stats tells failures by its exit code, and what to do',
  inStore(async ({ admin }, at) => {
    admin.failWith = new StormError('DEADLINE_EXCEEDED', 'too busy');
    const late = await call(['stats', ...at]);
    assert.equal([late.exit, late.out], [EXIT.unavailable, '']);
    const gone = await call(['stats', '--target', '127.0.0.1:1', '--timeout-ms', '300']);
    assert.is(gone.exit, EXIT.unavailable);
    assert.match(gone.said.join(), /stormkv serve|in time|Deadline/);
    for (const wrong of [
      ['--watch', '0'],
      ['--watch', 'often'],
      ['--count', '2'],
      ['./data', '--watch'],
    ]) {
      const { exit, out } = await call(['stats', ...wrong, ...at]);
      assert.equal([exit, out], [EXIT.usage, ''], wrong.join(' '));
    }
  }),
);

test('stats of a data dir says what it holds, and opens nothing', () =>
  withTempDir(async (temp) => {
    const dir = join(temp, 'data');
    copyToDisk(dataDirOnDisk(), '/data', dir);
    const { exit, out } = await call(['stats', dir]);
    assert.is(exit, EXIT.ok);
    assert.match(out, /^shard {2,}tables {2,}runs {2,}entries/);
    const json = await call(['stats', dir, '--json']);
    const [shard] = JSON.parse(json.out).shards;
    assert.ok(shard.tables > 0 && shard.tableEntries > 0 && shard.fileBytes > shard.tableBytes);
    const none = await call(['stats', join(temp, 'nothing')]);
    assert.is(none.exit, EXIT.usage);
    assert.match(none.said.join(), /There is no data dir/);
    const empty = await call(['stats', temp]);
    assert.is(empty.exit, EXIT.usage);
    assert.match(empty.said.join(), /is no data dir/);
  }));

run();
