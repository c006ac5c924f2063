import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { inspectCommand } from '../../src/cli/inspect-command.js';
import { dataDirOnDisk } from '../harness/check-rig.js';
import { copyToDisk } from '../harness/copy-to-disk.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('stormkv inspect');

const DISK = dataDirOnDisk();

function withShard(body: (shardDir: string, fileOf: (start: string) => string) => Promise<void>) {
  return withTempDir((temp) => {
    const dir = join(temp, 'data');
    copyToDisk(DISK, '/data', dir);
    const shard = join(dir, 'shard-000');
    const fileOf = (start: string) => {
      const name = readdirSync(shard).find((each) => each.startsWith(start));
      return join(shard, name ?? '');
    };
    return body(shard, fileOf);
  });
}

async function inspect(kind: string, path: string, options: Record<string, true> = {}) {
  const io = capturedIo();
  const exit = await inspectCommand.run(io, [kind, path], options);
  return { exit, text: io.outText(), lines: io.outText().trimEnd().split('\n') };
}

async function asObjects(kind: string, path: string, options: Record<string, true> = {}) {
  const { exit, lines } = await inspect(kind, path, { json: true, ...options });
  return { exit, objects: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('prints the parts of a table, keys and values only on demand', () =>
  withShard(async (_shard, fileOf) => {
    const path = fileOf('table-');
    const { exit, text } = await inspect('table', path);
    assert.is(exit, EXIT.ok);
    for (const part of ['footer', 'properties', 'index', 'filter', 'block']) {
      assert.match(text, new RegExp(`^${part} `, 'm'));
    }
    assert.not.match(text, /answer|min key|"k/);
    const { objects } = await asObjects('table', path, { keys: true });
    const properties = objects.find(({ what }) => what === 'properties');
    const entries = objects.filter(({ what }) => what === 'put' || what === 'delete');
    assert.is(entries.length, properties?.['entryCount']);
    assert.is(entries[0]?.['key'], properties?.['minKey']);
    assert.ok(entries.some(({ value }) => String(value).includes('answer')));
  }));

test('prints segments and manifests', () =>
  withShard(async (_shard, fileOf) => {
    const wal = await inspect('wal', fileOf('wal-'));
    assert.is(wal.exit, EXIT.ok);
    assert.match(wal.text, /^segment +number \d+/m);
    const frames = await asObjects('wal', fileOf('wal-'), { keys: true });
    const entries = frames.objects.filter(({ what }) => what === 'put' || what === 'delete');
    const counted = frames.objects.reduce((sum, { entries: n }) => sum + Number(n ?? 0), 0);
    assert.is(entries.length, counted);
    const manifest = await inspect('manifest', fileOf('manifest-'));
    assert.is(manifest.exit, EXIT.ok);
    assert.match(manifest.text, /^edit +offset 0, .*^state .*^run /ms);
    assert.not.match(manifest.text, 'min key');
    assert.match((await inspect('manifest', fileOf('manifest-'), { keys: true })).text, 'min key');
  }));

test('prints what can be read of a damaged file, says where the damage is, and exits 5', () =>
  withShard(async (_shard, fileOf) => {
    const path = fileOf('table-');
    const bytes = readFileSync(path);
    bytes[10]! ^= 1;
    writeFileSync(path, bytes);
    const { exit, objects } = await asObjects('table', path);
    assert.is(exit, EXIT.corruption);
    const damage = objects.filter(({ what }) => what === 'damage');
    assert.equal(
      damage.map(({ file, offset }) => [file, offset]),
      [[path, 0]],
    );
    assert.ok(objects.some(({ what, number }) => what === 'block' && number === 1));
    assert.is((await inspect('manifest', path)).exit, EXIT.corruption);
    assert.is((await inspect('wal', path)).exit, EXIT.corruption);
  }));

test('refuses a kind that does not exist and a file that is not there', async () => {
  const isUsage = (error: unknown) =>
    error instanceof StormError && error.code === 'INVALID_ARGUMENT';
  for (const [kind, path] of [
    ['sst', '/dev/null'],
    ['toString', '/dev/null'],
    ['table', '/nowhere/table'],
    ['table', '/'],
  ]) {
    try {
      await inspectCommand.run(capturedIo(), [kind ?? '', path ?? ''], {});
      assert.unreachable();
    } catch (error) {
      assert.ok(isUsage(error), String(error));
    }
  }
});

run();
