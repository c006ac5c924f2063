import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import * as assert from 'uvu/assert';
import { decodeKillWorkerRequest, encodeStatsResponse } from '../../src/rpc/admin-codec.js';
import { clusterStats, shardSituation } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('admin-codec');
const root = protobuf.parse(readFileSync('proto/kv_admin.proto', 'utf8')).root;

test('writes statistics that protobufjs reads, whole numbers and fractions alike', () => {
  const shards = [
    shardSituation(0, { walBytesTotal: 2 ** 52, memTableBytes: 0.5 }),
    shardSituation(1, {}, { state: 'refused', reason: 'block 3 is damaged', epoch: 2 ** 40 }),
  ];
  const situation = clusterStats(shards);
  const routers = [{ router: 0, draining: true, inFlight: 9 }];
  const bytes = encodeStatsResponse({ ...situation, routers });
  const type = root.lookupType('kv.StatsResponse');
  const found = type.toObject(type.decode(bytes), { longs: Number, defaults: true });
  assert.equal(found, {
    process: { ...situation.process, uptimeMs: 61_501 },
    bounds: { ...situation.bounds },
    routers,
    shards,
  });
});

test('writes a cluster without shards and routers as empty lists', () => {
  const bytes = encodeStatsResponse({ ...clusterStats([]), routers: [] });
  const type = root.lookupType('kv.StatsResponse');
  const found = type.toObject(type.decode(bytes), { arrays: true });
  assert.equal([found['routers'], found['shards']], [[], []]);
});

test('reads which worker to kill as protobufjs writes it, and refuses none', () => {
  const type = root.lookupType('kv.KillWorkerRequest');
  const read = (fields: object) => {
    const message = type.fromObject(fields);
    return decodeKillWorkerRequest(type.encode(message).finish());
  };
  assert.equal(read({ kind: 'SHARD', shard: 3 }), { kind: 'shard', shard: 3 });
  assert.equal(read({ kind: 'FLUSHER' }), { kind: 'flusher' });
  assert.equal(read({ kind: 'MERGER', shard: 1 }), { kind: 'merger' });
  assert.throws(() => read({}), /must be SHARD, FLUSHER or MERGER: found 0/);
});

run();
