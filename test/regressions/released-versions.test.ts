/** The data dirs of every released version are opened, checked and served (docs/UPGRADES.md). */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/base/system-clock.js';
import { checkCommand } from '../../src/cli/check-command.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { KvClient } from '../../src/cli/kv-client.js';
import { storedEntries } from '../../src/offline/stored-entries.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { capturedIo } from '../cli/cli-rig.js';
import { smallConfig, withCluster } from '../cluster/cluster-rig.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('Released versions');
const FIXTURES = 'test/fixtures';
const VERSIONS = readdirSync(FIXTURES);

interface Expected {
  value: string;
  version: number;
  expires: boolean;
}

function readPacked(version: string, name: string): Record<string, unknown> {
  const bytes = gunzipSync(readFileSync(join(FIXTURES, version, `${name}.json.gz`)));
  return JSON.parse(bytes.toString()) as Record<string, unknown>;
}

/** Calls `body` with a copy of the data dir on the real disk. */
function withFixture(version: string, name: string, body: (dir: string) => Promise<void>) {
  return withTempDir(async (temp) => {
    const dir = join(temp, 'data');
    for (const [path, content] of Object.entries(readPacked(version, name))) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), Buffer.from(String(content), 'base64'));
    }
    await body(dir);
  });
}

function expectedOf(version: string): Map<string, Expected> {
  return new Map(Object.entries(readPacked(version, 'expected') as Record<string, Expected>));
}

async function check(dir: string): Promise<number> {
  return await checkCommand.run(capturedIo(), [dir], {});
}

test('there is a fixture of every release', () => {
  const headings = readFileSync('CHANGELOG.md', 'utf8').match(/^## \d+\.\d+\.\d+/gm) ?? [];
  assert.equal(
    VERSIONS.toSorted((a, b) => (a < b ? -1 : 1)),
    headings.map((heading) => heading.slice(3)).sort((a, b) => (a < b ? -1 : 1)),
  );
});

for (const version of VERSIONS) {
  test(`a data dir of ${version} is sound, read without a server, and served`, () =>
    withFixture(version, 'store', async (dir) => {
      const expected = expectedOf(version);
      assert.is(await check(dir), EXIT.ok);
      const found = new Map<string, Expected>();
      const everything = { prefix: Buffer.alloc(0), nowMs: systemClock.wallMs() };
      for (const e of storedEntries(nodeFileSystem, dir, everything)) {
        const key = Buffer.from(e.keyBytes.subarray(e.keyStart, e.keyStart + e.keyLength));
        const value = e.valueBytes.subarray(e.valueStart, e.valueStart + e.valueLength);
        found.set(key.toString(), {
          value: Buffer.from(value).toString('base64'),
          version: e.sequence,
          expires: e.expiresAtMs > 0,
        });
      }
      assert.is(found.size, expected.size);
      for (const [key, content] of expected) assert.equal(found.get(key), content, key);
      await withCluster(smallConfig(dir), async ({ grpcAddress }) => {
        const client = new KvClient(grpcAddress, 60_000, systemClock.wallMs);
        for (const [key, content] of [...expected].slice(0, 200)) {
          const got = await client.getVersioned(key);
          assert.equal(
            [got?.value.toString('base64'), got?.version],
            [content.value, content.version],
          );
        }
        const [key, content] = [...expected][0] ?? ['', { version: 0 }];
        assert.ok((await client.setVersioned(key, Buffer.from('new'))) > content.version);
        client.close();
      });
      assert.is(await check(dir), EXIT.ok);
    }));

  test(`a damaged data dir of ${version} is found damaged and never answers wrongly`, () =>
    withFixture(version, 'damaged', async (dir) => {
      const expected = expectedOf(version);
      assert.is(await check(dir), EXIT.corruption);
      await withCluster(smallConfig(dir), async ({ grpcAddress }) => {
        const client = new KvClient(grpcAddress, 20_000, systemClock.wallMs);
        let refused = 0;
        for (const [key, { value }] of [...expected].slice(0, 200)) {
          try {
            assert.is((await client.get(key))?.toString('base64'), value);
          } catch (error) {
            assert.match(String(error), /StormError|CorruptionError/, key);
            refused++;
          }
        }
        assert.ok(refused > 0, 'something of the damaged block was asked for');
        client.close();
      });
    }));
}

run();
