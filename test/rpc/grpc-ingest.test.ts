import { readFileSync } from 'node:fs';
import {
  Client,
  type ClientDuplexStream,
  credentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import * as assert from 'uvu/assert';
import { RunBuilder } from '../../src/base/run-builder.js';
import { systemClock } from '../../src/base/system-clock.js';
import { openAccess } from '../../src/rpc/access.js';
import {
  GRPC_LIMITS_DEFAULT,
  type GrpcServer,
  startGrpcServer,
} from '../../src/rpc/grpc-server.js';
import { FakeAdmin } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';
import { FakeCluster, TEST_LIMITS } from '../router/fake-cluster.js';
import { keyOn } from '../router/operations-rig.js';

const { test, run } = suite('kv.Kv Ingest');
const root = protobuf.parse(readFileSync('proto/kv.proto', 'utf8')).root;
const REQUEST = root.lookupType('kv.BatchSetRequest');
const RESPONSE = root.lookupType('kv.BatchSetResponse');

interface Answer {
  written: number;
  errors: { index: number }[];
}

interface House {
  cluster: FakeCluster;
  server: GrpcServer;
  ingest(): ClientDuplexStream<object, Answer>;
}

async function withServer(body: (house: House) => Promise<void>): Promise<void> {
  const cluster = new FakeCluster({ mode: 'loop' });
  const server = await startGrpcServer({
    address: '127.0.0.1:0',
    access: openAccess(cluster.router, new FakeAdmin()),
    limits: { ...GRPC_LIMITS_DEFAULT, ...TEST_LIMITS },
    clock: systemClock,
  });
  const client = new Client(server.address, credentials.createInsecure());
  const ingest: House['ingest'] = () =>
    client.makeBidiStreamRequest(
      '/kv.Kv/Ingest',
      (request: object) => Buffer.from(REQUEST.encode(request).finish()),
      (bytes: Buffer) => {
        const answer = RESPONSE.toObject(RESPONSE.decode(bytes), { defaults: true });
        return answer as Answer;
      },
    );
  try {
    await body({ cluster, server, ingest });
  } finally {
    client.close();
    server.close();
    cluster.close();
  }
}

function packed(count: number, from: number): Uint8Array {
  const builder = new RunBuilder();
  for (let i = 0; i < count; i++) builder.put(Buffer.from(`key-${from + i}`), Buffer.alloc(20, i));
  return builder.runView();
}

test('a thousand batches, packed and not, are all answered in order', () =>
  withServer(async ({ cluster, ingest }) => {
    const stream = ingest();
    const sizes = Array.from({ length: 1000 }, (_, i) => 1 + (i % 7));
    const written: number[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      stream.on('error', reject);
      stream.on('end', resolve);
    });
    stream.on('data', (answer) => written.push(answer.written));
    let from = 0;
    for (const [i, size] of sizes.entries()) {
      const keys = Array.from({ length: size }, (_, k) => `key-${from + k}`);
      const entries = keys.map((key) => ({ key, value: Buffer.from(key) }));
      const hasRoom = stream.write(i % 2 === 0 ? { packed: packed(size, from) } : { entries });
      from += size;
      if (!hasRoom) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
    await ended;
    assert.equal(written, sizes);
    const stored = cluster.shards.reduce((sum, { data }) => sum + data.size, 0);
    assert.is(stored, from);
  }));

test('a batch of nonsense is answered in its place', () =>
  withServer(async ({ ingest }) => {
    const stream = ingest();
    stream.write({ packed: packed(1, 0) });
    stream.write({ packed: Buffer.from([9, 9, 9]) });
    stream.write({ packed: packed(2, 1) });
    stream.end();
    const answers: Answer[] = [];
    for await (const answer of stream) answers.push(answer);
    assert.equal(
      answers.map(({ written, errors }) => [written, errors.map(({ index }) => index)]),
      [
        [1, []],
        [0, [0xffff_ffff]],
        [2, []],
      ],
    );
  }));

test('a drain ends open streams and tells that nothing unanswered was applied', () =>
  withServer(async ({ server, ingest }) => {
    const stream = ingest();
    const ended = new Promise<ServiceError>((resolve) => stream.once('error', resolve));
    const answered = new Promise((resolve) => stream.once('data', resolve));
    stream.write({ entries: [{ key: keyOn(0, 1), value: Buffer.from('v') }] });
    await answered;
    assert.ok(await server.drain(20_000));
    const error = await ended;
    assert.is(error.code, status.UNAVAILABLE);
    assert.equal(error.metadata.get('stormkv-outcome'), ['not-applied']);
  }));

run();
