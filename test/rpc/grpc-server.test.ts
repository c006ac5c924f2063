import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import * as assert from 'uvu/assert';
import { ERROR_CODES, StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import { openAccess } from '../../src/rpc/access.js';
import {
  GRPC_LIMITS_DEFAULT,
  type GrpcServer,
  startGrpcServer,
} from '../../src/rpc/grpc-server.js';
import { GRPC_STATUS_OF } from '../../src/rpc/status-map.js';
import { FakeAdmin } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';
import { FakeCluster, TEST_LIMITS } from '../router/fake-cluster.js';

const { test, run } = suite('grpc-server');

// The four messages of the service that this one replaces, and Delete.
const root = protobuf.parse(`syntax = "proto3"; package kv;
  message SetRequest { string key = 1; bytes value = 2; }  message SetResponse {}
  message GetRequest { string key = 1; }  message GetResponse { bytes value = 1; }
  message DeleteRequest { string key = 1; }  message DeleteResponse {}`).root;

interface Answer {
  code: number;
  details: string;
  metadata: Metadata;
  response: Record<string, unknown> | undefined;
}

interface House {
  cluster: FakeCluster;
  server: GrpcServer;
  client: Client;
  port: number;
  call(name: string, request: object, timeoutMs?: number): Promise<Answer>;
  callRaw(path: string, bytes: Buffer, timeoutMs?: number): Promise<Answer>;
}

async function withServer(body: (house: House) => Promise<void>): Promise<void> {
  const cluster = new FakeCluster({ mode: 'loop' });
  const server = await startGrpcServer({
    address: '127.0.0.1:0',
    access: openAccess(cluster.router, new FakeAdmin()),
    limits: { ...GRPC_LIMITS_DEFAULT, ...TEST_LIMITS },
    clock: systemClock,
  });
  const options = { 'grpc.max_send_message_length': -1, 'grpc.enable_retries': 0 };
  const client = new Client(server.address, credentials.createInsecure(), options);
  const asIs = (bytes: Buffer) => bytes;
  const callRaw: House['callRaw'] = (path, bytes, timeoutMs = 20_000) => {
    return new Promise((resolve) => {
      const callOptions = { deadline: Date.now() + timeoutMs };
      const done = (error: ServiceError | null, response?: Buffer) => {
        const type = root.lookup(`kv.${path.split('/').at(-1)}Response`) as protobuf.Type | null;
        resolve({
          code: error?.code ?? status.OK,
          details: error?.details ?? '',
          metadata: error?.metadata ?? new Metadata(),
          response: response === undefined ? undefined : type?.decode(response).toJSON(),
        });
      };
      client.makeUnaryRequest(path, asIs, asIs, bytes, new Metadata(), callOptions, done);
    });
  };
  const call: House['call'] = (name, request, timeoutMs) => {
    const bytes = root.lookupType(`kv.${name}Request`).encode(request).finish();
    return callRaw(`/kv.Kv/${name}`, Buffer.from(bytes), timeoutMs);
  };
  try {
    const port = Number(server.address.split(':').at(-1));
    await body({ cluster, server, client, port, call, callRaw });
  } finally {
    client.close();
    server.close();
    cluster.close();
  }
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

test('serves Set, Get and Delete to a client made from the messages alone', () =>
  withServer(async ({ call, cluster }) => {
    assert.is((await call('Get', { key: 'a' })).code, status.NOT_FOUND);
    assert.is((await call('Set', { key: 'a', value: Buffer.from('1') })).code, status.OK);
    assert.equal((await call('Get', { key: 'a' })).response, { value: base64('1') });
    assert.is((await call('Set', { key: 'a' })).code, status.OK);
    assert.equal((await call('Get', { key: 'a' })).response, {});
    assert.is((await call('Delete', { key: 'a' })).code, status.OK);
    assert.is((await call('Get', { key: 'a' })).code, status.NOT_FOUND);
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => {
        return call('Set', { key: `{p}/ключ/${i}`, value: Buffer.from(`${i}`) });
      }),
    );
    const found = await call('Get', { key: '{p}/ключ/49' });
    assert.equal(found.response, { value: base64('49') });
    assert.is(cluster.router.status().inFlight, 0);
  }));

test('refuses wrong input with INVALID_ARGUMENT, stores nothing and lives', () =>
  withServer(async ({ call, callRaw, cluster }) => {
    const wrong: [Promise<Answer>, RegExp][] = [
      [call('Set', { value: Buffer.from('v') }), /must not be empty/],
      [call('Get', {}), /must not be empty/],
      [call('Delete', {}), /must not be empty/],
      [call('Set', { key: 'k'.repeat(65), value: Buffer.from('v') }), /64 bytes/],
      [call('Set', { key: 'k', value: Buffer.alloc(513) }), /512 bytes .*it has 513/],
      [callRaw('/kv.Kv/Set', Buffer.from('0a02c328', 'hex')), /UTF-8/],
      [callRaw('/kv.Kv/Get', Buffer.from('0a02c328', 'hex')), /UTF-8/],
      [callRaw('/kv.Kv/Set', Buffer.from('0a0561', 'hex')), /Malformed protobuf/],
      [callRaw('/kv.Kv/Get', Buffer.from('ffff', 'hex')), /Malformed protobuf/],
      [callRaw('/kv.Kv/Delete', Buffer.from('00', 'hex')), /Malformed protobuf/],
    ];
    for (const [answer, pattern] of wrong) {
      const { code, details } = await answer;
      assert.is(code, status.INVALID_ARGUMENT, details);
      assert.match(details, pattern);
    }
    const refused = await call('Set', {});
    assert.equal(refused.metadata.get('stormkv-outcome'), ['not-applied']);
    assert.equal(refused.metadata.get('stormkv-code'), ['INVALID_ARGUMENT']);
    for (const shard of cluster.shards) assert.is(shard.data.size, 0);
    assert.is(
      (await call('Set', { key: 'k'.repeat(64), value: Buffer.alloc(512) })).code,
      status.OK,
    );
  }));

test('refuses a message far over the limits before it is decoded', () =>
  withServer(async ({ call, cluster }) => {
    const big = await call('Set', { key: 'k', value: Buffer.alloc(1024 * 1024) });
    assert.is(big.code, status.RESOURCE_EXHAUSTED);
    assert.match(big.details, /larger than max/);
    for (const shard of cluster.shards) assert.is(shard.data.size, 0);
    assert.is((await call('Set', { key: 'k' })).code, status.OK);
  }));

test('answers UNIMPLEMENTED to unknown methods and services', () =>
  withServer(async ({ callRaw }) => {
    for (const path of ['/kv.Kv/Nope', '/kv.Kv/set', '/other.Service/Set']) {
      assert.is((await callRaw(path, Buffer.alloc(0))).code, status.UNIMPLEMENTED, path);
    }
  }));

test('maps every error of a shard, with hint and outcome', () =>
  withServer(async ({ call, cluster }) => {
    for (const code of ERROR_CODES) {
      const options = { outcome: 'unknown', retryAfterMs: 12 } as const;
      for (const shard of cluster.shards) shard.failWith = new StormError(code, 'why', options);
      const write = await call('Set', { key: 'a' });
      assert.is(write.code, GRPC_STATUS_OF[code], code);
      assert.is(write.details, 'why');
      assert.equal(write.metadata.get('stormkv-code'), [code]);
      assert.equal(write.metadata.get('stormkv-outcome'), ['unknown']);
      assert.equal(write.metadata.get('grpc-retry-pushback-ms'), ['12']);
      const read = await call('Get', { key: 'a' });
      assert.is(read.code, GRPC_STATUS_OF[code]);
      assert.equal(read.metadata.get('stormkv-outcome'), []);
    }
  }));

test('passes the deadline of the client on to the router', () =>
  withServer(async ({ call, cluster }) => {
    for (const shard of cluster.shards) shard.isHeld = true;
    const answer = await call('Set', { key: 'a' }, 60);
    assert.is(answer.code, status.DEADLINE_EXCEEDED);
    // The place stays taken until the shard has answered.
    assert.is(cluster.router.status().inFlight, 1);
    for (const shard of cluster.shards) {
      shard.isHeld = false;
      shard.step();
    }
    while (cluster.router.status().inFlight > 0) await new Promise(setImmediate);
    const late = await call('Set', { key: 'a' }, 5000);
    assert.is(late.code, status.OK);
  }));

test('drain finishes calls in flight and accepts no more', () =>
  withServer(async ({ call, cluster, server, port }) => {
    for (const shard of cluster.shards) shard.isHeld = true;
    const inFlight = call('Set', { key: 'a' });
    while (cluster.router.status().inFlight === 0) await new Promise(setImmediate);
    const drained = server.drain(10_000);
    await new Promise(setImmediate);
    const refused = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve('accepted'));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    });
    assert.is(refused, 'ECONNREFUSED');
    for (const shard of cluster.shards) {
      shard.isHeld = false;
      shard.step();
    }
    assert.is((await inFlight).code, status.OK);
    assert.is(await drained, true);
  }));

test('drain ends what does not finish in time', () =>
  withServer(async ({ call, cluster, server }) => {
    for (const shard of cluster.shards) shard.isHeld = true;
    const inFlight = call('Set', { key: 'a' });
    while (cluster.router.status().inFlight === 0) await new Promise(setImmediate);
    assert.is(await server.drain(20), false);
    assert.ok([status.UNAVAILABLE, status.CANCELLED].includes((await inFlight).code));
  }));

test('says which address cannot be bound', () =>
  withServer(async ({ server, cluster }) => {
    const limits = { ...GRPC_LIMITS_DEFAULT, ...TEST_LIMITS };
    const admin = new FakeAdmin();
    const access = openAccess(cluster.router, admin);
    const options = { access, limits, clock: systemClock };
    await startGrpcServer({ ...options, address: server.address }).then(
      () => assert.unreachable('bound twice'),
      (error: StormError) => {
        assert.is(error.code, 'UNAVAILABLE');
        assert.ok(error.message.includes(server.address));
      },
    );
    await startGrpcServer({ ...options, address: 'nonsense' }).then(
      () => assert.unreachable('bound nonsense'),
      (error: StormError) => assert.is(error.code, 'INVALID_ARGUMENT'),
    );
  }));

/** One POST with this body on an HTTP/2 connection of its own; the gRPC status it ended with. */
function post(port: number, body: Buffer, headers: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/kv.Kv/Set',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    let found = '';
    const note = (all: Record<string, unknown>) => {
      found = String(all['grpc-status'] ?? all[':status'] ?? found);
    };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.on('error', () => {});
    session.on('error', () => {});
    stream.on('close', () => {
      session.destroy();
      resolve(found);
    });
    stream.resume();
    stream.end(body);
  });
}

test('survives bad frames, bad compression, other content types and plain garbage', () =>
  withServer(async ({ call, port }) => {
    const message = Buffer.from('0a016b', 'hex');
    const frame = (flag: number, length: number) => {
      const head = Buffer.alloc(5);
      head[0] = flag;
      head.writeUInt32BE(length, 1);
      return Buffer.concat([head, message]);
    };
    assert.is(await post(port, frame(0, 3)), '0');
    // Says it is compressed, but not how: whatever the answer, nothing breaks.
    await post(port, frame(1, 3));
    for (const body of [
      frame(0, 9), // ends too early
      frame(0, 0xffff_ffff), // claims 4 GiB
      Buffer.concat([frame(0, 3), frame(0, 3)]), // two messages
      Buffer.alloc(0),
      Buffer.from('nonsense'),
    ]) {
      assert.not.equal(await post(port, body), '0', body.toString('hex'));
    }
    assert.not.equal(await post(port, frame(1, 3), { 'grpc-encoding': 'gzip' }), '0');
    assert.is(await post(port, frame(0, 3), { 'content-type': 'text/html' }), '415');
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
      socket.resume();
      socket.on('error', () => {});
      socket.on('close', () => resolve());
    });
    assert.is((await call('Set', { key: 'after' })).code, status.OK);
  }));

run();
