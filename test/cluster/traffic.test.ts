/** Limits through real doors, put into effect and lifted while the cluster runs. */
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import { KvClient } from '../../src/cli/kv-client.js';
import { configWith } from '../../src/config/load-config.js';
import type { PartialConfig } from '../../src/main.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { put, SILENT, smallConfig, withCluster } from './cluster-rig.js';

const { test, run } = suite('Traffic of a cluster');
/** So slow that no token comes while the test runs, however slow the machine is. */
const HARDLY = { rate: 1, burst: 20_000 };

test('limits writes from the moment when it is told to, by all its router threads together', () =>
  withTempDir(async (dir) => {
    const open: PartialConfig = { ...smallConfig(dir), router: { threads: 2 } };
    let now = open;
    const options = { ...SILENT, readConfig: () => configWith(now) };
    await withCluster(
      open,
      async (cluster) => {
        assert.is(await put(cluster, 'a', '1'), 200);
        now = { ...open, writeBucket: HARDLY, shards: { count: 3 } };
        const report = cluster.reload();
        assert.equal(report.applied, ['writeBucket.burst', 'writeBucket.rate']);
        assert.equal(report.needRestart.filter((path) => path === 'shards.count').length, 1);
        const clients = cluster.grpcAddresses.map(
          (address) => new KvClient(address, 20_000, systemClock.wallMs),
        );
        const entries = Array.from({ length: 1000 }, (_, i) => ({
          key: `k${i}`,
          value: Buffer.from('v'),
        }));
        let written = 0;
        let refusal: unknown;
        for (let i = 0; refusal === undefined && i < 200; i++) {
          await clients[i % clients.length]?.batchSet(entries).then(
            (answer) => (written += answer.written),
            (error: unknown) => (refusal = error),
          );
        }
        assert.ok(refusal instanceof StormError);
        assert.is(refusal.code, 'RESOURCE_EXHAUSTED');
        assert.ok((refusal.retryAfterMs ?? 0) > 0, 'it says when to come back');
        assert.match(refusal.message, /writeBucket/);
        for (const client of clients) client.close();
        now = open;
        cluster.reload();
        assert.is(await put(cluster, 'a', '2'), 200);
        assert.ok(written >= HARDLY.burst);
      },
      options,
    );
  }));

run();
