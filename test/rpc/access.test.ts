/** What the doors tell of a caller, and what a caller meets whose credentials are not good. */
import { Client, Metadata, credentials as plain, status } from '@grpc/grpc-js';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import { HTTP_LIMITS_DEFAULT, startHttpDoor } from '../../src/router/http-door.js';
import { type Access, type Credentials, openAccess } from '../../src/rpc/access.js';
import { GRPC_LIMITS_DEFAULT, startGrpcServer } from '../../src/rpc/grpc-server.js';
import { FakeAdmin } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';
import { FakeCluster, TEST_LIMITS } from '../router/fake-cluster.js';

const { test, run } = suite('Access');
const GOOD = 'Bearer good';

/** Knows one token, and keeps what it was shown. */
class Doorkeeper implements Access {
  readonly seen: Credentials[] = [];
  readonly #open: Access;

  constructor(cluster: FakeCluster) {
    this.#open = openAccess(cluster.router, new FakeAdmin());
  }

  kv(credentials: Credentials) {
    this.#judge(credentials);
    return this.#open.kv(credentials);
  }

  admin(credentials: Credentials) {
    this.#judge(credentials);
    return this.#open.admin(credentials);
  }

  #judge(credentials: Credentials): void {
    this.seen.push(credentials);
    if (credentials.authorization !== GOOD) throw new StormError('UNAUTHENTICATED', 'Who are you?');
  }
}

const asIs = (bytes: Buffer) => bytes;
const KEY = Buffer.from([0x0a, 1, 0x6b]);

test('of gRPC calls and streams is judged by their metadata', async () => {
  const cluster = new FakeCluster({ mode: 'loop' });
  const access = new Doorkeeper(cluster);
  const limits = { ...GRPC_LIMITS_DEFAULT, ...TEST_LIMITS };
  const options = { address: '127.0.0.1:0', access, limits, clock: systemClock };
  const server = await startGrpcServer(options);
  const client = new Client(server.address, plain.createInsecure());
  const metadataOf = (token?: string) => {
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', token);
    return metadata;
  };
  const unary = (path: string, token?: string) =>
    new Promise<number>((resolve) => {
      client.makeUnaryRequest(path, asIs, asIs, KEY, metadataOf(token), (error) => {
        resolve(error?.code ?? status.OK);
      });
    });
  const stream = (path: string) =>
    new Promise<number>((resolve) => {
      const call = client.makeBidiStreamRequest(path, asIs, asIs, metadataOf());
      call.on('error', (error) => resolve('code' in error ? Number(error.code) : -1));
      call.on('data', () => resolve(status.OK));
      call.write(KEY);
      call.end();
    });
  try {
    assert.is(await unary('/kv.Kv/Get'), status.UNAUTHENTICATED);
    assert.is(await unary('/kv.Admin/Stats', 'Bearer bad'), status.UNAUTHENTICATED);
    assert.is(await unary('/kv.Kv/Set', GOOD), status.OK);
    assert.is(await stream('/kv.Kv/Ingest'), status.UNAUTHENTICATED);
    assert.is(await stream('/kv.Kv/Scan'), status.UNAUTHENTICATED);
    assert.equal(access.seen[0]?.peer, '127.0.0.1');
    assert.equal(
      access.seen.map(({ door, authorization = '' }) => `${door} ${authorization}`),
      ['grpc ', 'grpc Bearer bad', `grpc ${GOOD}`, 'grpc ', 'grpc '],
    );
  } finally {
    client.close();
    server.close();
    cluster.close();
  }
});

test('of HTTP requests is judged by their headers', async () => {
  const cluster = new FakeCluster({ mode: 'loop' });
  const access = new Doorkeeper(cluster);
  const door = await startHttpDoor({
    address: '127.0.0.1:0',
    access,
    status: () => cluster.router.status(),
    limits: { ...HTTP_LIMITS_DEFAULT, ...TEST_LIMITS },
    hostsAllowed: [],
    originsAllowed: [],
  });
  const call = async (method: string, path: string, authorization?: string) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const answer = await fetch(`http://${door.address}${path}`, { method, headers });
    await answer.arrayBuffer();
    return answer.status;
  };
  try {
    assert.is(await call('PUT', '/kv/k'), 401);
    assert.is(await call('PUT', '/kv/k', GOOD), 200);
    assert.is(await call('GET', '/kv/k', 'Bearer bad'), 401);
    for (const path of ['/ttl/k', '/kv', '/stats']) assert.is(await call('GET', path), 401, path);
    assert.is(await call('POST', '/kv'), 401);
    assert.is(await call('GET', '/livez'), 200);
    const { door: by, peer, authorization } = access.seen[1] ?? {};
    assert.equal([by, peer, authorization], ['http', '127.0.0.1', GOOD]);
  } finally {
    await door.close();
    cluster.close();
  }
});

run();
