import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import * as assert from 'uvu/assert';
import { ERROR_CODES, StormError } from '../../src/base/errors.js';
import {
  HTTP_LIMITS_DEFAULT,
  type HttpDoor,
  type HttpDoorOptions,
  startHttpDoor,
} from '../../src/router/http-door.js';
import { HTTP_STATUS_OF } from '../../src/router/http-status.js';
import { openAccess } from '../../src/rpc/access.js';
import { FakeAdmin } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';
import { FakeCluster, type FakeClusterOptions, TEST_LIMITS } from './fake-cluster.js';

const { test, run } = suite('HttpDoor');

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

interface House {
  cluster: FakeCluster;
  door: HttpDoor;
  port: number;
  call(
    method: string,
    path: string,
    body?: string | Buffer,
    headers?: Record<string, string>,
  ): Promise<Reply>;
}

async function withDoor(
  body: (house: House) => Promise<void>,
  options: Partial<HttpDoorOptions> = {},
  clusterOptions: Partial<FakeClusterOptions> = {},
  admin = new FakeAdmin(),
): Promise<void> {
  const cluster = new FakeCluster({ mode: 'loop', ...clusterOptions });
  const door = await startHttpDoor({
    address: '127.0.0.1:0',
    access: openAccess(cluster.router, admin),
    status: () => cluster.router.status(),
    limits: { ...HTTP_LIMITS_DEFAULT, ...TEST_LIMITS },
    hostsAllowed: [],
    originsAllowed: [],
    ...options,
  });
  const port = Number(door.address.split(':').at(-1));
  const call: House['call'] = (method, path, content, headers = {}) => {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { host: '127.0.0.1', port, method, path, headers, agent: false },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const { statusCode: status = 0, headers } = response;
            resolve({ status, headers, body: Buffer.concat(chunks) });
          });
        },
      );
      request.on('error', reject);
      request.end(content);
    });
  };
  try {
    await body({ cluster, door, port, call });
  } finally {
    await door.close();
    cluster.close();
  }
}

/** Sends bytes on a bare socket and returns all that comes back until the other side closes. */
function raw(port: number, text: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let all = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => (all += chunk));
    socket.on('close', () => resolve(all));
    socket.on('error', reject);
  });
}

function errorCode(reply: Reply): string {
  const parsed = JSON.parse(reply.body.toString()) as { error: { code: string; message: string } };
  assert.is(typeof parsed.error.message, 'string');
  return parsed.error.code;
}

test('stores with PUT and POST, reads with GET and HEAD, removes with DELETE', () =>
  withDoor(async ({ call, cluster }) => {
    for (const method of ['PUT', 'POST']) {
      const stored = await call(method, '/kv/a', `by ${method}`);
      assert.is(stored.status, 200);
      assert.is(stored.body.length, 0);
      const read = await call('GET', '/kv/a');
      assert.is(read.status, 200);
      assert.is(read.headers['content-type'], 'application/octet-stream');
      assert.is(read.headers['x-content-type-options'], 'nosniff');
      assert.is(read.body.toString(), `by ${method}`);
    }
    const head = await call('HEAD', '/kv/a');
    assert.equal([head.status, head.headers['content-length'], head.body.length], [200, '7', 0]);
    assert.is((await call('DELETE', '/kv/a')).status, 200);
    const gone = await call('GET', '/kv/a');
    assert.is(gone.status, 404);
    assert.is(errorCode(gone), 'NOT_FOUND');
    assert.is((await call('HEAD', '/kv/a')).status, 404);
    assert.is((await call('DELETE', '/kv/a')).status, 200);
    assert.is(cluster.router.status().inFlight, 0);
  }));

test('takes any bytes with any content type, none at all, and an empty body', () =>
  withDoor(async ({ call, port }) => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const types = ['application/json', 'text/plain', 'application/x-www-form-urlencoded'];
    types.push('multipart/form-data', 'garbage;;;=', 'application/json; charset=nonsense', '\t');
    for (const type of types) {
      const stored = await call('PUT', '/kv/bytes', bytes, { 'content-type': type });
      assert.is(stored.status, 200, type);
      assert.equal((await call('GET', '/kv/bytes')).body, bytes);
      await call('DELETE', '/kv/bytes');
    }
    assert.is((await call('PUT', '/kv/bytes', bytes)).status, 200);
    assert.equal((await call('GET', '/kv/bytes')).body, bytes);
    assert.is((await call('POST', '/kv/bytes', '')).status, 200);
    const empty = await call('GET', '/kv/bytes');
    assert.equal([empty.status, empty.body.length], [200, 0]);
    const head = `Host: 127.0.0.1:${port}\r\nConnection: close\r\n`;
    const none = await raw(port, `PUT /kv/none HTTP/1.1\r\n${head}\r\n`);
    assert.match(none, /^HTTP\/1.1 200 /);
    const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`;
    assert.match(await raw(port, `PUT /kv/chunks HTTP/1.1\r\n${chunked}`), /^HTTP\/1.1 200 /);
    assert.is((await call('GET', '/kv/chunks')).body.toString(), 'abcde');
  }));

test('keeps keys exactly as they are written: slashes, dots, escapes', () =>
  withDoor(async ({ call, cluster, port }) => {
    const paths: [string, string][] = [
      ['/kv/a/b//c/', 'a/b//c/'],
      ['/kv/a%2Fb', 'a/b'],
      ['/kv/..', '..'],
      ['/kv/../../etc/passwd', '../../etc/passwd'],
      ['/kv/%2e%2e/livez', '../livez'],
      ['/kv/%252F', '%2F'],
      ['/kv/%3Fq%3D1%23f', '?q=1#f'],
      ['/kv/%7Bp-17%7D/2026/q3', '{p-17}/2026/q3'],
      ['/kv/a;b,c', 'a;b,c'],
      ['/kv/%E9%8D%B5', '鍵'],
    ];
    for (const [path, key] of paths) {
      assert.is((await call('PUT', path, key)).status, 200, path);
      assert.is((await call('GET', path)).body.toString(), key);
    }
    const keys = cluster.shards.flatMap((shard) => [...shard.data.keys()]);
    const expected = paths.map(([, key]) => Buffer.from(key).toString('latin1'));
    assert.equal(new Set(keys), new Set(expected));
    // Raw bytes above 127 are no valid target; Node's parser says so before any of our code.
    const target = Buffer.from('PUT /kv/ключ HTTP/1.1\r\n');
    const rest = `Host: 127.0.0.1:${port}\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx`;
    const reply = await raw(port, Buffer.concat([target, Buffer.from(rest)]));
    assert.match(reply, /^HTTP\/1.1 400 /);
  }));

test('refuses keys that are empty, too long, malformed or not UTF-8', () =>
  withDoor(async ({ call, cluster, port }) => {
    const bad = ['/kv/', '/kv/%', '/kv/a%zz', '/kv/%ff', '/kv/%ed%a0%80', '/kv/a?b', '/kv/a?'];
    bad.push(`/kv/${'k'.repeat(65)}`, `/kv/${'%6b'.repeat(65)}`);
    for (const path of bad) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const reply = await call(method, path);
        assert.is(reply.status, 400, `${method} ${path}`);
        assert.is(errorCode(reply), 'INVALID_ARGUMENT');
        const outcome = method === 'GET' ? undefined : 'not-applied';
        assert.is(reply.headers['stormkv-outcome'], outcome);
      }
    }
    const rest = `Host: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;
    assert.match(await raw(port, `PUT /kv/a#b HTTP/1.1\r\n${rest}`), /^HTTP\/1.1 400 /);
    assert.is((await call('PUT', `/kv/${'%6b'.repeat(64)}`, 'x')).status, 200);
    assert.is((await call('GET', `/kv/${'k'.repeat(64)}`)).body.toString(), 'x');
    const stored = cluster.shards.reduce((sum, shard) => sum + shard.data.size, 0);
    assert.is(stored, 1);
  }));

test('takes a percent-encoded key of 4 KiB; a path far too long gets 431', () =>
  withDoor(
    async ({ call }) => {
      const path = `/kv/${'%2F'.repeat(4096)}`;
      assert.is((await call('PUT', path, 'long')).status, 200);
      assert.is((await call('GET', `/kv/${'/'.repeat(4096)}`)).body.toString(), 'long');
      const reply = await call('GET', `/kv/${'k'.repeat(40_000)}`);
      assert.is(reply.status, 431);
      assert.is(errorCode(reply), 'INVALID_ARGUMENT');
    },
    { limits: { ...HTTP_LIMITS_DEFAULT, ...TEST_LIMITS, keyBytesMax: 4096 } },
    {
      limits: { keyBytesMax: 4096 },
      sizes: { writeRequestBytes: 32_768, readRequestBytes: 16_384 },
    },
  ));

test('refuses a body over the limit with 413, however it comes, and stores nothing', () =>
  withDoor(async ({ call, cluster, port }) => {
    assert.is((await call('PUT', '/kv/max', 'v'.repeat(512))).status, 200);
    const reply = await call('PUT', '/kv/big', 'v'.repeat(513));
    assert.is(reply.status, 413);
    assert.is(errorCode(reply), 'INVALID_ARGUMENT');
    assert.is(reply.headers['stormkv-outcome'], 'not-applied');

    const host = `Host: 127.0.0.1:${port}\r\n`;
    const chunk = `200\r\n${'v'.repeat(512)}\r\n`;
    const chunked = `PUT /kv/big HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`;
    assert.match(await raw(port, chunked + chunk + chunk), /^HTTP\/1.1 413 /);
    // Only claimed, never sent: the refusal does not wait for it.
    const claimed = `PUT /kv/big HTTP/1.1\r\n${host}Content-Length: 1073741824\r\n\r\n`;
    assert.match(await raw(port, claimed), /^HTTP\/1.1 413 /);
    const expect = 'Expect: 100-continue\r\nContent-Length: 513\r\n\r\n';
    const asked = `PUT /kv/big HTTP/1.1\r\n${host}${expect}`;
    const answer = await raw(port, asked);
    assert.match(answer, /^HTTP\/1.1 413 /);
    assert.not.match(answer, /100 Continue/);
    assert.is((await call('GET', '/kv/big')).status, 404);
    assert.is(cluster.router.status().inFlight, 0);
  }));

test('tells who asks with Expect to go on when the length is fine', () =>
  withDoor(async ({ port, call }) => {
    const reply = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => {
        const head = `PUT /kv/e HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n`;
        socket.write(`${head}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`);
      });
      let all = '';
      socket.on('data', (chunk) => {
        if (all === '') socket.write('body');
        all += chunk.toString();
      });
      socket.on('close', () => resolve(all));
      socket.on('error', reject);
    });
    assert.match(reply, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /);
    assert.is((await call('GET', '/kv/e')).body.toString(), 'body');
  }));

test('answers 404 to unknown paths and 405 with Allow to wrong methods', () =>
  withDoor(async ({ call }) => {
    for (const path of ['/', '/KV/a', '/livez/', '/nothing/here', '/%zz', '//kv/a']) {
      const reply = await call('GET', path);
      assert.is(reply.status, 404, path);
      assert.is(errorCode(reply), 'NOT_FOUND');
    }
    for (const method of ['PATCH', 'OPTIONS', 'PROPFIND', 'TRACE', 'LOCK']) {
      const reply = await call(method, '/kv/a');
      assert.is(reply.status, 405, method);
      assert.is(reply.headers.allow, 'GET, HEAD, PUT, POST, DELETE');
      assert.is(errorCode(reply), 'METHOD_NOT_ALLOWED');
      assert.is((await call(method, '/nothing')).status, 404);
    }
    const posted = await call('POST', '/readyz', 'x');
    assert.equal([posted.status, posted.headers.allow], [405, 'GET, HEAD']);
  }));

test('maps every error of a shard, with hint and outcome', () =>
  withDoor(async ({ call, cluster }) => {
    for (const code of ERROR_CODES) {
      const options = { outcome: 'unknown', retryAfterMs: 1200 } as const;
      for (const shard of cluster.shards) shard.failWith = new StormError(code, 'why', options);
      const write = await call('PUT', '/kv/a', 'x');
      assert.is(write.status, HTTP_STATUS_OF[code], code);
      assert.is(errorCode(write), code);
      assert.is(write.headers['stormkv-outcome'], 'unknown');
      assert.is(write.headers['retry-after'], '2');
      const read = await call('GET', '/kv/a');
      assert.is(read.status, HTTP_STATUS_OF[code]);
      assert.is(read.headers['stormkv-outcome'], undefined);
    }
  }));

test('tells liveness and readiness, shard by shard', () =>
  withDoor(async ({ call, cluster }) => {
    assert.is((await call('GET', '/livez')).status, 200);
    const ready = await call('GET', '/readyz');
    assert.is(ready.status, 200);
    assert.equal(JSON.parse(ready.body.toString()), {
      ready: true,
      draining: false,
      reasons: [],
      warnings: [],
      shards: [
        { shard: 0, state: 'up', reason: '' },
        { shard: 1, state: 'up', reason: '' },
      ],
    });
    cluster.router.shardRefused(1, 'damaged at 4096');
    const refused = await call('GET', '/readyz');
    assert.is(refused.status, 503);
    const parsed = JSON.parse(refused.body.toString()) as { ready: boolean; shards: unknown[] };
    assert.is(parsed.ready, false);
    assert.equal(parsed.shards[1], { shard: 1, state: 'refused', reason: 'damaged at 4096' });
    assert.match(refused.body.toString(), /shard 1 does not serve its data: damaged at 4096/);
    assert.is((await call('GET', '/livez')).status, 200);
    cluster.start(1);
    cluster.router.startDrain();
    assert.is((await call('GET', '/readyz')).status, 503);
    assert.is((await call('PUT', '/kv/a', 'x')).status, 200);
  }));

test('keeps pages of other origins and rebound names out, before their body', () =>
  withDoor(async ({ call, cluster, port }) => {
    const own = `http://127.0.0.1:${port}`;
    const refused: Record<string, string>[] = [
      { host: 'evil.example' },
      { host: `evil.example:${port}` },
      { host: '127.0.0.1:1' },
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: `http://localhost:${port}` },
      { 'sec-fetch-site': 'cross-site' },
    ];
    for (const headers of refused) {
      for (const method of ['PUT', 'POST', 'GET', 'DELETE', 'OPTIONS']) {
        const content = method.startsWith('P') ? 'x' : undefined;
        const reply = await call(method, '/kv/a', content, headers);
        assert.is(reply.status, 403, JSON.stringify(headers));
        assert.is(errorCode(reply), 'FORBIDDEN');
        assert.is(reply.headers['access-control-allow-origin'], undefined);
      }
      assert.is((await call('GET', '/readyz', undefined, headers)).status, 403);
    }
    const big = `POST /kv/a HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 500\r\n\r\n`;
    assert.match(await raw(port, big), /^HTTP\/1.1 403 /);
    for (const shard of cluster.shards) assert.is(shard.data.size, 0);
    for (const headers of [{ origin: own }, { host: `localhost:${port}` }]) {
      assert.is((await call('PUT', '/kv/a', 'x', headers)).status, 200);
    }
  }));

test('lives on after bytes that are no HTTP at all', () =>
  withDoor(async ({ call, port }) => {
    const host = `Host: 127.0.0.1:${port}\r\n`;
    const chunked = 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    const nonsense = [
      'GARBAGE\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n',
      'GET /kv/a HTTP/1.1\r\n\r\n',
      `GET /kv/a HTTP/1.1\r\n${host}${host}Bad Header: x\r\n\r\n`,
      `PUT /kv/a HTTP/1.1\r\n${host}Content-Length: -5\r\n\r\n`,
      `PUT /kv/a HTTP/1.1\r\n${host}Content-Length: 1\r\n${chunked}`,
      `PUT /kv/a HTTP/1.1\r\n${host}${chunked.replace('0', 'zz')}`,
      `GET http://127.0.0.1:${port}/kv/a HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    ];
    for (const text of nonsense) {
      assert.match(await raw(port, text), /^HTTP\/1.1 40[04] /, JSON.stringify(text));
    }
    assert.is((await call('PUT', '/kv/a', 'x')).status, 200);
  }));

test('drain finishes what is in flight and refuses new connections', () =>
  withDoor(async ({ call, cluster, door }) => {
    const shards = cluster.shards;
    for (const shard of shards) shard.isHeld = true;
    const inFlight = call('PUT', '/kv/a', 'x');
    while (cluster.router.status().inFlight === 0) await new Promise(setImmediate);
    const drained = door.drain(10_000);
    await new Promise(setImmediate);
    await call('GET', '/livez').then(
      () => assert.unreachable('a new connection was accepted'),
      (error: NodeJS.ErrnoException) => assert.is(error.code, 'ECONNREFUSED'),
    );
    for (const shard of shards) {
      shard.isHeld = false;
      shard.step();
    }
    assert.is((await inFlight).status, 200);
    assert.is(await drained, true);
  }));

test('drain ends what does not finish in time', () =>
  withDoor(async ({ call, cluster, door }) => {
    for (const shard of cluster.shards) shard.isHeld = true;
    const outcome = call('PUT', '/kv/a', 'x').then(
      () => 'answered',
      () => 'cut',
    );
    while (cluster.router.status().inFlight === 0) await new Promise(setImmediate);
    assert.is(await door.drain(20), false);
    assert.is(await outcome, 'cut');
  }));

test('GET /stats has the figures of the cluster, or why there are none', () => {
  const admin = new FakeAdmin();
  return withDoor(
    async ({ call }) => {
      const good = await call('GET', '/stats');
      assert.is(good.status, 200);
      const found = JSON.parse(good.body.toString());
      assert.equal(found.process.version, '1.2.3');
      assert.equal(found.shards[0].counters, admin.shards[0]?.counters);
      assert.is((await call('POST', '/stats')).headers.allow, 'GET, HEAD');
      const metrics = await call('GET', '/metrics');
      assert.is(metrics.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
      assert.match(metrics.body.toString(), /^stormkv_build_info\{version="1\.2\.3"\} 1$/m);
      admin.failWith = new StormError('DEADLINE_EXCEEDED', 'too busy');
      const late = await call('GET', '/stats');
      assert.is(late.status, 504);
      assert.match(late.body.toString(), /too busy/);
    },
    {},
    {},
    admin,
  );
});

test('says which address cannot be bound', () =>
  withDoor(async ({ door, cluster }) => {
    const second = startHttpDoor({
      address: door.address,
      access: openAccess(cluster.router, new FakeAdmin()),
      status: () => cluster.router.status(),
      limits: { ...HTTP_LIMITS_DEFAULT, ...TEST_LIMITS },
      hostsAllowed: [],
      originsAllowed: [],
    });
    await second.then(
      () => assert.unreachable('bound twice'),
      (error: StormError) => {
        assert.is(error.code, 'UNAVAILABLE');
        assert.ok(error.message.includes(door.address));
      },
    );
  }));

run();
