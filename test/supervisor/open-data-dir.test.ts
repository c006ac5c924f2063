import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { systemRandom } from '../../src/base/random.js';
import { configWith } from '../../src/config/load-config.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { openDataDir } from '../../src/supervisor/open-data-dir.js';
import { systemTimers } from '../../src/supervisor/timers.js';
import { ManualClock } from '../harness/manual-clock.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('openDataDir');
const ENV = {
  fs: nodeFileSystem,
  clock: new ManualClock(),
  timers: systemTimers,
  random: systemRandom,
};
const MIB = 1024 * 1024;
const configOf = (dir: string, count: number, bytesMax = 1024 * MIB) =>
  configWith({ data: { dir }, shards: { count }, memory: { bytesMax } });

test('plans for the shard count that the data dir has', () =>
  withTempDir(async (dir) => {
    const made = await openDataDir(configOf(dir, 3), ENV);
    assert.is(made.plan.shardCount, 3);
    await made.releaseLock();
    const opened = await openDataDir(configOf(dir, 0), ENV);
    assert.is(opened.plan.shardCount, 3);
    assert.is(opened.root.storeUuid, made.root.storeUuid);
    await opened.releaseLock();
  }));

test('writes nothing into a new data dir that does not fit the memory', () =>
  withTempDir(async (parent) => {
    const dir = join(parent, 'data');
    const error: unknown = await openDataDir(configOf(dir, 200, 64 * MIB), ENV).catch((e) => e);
    assert.match(String(error), /memory\.bytesMax is too small for 200 shards/);
    assert.equal(readdirSync(dir), [], 'and the lock is released');
  }));

test('holds the lock until it is released', () =>
  withTempDir(async (dir) => {
    const first = await openDataDir(configOf(dir, 2), ENV);
    const error: unknown = await openDataDir(configOf(dir, 2), ENV).catch((e) => e);
    assert.match(String(error), /belongs to process/);
    await first.releaseLock();
    const second = await openDataDir(configOf(dir, 2), ENV);
    await second.releaseLock();
  }));

run();
