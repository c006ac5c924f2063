/** A dump of a server and of its data dir, loaded into others: same content, expiries included. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { RunBuilder } from '../../src/base/run-builder.js';
import { systemClock } from '../../src/base/system-clock.js';
import { dumpCommand } from '../../src/cli/dump-command.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { KvClient } from '../../src/cli/kv-client.js';
import { loadCommand } from '../../src/cli/load-command.js';
import { smallConfig, withCluster } from '../cluster/cluster-rig.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('stormkv dump and load');
/** The long run: DUMP_KEYS=1000000. */
const KEYS = Number(process.env['DUMP_KEYS'] ?? 2000);
const HOUR_MS = 3_600_000;

interface Line {
  key: string;
  value: string;
  version?: number;
  expires_at_ms?: number;
}

/** What a dump says of each key, without versions. */
function contentOf(dump: Buffer): Map<string, { value: string; expiresAtMs: number }> {
  const lines = dump.toString().trimEnd().split('\n').slice(1, -1);
  return new Map(
    lines.map((line) => {
      const { key, value, expires_at_ms: expiresAtMs = 0 } = JSON.parse(line) as Line;
      return [key, { value, expiresAtMs }];
    }),
  );
}

/** The expiry may be later by the way of a write from the loader to its commit, never earlier. */
function assertSame(found: Buffer, wanted: Buffer, laterMsMax: number): void {
  const [a, b] = [contentOf(found), contentOf(wanted)];
  assert.is(a.size, b.size);
  for (const [key, { value, expiresAtMs }] of b) {
    const same = a.get(key);
    assert.is(same?.value, value, key);
    const later = (same?.expiresAtMs ?? -1) - expiresAtMs;
    assert.ok(
      expiresAtMs === 0 ? later === 0 : later >= 0 && later <= laterMsMax,
      `${key} ${later}`,
    );
  }
}

async function dump(args: string[], options: Record<string, string>): Promise<Buffer> {
  const io = capturedIo();
  assert.is(await dumpCommand.run(io, args, { format: 'ndjson', ...options }), EXIT.ok);
  return io.outBytes();
}

async function load(file: string, target: string): Promise<Record<string, unknown>> {
  const io = capturedIo();
  const exit = await loadCommand.run(io, [file], { target, timeoutMs: '60000', json: true });
  return { exit, ...(JSON.parse(io.outText()) as Record<string, unknown>) };
}

/** Random byte strings of 0 to 400 bytes, a third of them with an expiry. */
async function fill(target: string): Promise<void> {
  const random = new SeededRandom(11);
  const client = new KvClient(target, 60_000, systemClock.wallMs);
  let builder = new RunBuilder();
  for (let i = 0; i < KEYS; i++) {
    const value = random.fill(new Uint8Array(random.nextInt(i % 50 === 0 ? 400 : 40)));
    const ttlMs = i % 3 === 0 ? HOUR_MS + random.nextInt(HOUR_MS) : 0;
    builder.put(Buffer.from(`{p${i % 97}}/é${i}`), value, ttlMs);
    if (builder.count < 500 && i < KEYS - 1) continue;
    assert.equal((await client.batchSetRun(builder.runView())).errors, []);
    builder = new RunBuilder();
  }
  await client.set('deleted', Buffer.from('x'));
  await client.delete('deleted');
  client.close();
}

test(
  'what was dumped and loaded is the same, from a server and from its stopped data dir',
  () =>
    withTempDir(async (dir) => {
      const first = join(dir, 'first');
      const file = join(dir, 'dump.ndjson');
      const packed = join(dir, 'dump.msgpack');
      const begunMs = performance.now();
      const source = await withCluster(smallConfig(first), async ({ grpcAddress: target }) => {
        await fill(target);
        writeFileSync(packed, await dump([], { target, timeoutMs: '60000', format: 'msgpack' }));
        const bytes = await dump([], { target, timeoutMs: '60000' });
        assert.is(contentOf(await dump([], { target, prefix: '{p5}/' })).size > 0, true);
        return bytes;
      });
      assert.is(contentOf(source).size, KEYS);
      const stopped = await dump([first], {});
      assertSame(stopped, source, 0);
      writeFileSync(file, stopped);
      for (const name of [file, packed]) {
        const config = smallConfig(join(dir, `of-${name.at(-1)}`), 3);
        await withCluster(config, async ({ grpcAddress: target }) => {
          const report = await load(name, target);
          const { exit, written, whole, wrong } = report;
          assert.equal([exit, written, whole, wrong], [EXIT.ok, KEYS, true, 0]);
          assertSame(await dump([], { target, timeoutMs: '60000' }), source, 600_000);
        });
      }
      console.log(
        `dump and load ${JSON.stringify({ keys: KEYS, ms: performance.now() - begunMs })}`,
      );
    }),
  3_600_000,
);

test('a folder that is no data dir, a format that there is none of, a dir in use', () =>
  withTempDir(async (dir) => {
    const refused = async (args: string[], options: Record<string, string>, why: RegExp) => {
      try {
        await dump(args, options);
        assert.unreachable();
      } catch (error) {
        assert.match(String(error), why);
      }
    };
    await refused([join(dir, 'none')], {}, /There is no data dir/);
    await refused([dir], {}, /is no data dir/);
    await refused([dir], { format: 'xml' }, /--format must be ndjson or msgpack/);
    const used = join(dir, 'used');
    await withCluster(smallConfig(used), () => refused([used], {}, /belongs to process/));
  }));

run();
