import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import { openAccess } from '../../src/rpc/access.js';
import { ADMIN_SERVICE, GRPC_LIMITS_DEFAULT, startGrpcServer } from '../../src/rpc/grpc-server.js';
import { FakeAdmin } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';
import { FakeCluster, TEST_LIMITS } from '../router/fake-cluster.js';

const { test, run } = suite('kv.Admin over gRPC');
const LOADED = loadSync('proto/kv_admin.proto', { longs: Number, defaults: true })['kv.Admin'];

type Outcome = { code: number; details: string; response: Record<string, unknown> | undefined };

async function withAdmin(
  body: (admin: FakeAdmin, stats: (timeoutMs?: number) => Promise<Outcome>) => Promise<void>,
): Promise<void> {
  const cluster = new FakeCluster({ mode: 'loop' });
  const admin = new FakeAdmin();
  const server = await startGrpcServer({
    address: '127.0.0.1:0',
    access: openAccess(cluster.router, admin),
    limits: { ...GRPC_LIMITS_DEFAULT, ...TEST_LIMITS },
    clock: systemClock,
  });
  const client = new Client(server.address, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = methodOf('Stats');
  try {
    await body(admin, (timeoutMs = 30_000) => {
      return new Promise((resolve) => {
        const options = { deadline: Date.now() + timeoutMs };
        const done = (error: ServiceError | null, response?: object) =>
          resolve({
            code: error?.code ?? status.OK,
            details: error?.details ?? '',
            response: response as Record<string, unknown> | undefined,
          });
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, options, done);
      });
    });
  } finally {
    client.close();
    server.close();
    cluster.close();
  }
}

function methodOf(name: string) {
  assert.ok(LOADED !== undefined && name in LOADED);
  type Methods = Record<string, import('@grpc/grpc-js').MethodDefinition<object, object>>;
  const method = (LOADED as unknown as Methods)[name];
  assert.ok(method !== undefined);
  return method;
}

test('serves every method of the proto file, and no other', () => {
  assert.equal(Object.keys(ADMIN_SERVICE).toSorted(), Object.keys(LOADED ?? {}).toSorted());
  for (const [name, { path }] of Object.entries(ADMIN_SERVICE)) {
    assert.is(path, methodOf(name).path);
  }
});

test('Stats gives the figures to any client, within its deadline', () =>
  withAdmin(async (admin, stats) => {
    const { code, response } = await stats();
    assert.is(code, status.OK);
    assert.equal(response?.['shards'], admin.shards);
    assert.equal(response?.['routers'], [{ router: 0, draining: false, inFlight: 3 }]);
    const [timeoutMs = 0] = admin.timeouts;
    assert.ok(timeoutMs > 0 && timeoutMs <= 30_000);
  }));

test('Stats says why there are none', () =>
  withAdmin(async (admin, stats) => {
    admin.failWith = new StormError('UNAVAILABLE', 'The server is stopping');
    const { code, details } = await stats();
    assert.is(code, status.UNAVAILABLE);
    assert.is(details, 'The server is stopping');
  }));

run();
