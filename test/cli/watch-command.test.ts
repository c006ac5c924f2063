import * as assert from 'uvu/assert';
import { systemClock } from '../../src/base/system-clock.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { KvClient } from '../../src/cli/kv-client.js';
import { watchCommand } from '../../src/cli/watch-command.js';
import { smallConfig, withCluster } from '../cluster/cluster-rig.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('stormkv watch');

interface Line {
  key?: string;
  value: string | null;
  version: number;
  kind: string;
}

test('prints the content, then the changes, and goes on behind its token', () =>
  withTempDir((dir) =>
    withCluster(smallConfig(dir, 1), async ({ grpcAddress: target }) => {
      const client = new KvClient(target, 60_000, systemClock.wallMs);
      const watch = async (options: Record<string, string | true>) => {
        const io = capturedIo();
        const exit = await watchCommand.run(io, [], { target, timeoutMs: '60000', ...options });
        assert.is(exit, EXIT.ok);
        return { text: io.outText(), token: /--from (\S+)/.exec(io.said.join('\n'))?.[1] ?? '' };
      };
      await client.set('a', Buffer.from('1'));
      let isOver = false;
      const writing = (async () => {
        for (let i = 0; !isOver; i++) await client.set('b', Buffer.from(`${i}`));
      })();
      const plain = await watch({ limit: '10' });
      isOver = true;
      await writing;
      assert.match(plain.text, /^-- shard 0: its content\nset a 1 1 bytes\n/);
      assert.match(plain.text, /\n-- shard 0: changes\nset b \d+ \d+ bytes\n/);
      await client.delete('a');
      const { version = 0 } = (await client.getVersioned('b')) ?? {};
      // Everything up to the delete, which is the next write behind b's last.
      const lines: Line[] = [];
      let { token } = plain;
      while (!lines.some(({ key }) => key === 'a')) {
        const more = await watch({ limit: '1', json: true, from: token });
        ({ token } = more);
        for (const line of more.text.trimEnd().split('\n')) lines.push(JSON.parse(line) as Line);
      }
      client.close();
      const changes = lines.filter(({ key }) => key !== undefined);
      assert.ok(changes.every(({ kind }) => kind === 'CHANGES'));
      const last = changes.at(-1);
      assert.equal([last?.value, last?.version], [null, version + 1]);
    }),
  ));

run();
