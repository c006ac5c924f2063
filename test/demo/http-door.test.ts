import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { type HttpDoor, openHttpDoor } from '../../src/demo/http-door.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('openHttpDoor');

async function withServer(
  listener: RequestListener,
  body: (door: HttpDoor) => Promise<void>,
): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const door = openHttpDoor(`127.0.0.1:${port}`, 2, 300);
  try {
    await body(door);
  } finally {
    door.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof StormError) return `${error.code} ${error.outcome}`;
    throw error;
  }
  return 'ok';
}

test('stores and reads bytes under keys with any characters', async () => {
  const stored = new Map<string, Buffer>();
  const listener: RequestListener = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const key = decodeURIComponent((request.url ?? '').slice('/kv/'.length));
    if (request.method === 'PUT') stored.set(key, Buffer.concat(chunks));
    const value = stored.get(key);
    response.statusCode = value === undefined ? 404 : 200;
    response.end(request.method === 'GET' ? value : undefined);
  };
  await withServer(listener, async (door) => {
    const bytes = Buffer.from([0, 1, 255]);
    for (const key of ['{patient-1}/visit-1//44250-9', 'ä%2F?#', '..']) {
      await door.put(key, bytes);
      assert.equal(await door.get(key), bytes, key);
    }
    assert.ok(stored.has('{patient-1}/visit-1//44250-9'));
    assert.is(await door.get('none'), undefined);
  });
});

test('tells passing failures from lasting ones', async () => {
  const found: string[] = [];
  for (const status of [400, 413, 429, 500, 503]) {
    const listener: RequestListener = (_request, response) => {
      response.statusCode = status;
      response.end('because');
    };
    await withServer(listener, async (door) => {
      found.push(await codeOf(door.put('k', Buffer.from('v'))));
    });
  }
  const [lasting, passing] = ['INVALID_ARGUMENT unknown', 'UNAVAILABLE unknown'];
  assert.equal(found, [lasting, lasting, passing, passing, passing]);
});

test('a broken or silent connection is unavailable, with an unknown outcome', async () => {
  const breaking: RequestListener = (request) => void request.socket.destroy();
  const silent: RequestListener = () => {};
  const half: RequestListener = (request, response) => {
    response.setHeader('content-length', 10);
    response.write('half');
    setImmediate(() => request.socket.destroy());
  };
  for (const listener of [breaking, silent, half]) {
    await withServer(listener, async (door) => {
      assert.is(await codeOf(door.get('k')), 'UNAVAILABLE unknown');
    });
  }
});

run();
