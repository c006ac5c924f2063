/** `stormkv reshard` on a real disk, killed at random moments, and what a server says then. */
import { spawn } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { RunBuilder } from '../../src/base/run-builder.js';
import { systemClock } from '../../src/base/system-clock.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { KvClient } from '../../src/cli/kv-client.js';
import { reshardCommand } from '../../src/cli/reshard-command.js';
import { storedEntries } from '../../src/offline/stored-entries.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { finishReshard } from '../../src/storage/reshard-switch.js';
import { readRoot } from '../../src/storage/root-manifest.js';
import { smallConfig, withCluster } from '../cluster/cluster-rig.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('stormkv reshard');
/** The long run: RESHARD_KILLS=30. */
const KILLS = Number(process.env['RESHARD_KILLS'] ?? 3);
const KEYS = Number(process.env['RESHARD_KEYS'] ?? 3000);
const COMMAND = fileURLToPath(new URL('../../src/cli/stormkv.js', import.meta.url));

async function filled(dir: string): Promise<void> {
  await withCluster(smallConfig(dir, 4), async ({ grpcAddress }) => {
    const client = new KvClient(grpcAddress, 60_000, systemClock.wallMs);
    for (let from = 0; from < KEYS; from += 500) {
      const builder = new RunBuilder();
      for (let i = from; i < Math.min(KEYS, from + 500); i++) {
        builder.put(Buffer.from(`{p${i % 31}}/k${i}`), Buffer.from(`value of ${i}`));
      }
      assert.equal((await client.batchSetRun(builder.runView())).errors, []);
    }
    client.close();
  });
}

function contentOf(dir: string): string[] {
  const found: string[] = [];
  const what = { prefix: Buffer.alloc(0), nowMs: 1 };
  for (const e of storedEntries(nodeFileSystem, dir, what)) {
    const key = Buffer.from(e.keyBytes.subarray(e.keyStart, e.keyStart + e.keyLength));
    const value = e.valueBytes.subarray(e.valueStart, e.valueStart + e.valueLength);
    found.push(`${key} ${e.sequence} ${Buffer.from(value)}`);
  }
  return found.sort((a, b) => (a < b ? -1 : 1));
}

async function call(dir: string, options: Record<string, string | true>) {
  const io = capturedIo();
  const exit = await reshardCommand.run(io, [dir], options);
  return { exit, text: io.outText() };
}

/** Runs the command in a process that is killed after so long, unless it is done before. */
function killedAfter(ms: number, dir: string, shards: number): Promise<void> {
  const args = [COMMAND, 'reshard', dir, '--shards', String(shards), '--yes'];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), ms);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

test('says what it would do, does it with --yes, and a server serves the same', () =>
  withTempDir(async (temp) => {
    const dir = join(temp, 'data');
    await filled(dir);
    const before = contentOf(dir);
    const plan = await call(dir, { shards: '3', json: true });
    const planned = JSON.parse(plan.text);
    assert.equal([planned.done, planned.fromShards, planned.toShards], [false, 4, 3]);
    assert.match((await call(dir, { shards: '3', yes: true, dryRun: true })).text, 'Nothing was');
    assert.is(readRoot(nodeFileSystem, dir)?.shardCount, 4);
    const done = await call(dir, { shards: '3', yes: true });
    assert.is(done.exit, EXIT.ok);
    assert.match(done.text, /4 shards became 3 with 3000 entries/);
    assert.equal(contentOf(dir), before);
    await withCluster(smallConfig(dir, 3), async ({ grpcAddress }) => {
      const client = new KvClient(grpcAddress, 60_000, systemClock.wallMs);
      const found = await client.getVersioned('{p5}/k5');
      const [version] = before.filter((line) => line.startsWith('{p5}/k5 '));
      assert.is(`{p5}/k5 ${found?.version} ${found?.value}`, version);
      const versions = before.map((line) => Number(line.split(' ')[1]));
      assert.ok((await client.setVersioned('{p5}/k5', Buffer.from('x'))) > Math.max(...versions));
      client.close();
    });
  }));

test(
  'killed at any moment, the data dir is the old store or the new one, whole',
  () =>
    withTempDir(async (temp) => {
      const source = join(temp, 'source');
      await filled(source);
      const before = contentOf(source);
      const wholeMs = await (async () => {
        const dir = join(temp, 'rehearsal');
        cpSync(source, dir, { recursive: true });
        const begunMs = performance.now();
        await killedAfter(600_000, dir, 7);
        assert.is(readRoot(nodeFileSystem, dir)?.shardCount, 7);
        return performance.now() - begunMs;
      })();
      const random = new SeededRandom(5);
      const counts: Record<number, number> = {};
      for (let kill = 0; kill < KILLS; kill++) {
        const dir = join(temp, `kill-${kill}`);
        cpSync(source, dir, { recursive: true });
        // Before it has begun there is nothing to break.
        await killedAfter(wholeMs * (0.35 + (0.65 * random.nextInt(1000)) / 1000), dir, 7);
        finishReshard(nodeFileSystem, dir);
        const shardCount = readRoot(nodeFileSystem, dir)?.shardCount ?? 0;
        counts[shardCount] = (counts[shardCount] ?? 0) + 1;
        assert.equal(contentOf(dir), before);
      }
      console.log(`RIG reshard-kill ${JSON.stringify({ kills: KILLS, shardCounts: counts })}`);
      assert.equal(
        Object.keys(counts).filter((count) => count !== '4' && count !== '7'),
        [],
      );
    }),
  3_600_000,
);

test('without a number, on no data dir, and with one out of range it refuses', () =>
  withTempDir(async (dir) => {
    const refused = async (path: string, options: Record<string, string>, why: RegExp) => {
      try {
        await call(path, options);
        assert.unreachable();
      } catch (error) {
        assert.match(String(error), why);
      }
    };
    await refused(dir, {}, /--shards/);
    await refused(dir, { shards: '0' }, /--shards must be/);
    await refused(dir, { shards: '2' }, /is no data dir/);
    await refused(join(dir, 'none'), { shards: '2' }, /There is no data dir/);
  }));

run();
