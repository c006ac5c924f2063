/** Health and reflection as a client sees them, on a real door. */
import {
  Client,
  type ClientReadableStream,
  credentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import * as assert from 'uvu/assert';
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

const { test, run } = suite('HealthService');
type HealthAnswer = { status: string };
const { Check, Watch } = service as Required<typeof service>;

async function withDoor(
  body: (server: GrpcServer, client: Client) => Promise<void>,
): Promise<void> {
  const cluster = new FakeCluster({ mode: 'loop' });
  const server = await startGrpcServer({
    address: '127.0.0.1:0',
    access: openAccess(cluster.router, new FakeAdmin()),
    limits: { ...GRPC_LIMITS_DEFAULT, ...TEST_LIMITS },
    clock: systemClock,
  });
  const client = new Client(server.address, credentials.createInsecure());
  try {
    await body(server, client);
  } finally {
    client.close();
    server.close();
    cluster.close();
  }
}

/** The status, or the code of the failure. */
function check(client: Client, name: string): Promise<string | number> {
  return new Promise((resolve) => {
    const { path, requestSerialize, responseDeserialize } = Check as NonNullable<typeof Check>;
    const done = (error: ServiceError | null, answer?: object) =>
      resolve(error?.code ?? (answer as HealthAnswer).status);
    const options = { deadline: Date.now() + 20_000 };
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { service: name },
      options,
      done,
    );
  });
}

function watch(client: Client, name: string): ClientReadableStream<HealthAnswer> {
  const { path, requestSerialize, responseDeserialize } = Watch as NonNullable<typeof Watch>;
  return client.makeServerStreamRequest(
    path,
    requestSerialize,
    (bytes) => responseDeserialize(bytes) as HealthAnswer,
    { service: name },
  );
}

function next(stream: ClientReadableStream<HealthAnswer>): Promise<string> {
  return new Promise((resolve) =>
    stream.once('data', (answer: HealthAnswer) => resolve(answer.status)),
  );
}

test('is NOT_SERVING until told otherwise, for the server and for each service', () =>
  withDoor(async (server, client) => {
    for (const name of ['', 'kv.Kv', 'kv.Admin', 'kv.Feed']) {
      assert.is(await check(client, name), 'NOT_SERVING');
      server.setServing(true);
      assert.is(await check(client, name), 'SERVING');
      server.setServing(false);
    }
    assert.is(await check(client, 'kv.Nobody'), status.NOT_FOUND);
  }));

test('tells a watcher each change, and ends its stream when the door drains', () =>
  withDoor(async (server, client) => {
    const stream = watch(client, 'kv.Kv');
    const ended = new Promise<ServiceError>((resolve) => stream.on('error', resolve));
    assert.is(await next(stream), 'NOT_SERVING');
    const serving = next(stream);
    server.setServing(true);
    assert.is(await serving, 'SERVING');
    const last = next(stream);
    // Without an end to the watch this would wait for its deadline.
    const inOrder = await server.drain(600_000);
    assert.is(inOrder, true);
    assert.is(await last, 'NOT_SERVING');
    assert.is((await ended).code, status.UNAVAILABLE);
  }));

run();
