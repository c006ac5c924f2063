import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/base/system-clock.js';
import { openAccess } from '../../src/rpc/access.js';
import { GRPC_LIMITS_DEFAULT, startGrpcServer } from '../../src/rpc/grpc-server.js';
import { FakeAdmin } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';
import { FakeCluster, TEST_LIMITS } from '../router/fake-cluster.js';

const { test, run } = suite('addReflection');

/** As much of the standard schema as the test asks. */
function protocol(version: 'v1' | 'v1alpha') {
  const field = (type: string, id: number, rule?: 'repeated') =>
    rule === undefined ? { type, id } : { type, id, rule };
  const ask = { type: 'Request', id: 1 };
  const nested = {
    Request: { fields: { list_services: field('string', 7), symbol: field('string', 4) } },
    Service: { fields: { name: field('string', 1) } },
    List: { fields: { service: field('Service', 1, 'repeated') } },
    Files: { fields: { file_descriptor_proto: field('bytes', 1, 'repeated') } },
    Response: { fields: { files: field('Files', 4), list: field('List', 6) } },
    ServerReflection: {
      methods: {
        ServerReflectionInfo: {
          requestType: ask.type,
          requestStream: true,
          responseType: 'Response',
          responseStream: true,
        },
      },
    },
  };
  const packages = { [version]: { nested } };
  const root: unknown = { nested: { grpc: { nested: { reflection: { nested: packages } } } } };
  const definition = fromJSON(root as Parameters<typeof fromJSON>[0], { keepCase: true });
  const service = definition[`grpc.reflection.${version}.ServerReflection`] as Record<
    string,
    {
      path: string;
      requestSerialize(value: object): Buffer;
      responseDeserialize(bytes: Buffer): Answer;
    }
  >;
  const method = service['ServerReflectionInfo'];
  assert.ok(method);
  return method as NonNullable<typeof method>;
}

interface Answer {
  list?: { service: { name: string }[] };
  files?: { file_descriptor_proto: Buffer[] };
}

async function withDoor(hasReflection: boolean, body: (client: Client) => Promise<void>) {
  const cluster = new FakeCluster({ mode: 'loop' });
  const server = await startGrpcServer({
    address: '127.0.0.1:0',
    access: openAccess(cluster.router, new FakeAdmin()),
    hasReflection,
    limits: { ...GRPC_LIMITS_DEFAULT, ...TEST_LIMITS },
    clock: systemClock,
  });
  const client = new Client(server.address, credentials.createInsecure());
  try {
    await body(client);
    // Its stream is still open: the drain ends it.
    assert.is(await server.drain(600_000), true);
  } finally {
    client.close();
    server.close();
    cluster.close();
  }
}

function open(client: Client, version: 'v1' | 'v1alpha'): ClientDuplexStream<object, Answer> {
  const { path, requestSerialize, responseDeserialize } = protocol(version);
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
}

function answerTo(stream: ClientDuplexStream<object, Answer>, request: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    stream.once('data', resolve);
    stream.once('error', reject);
    stream.write(request);
  });
}

for (const version of ['v1', 'v1alpha'] as const) {
  test(`tells the services and their files in ${version}`, () =>
    withDoor(true, async (client) => {
      const stream = open(client, version);
      stream.on('error', () => {});
      const { list } = await answerTo(stream, { list_services: '*' });
      const names = new Set(list?.service.map(({ name }) => name));
      for (const name of ['grpc.health.v1.Health', 'kv.Admin', 'kv.Kv']) {
        assert.ok(names.has(name), name);
      }
      const { files } = await answerTo(stream, { symbol: 'kv.Kv' });
      const text = Buffer.concat(files?.file_descriptor_proto ?? []).toString('latin1');
      assert.match(text, /BatchSetRequest/);
    }));
}

test('is not there where it is switched off', () =>
  withDoor(false, async (client) => {
    const stream = open(client, 'v1');
    const error = await answerTo(stream, { list_services: '*' }).catch((thrown) => thrown);
    assert.is(error.code, 12);
  }));

run();
