import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { CommandSpec, OptionValues } from '../../src/cli/command.js';
import { compactCommand } from '../../src/cli/compact-command.js';
import { readLocalFile, writeLocalFile } from '../../src/cli/local-files.js';
import { reshardCommand } from '../../src/cli/reshard-command.js';
import { salvageCommand } from '../../src/cli/salvage-command.js';
import { storageConfig } from '../../src/cli/storage-config.js';
import { put, smallConfig, withCluster } from '../cluster/cluster-rig.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('storageConfig');
const KIB = 1024;

function ioOf(env: Record<string, string> = {}) {
  return capturedIo({ env, readFile: readLocalFile });
}

/** A file with small tables, and its name. */
function smallTables(temp: string): string {
  const config = join(temp, 'small.json');
  const table = { bytesMax: 64 * KIB, compression: 'none' };
  writeLocalFile(config, JSON.stringify({ ...smallConfig(temp), table }));
  return config;
}

test('is what the server would have: file, environment, defaults', () =>
  withTempDir((temp) => {
    const config = smallTables(temp);
    const { table, walSegmentBytes } = storageConfig(
      ioOf({ STORMKV_TABLE_BLOCK_BYTES: '8192', STORMKV_TABLE_BYTES_MAX: '131072' }),
      { config },
    );
    assert.is(walSegmentBytes, 512 * KIB);
    assert.is(table.compression, 'none');
    assert.equal([table.blockBytes, table.tableBytesMax], [8192, 128 * KIB]);
    assert.is(table.bloomBitsPerKey, 10);
  }));

test('refuses a file that is missing or wrong, before anything is opened', () =>
  withTempDir(async (temp) => {
    const config = join(temp, 'wrong.json');
    const asked = (): unknown => storageConfig(ioOf(), { config });
    assert.throws(asked, /Cannot read/);
    writeLocalFile(config, '{"table":{"bytesMax":"much"}}');
    assert.throws(asked, /table\.bytesMax/);
    try {
      await reshardCommand.run(ioOf(), [join(temp, 'none')], { shards: '2', config });
      assert.unreachable();
    } catch (error) {
      assert.match(String(error), /table\.bytesMax/);
    }
  }));

/** How many tables lie below. */
function tablesIn(dir: string): number {
  const names = readdirSync(dir, { recursive: true }) as string[];
  return names.filter((name) => name.endsWith('.sst')).length;
}

test('reshard, compact and salvage write tables of the configured size', () =>
  withTempDir(async (temp) => {
    const config = smallTables(temp);
    const dir = join(temp, 'data');
    await withCluster(smallConfig(dir, 1), async (cluster) => {
      for (let i = 0; i < 20; i++) {
        assert.is(await put(cluster, `k${i}`, `${i} `.repeat(10_000)), 200);
      }
    });
    const call = async (command: CommandSpec, args: string[], options: OptionValues) => {
      const io = ioOf();
      assert.is(await command.run(io, args, { ...options, config }), 0, io.said.join());
    };
    const bytes = 20 * 20_000;
    await call(compactCommand, [dir], { yes: true });
    assert.ok(tablesIn(dir) > bytes / (128 * KIB), `${tablesIn(dir)} tables`);
    await call(reshardCommand, [dir], { shards: '2', yes: true });
    assert.ok(tablesIn(dir) > bytes / (128 * KIB), `${tablesIn(dir)} tables`);
    const saved = join(temp, 'saved');
    await call(salvageCommand, [dir, saved], { acceptLoss: true });
    assert.ok(tablesIn(saved) > bytes / (128 * KIB), `${tablesIn(saved)} tables`);
  }));

run();
