import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { systemRandom } from '../../src/base/random.js';
import { systemClock } from '../../src/base/system-clock.js';
import { checkCommand } from '../../src/cli/check-command.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { DataDirLock } from '../../src/supervisor/data-dir-lock.js';
import { systemTimers } from '../../src/supervisor/timers.js';
import { dataDirOnDisk } from '../harness/check-rig.js';
import { copyToDisk } from '../harness/copy-to-disk.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('stormkv check');

const DISK = dataDirOnDisk();
const byText = (a: string, b: string) => (a < b ? -1 : 1);

function withDataDir(body: (dir: string) => Promise<void>) {
  return withTempDir((temp) => {
    const dir = join(temp, 'data');
    copyToDisk(DISK, '/data', dir);
    return body(dir);
  });
}

async function check(dir: string, options: Record<string, true> = {}) {
  const io = capturedIo();
  const exit = await checkCommand.run(io, [dir], options);
  return { exit, text: io.outText() };
}

/** Every file and folder below, with its size and the time of its last change. */
function listing(dir: string): string[] {
  return (readdirSync(dir, { recursive: true }) as string[]).sort(byText).map((name) => {
    const { size, mtimeMs, ctimeMs } = statSync(join(dir, name));
    return `${name} ${size} ${mtimeMs} ${ctimeMs}`;
  });
}

test('finds a sound data dir sound and changes nothing in it', () =>
  withDataDir(async (dir) => {
    const before = listing(dir);
    const { exit, text } = await check(dir);
    assert.is(exit, EXIT.ok);
    assert.match(text, /^No damage \(0 notices\) in 1 shards: \d+ tables with \d+ entries/);
    assert.equal(listing(dir), before);
  }));

test('lists all damage with file and offset, exits 5, and changes nothing', () =>
  withDataDir(async (dir) => {
    const shard = join(dir, 'shard-000');
    const tables = readdirSync(shard).filter((name) => name.startsWith('table-'));
    for (const name of tables) {
      const bytes = readFileSync(join(shard, name));
      bytes[30]! ^= 1;
      writeFileSync(join(shard, name), bytes);
    }
    const before = listing(dir);
    const { exit, text } = await check(dir);
    assert.is(exit, EXIT.corruption);
    for (const name of tables) assert.match(text, `DAMAGE  ${join(shard, name)} at 0: `);
    const json = JSON.parse((await check(dir, { json: true })).text);
    assert.is(json.ok, false);
    assert.is(json.damaged, tables.length);
    assert.is(json.totals.tables, tables.length);
    assert.is(json.findings[0].severity, 'damage');
    assert.equal(listing(dir), before);
  }));

test('refuses a data dir in use, and one that does not exist', () =>
  withDataDir(async (dir) => {
    const refusedWith = async (path: string) => {
      try {
        await checkCommand.run(capturedIo(), [path], {});
        return 'nothing';
      } catch (error) {
        return error instanceof StormError ? error.code : String(error);
      }
    };
    const env = { clock: systemClock, random: systemRandom, timers: systemTimers };
    const lock = await DataDirLock.acquire(dir, env);
    assert.is(await refusedWith(dir), 'FAILED_PRECONDITION');
    await lock.release();
    assert.is((await check(dir)).exit, EXIT.ok);
    assert.is(await refusedWith(join(dir, 'nowhere')), 'INVALID_ARGUMENT');
  }));

run();
