import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/base/system-clock.js';
import { compactCommand } from '../../src/cli/compact-command.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { KvClient } from '../../src/cli/kv-client.js';
import { smallConfig, withCluster } from '../cluster/cluster-rig.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('stormkv compact');
/** Never compressed away: no byte of it comes twice. */
const SECRET = Buffer.from('Zq9-secret:0a1b2c');

/** Files below that hold the bytes. */
function holdersOf(dir: string, bytes: Buffer): string[] {
  return (readdirSync(dir, { recursive: true }) as string[]).filter((name) => {
    const path = join(dir, name);
    return statSync(path).isFile() && readFileSync(path).includes(bytes);
  });
}

async function compact(dir: string, options: Record<string, string | true>) {
  const io = capturedIo();
  return { exit: await compactCommand.run(io, [dir], options), text: io.outText() };
}

/** The data dir of a server that ran `body`. */
async function served(dir: string, body: (client: KvClient) => Promise<void>): Promise<void> {
  await withCluster(smallConfig(dir), async ({ grpcAddress }) => {
    const client = new KvClient(grpcAddress, 60_000, systemClock.wallMs);
    await body(client);
    client.close();
  });
}

test('what was deleted is in none of the files afterwards, and the rest is as it was', () =>
  withTempDir(async (temp) => {
    const dir = join(temp, 'data');
    await served(dir, async (client) => {
      for (let i = 0; i < 20; i++) {
        await client.set(`keep/${i}`, Buffer.from(`kept ${i}`));
        await client.set(`{p1}/${SECRET}/${i}`, Buffer.concat([Buffer.from(`${i} `), SECRET]));
      }
    });
    try {
      await compact(dir, { purgePrefix: '{p1}/', yes: true });
      assert.unreachable();
    } catch (error) {
      assert.match(String(error), 'are not deleted');
    }
    await served(dir, async (client) => {
      assert.is(await client.deletePrefix(Buffer.from('{p1}/'), false), 20);
    });
    assert.ok(holdersOf(dir, SECRET).length > 0, 'a delete alone leaves the bytes');
    assert.match((await compact(dir, { purgePrefix: '{p1}/' })).text, 'nothing was rewritten');
    const { exit, text } = await compact(dir, { purgePrefix: '{p1}/', yes: true });
    assert.is(exit, EXIT.ok);
    assert.match(text, 'rewritten with 20 entries');
    assert.equal(holdersOf(dir, SECRET), []);
    await served(dir, async (client) => {
      assert.is((await client.get('keep/7'))?.toString(), 'kept 7');
      assert.is(await client.get(`{p1}/${SECRET}/3`), undefined);
    });
  }));

run();
