import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import * as assert from 'uvu/assert';
import { TTL_MS_MAX } from '../../src/base/entry-run.js';
import { StormError } from '../../src/base/errors.js';
import { HTTP_LIMITS_DEFAULT, startHttpDoor } from '../../src/router/http-door.js';
import { openAccess } from '../../src/rpc/access.js';
import { FakeAdmin } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';
import { FakeCluster, type FakeClusterOptions, TEST_LIMITS } from './fake-cluster.js';

const { test, run } = suite('HttpDoor on versions and many keys');

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** The body's lines, parsed. */
  lines: Record<string, unknown>[];
}

interface House {
  cluster: FakeCluster;
  call(method: string, path: string, body?: string, headers?: object): Promise<Reply>;
  /** Sends the request and leaves it to the test. */
  open(method: string, path: string, headers?: object): ClientRequest;
}

async function withDoor(
  body: (house: House) => Promise<void>,
  options: Partial<FakeClusterOptions> = {},
): Promise<void> {
  const cluster = new FakeCluster({ mode: 'loop', ...options });
  const door = await startHttpDoor({
    address: '127.0.0.1:0',
    access: openAccess(cluster.router, new FakeAdmin()),
    status: () => cluster.router.status(),
    limits: { ...HTTP_LIMITS_DEFAULT, ...TEST_LIMITS },
    hostsAllowed: [],
    originsAllowed: [],
  });
  const port = Number(door.address.split(':').at(-1));
  const open: House['open'] = (method, path, headers = {}) =>
    httpRequest({ host: '127.0.0.1', port, method, path, headers: { ...headers }, agent: false });
  const call: House['call'] = (method, path, content, headers) =>
    new Promise((resolve, reject) => {
      const request = open(method, path, headers);
      request.on('error', reject);
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          const isLines = String(headers['content-type']).includes('json');
          const lines = isLines ? text.trim().split('\n').filter(Boolean).map(parse) : [];
          resolve({ status, headers, text, lines });
        });
      });
      request.end(content);
    });
  try {
    await body({ cluster, call, open });
  } finally {
    await door.close();
    cluster.close();
  }
}

const parse = (line: string) => JSON.parse(line) as Record<string, unknown>;
const codeOf = ({ lines }: Reply) => (lines[0]?.['error'] as { code: string } | undefined)?.code;

test('a version is an ETag: read, condition, conflict', () =>
  withDoor(async ({ call }) => {
    const created = await call('PUT', '/kv/k', 'v1', { 'if-none-match': '*' });
    assert.equal([created.status, created.headers.etag], [200, '"1"']);
    const again = await call('PUT', '/kv/k', 'v2', { 'if-none-match': '*' });
    assert.equal([again.status, again.headers.etag, codeOf(again)], [412, '"1"', 'ABORTED']);
    assert.is(again.headers['stormkv-outcome'], 'not-applied');
    const changed = await call('PUT', '/kv/k', 'v2', { 'if-match': '"1"' });
    assert.equal([changed.status, changed.headers.etag], [200, '"2"']);
    const read = await call('GET', '/kv/k');
    assert.equal([read.text, read.headers.etag], ['v2', '"2"']);
    const known = await call('GET', '/kv/k', undefined, { 'if-none-match': 'W/"2", "9"' });
    assert.equal([known.status, known.text, known.headers.etag], [304, '', '"2"']);
    const newer = await call('GET', '/kv/k', undefined, { 'if-none-match': '"1"' });
    assert.is(newer.status, 200);
    const stale = await call('DELETE', '/kv/k', undefined, { 'if-match': '"1"' });
    assert.equal([stale.status, stale.headers.etag], [412, '"2"']);
    assert.is((await call('DELETE', '/kv/k', undefined, { 'if-match': '"2"' })).status, 200);
    const gone = await call('PUT', '/kv/k', 'v3', { 'if-match': '"2"' });
    assert.equal([gone.status, gone.headers.etag], [412, undefined]);
  }));

test('headers that ask for what cannot be are 400', () =>
  withDoor(async ({ call }) => {
    const wrong: Record<string, string>[] = [
      { 'if-match': '*' },
      { 'if-match': '1' },
      { 'if-match': '"0"' },
      { 'if-match': '"1", "2"' },
      { 'if-match': '"9007199254740993"' },
      { 'if-none-match': '"1"' },
      { 'if-match': '"1"', 'if-none-match': '*' },
      { 'stormkv-ttl-ms': '-1' },
      { 'stormkv-ttl-ms': '1.5' },
      { 'stormkv-ttl-ms': 'soon' },
      { 'stormkv-ttl-ms': String(TTL_MS_MAX + 1) },
    ];
    for (const headers of wrong) {
      const reply = await call('PUT', '/kv/k', 'v', headers);
      assert.equal(
        [reply.status, codeOf(reply)],
        [400, 'INVALID_ARGUMENT'],
        JSON.stringify(headers),
      );
    }
    assert.is((await call('GET', '/kv/k')).status, 404);
  }));

test('a time to live is given with the value, asked, changed and taken away', () =>
  withDoor(async ({ call, cluster }) => {
    await call('PUT', '/kv/a%2Fb', 'v', { 'stormkv-ttl-ms': '5000' });
    const asked = await call('GET', '/ttl/a%2Fb');
    assert.equal([asked.lines[0], asked.headers.etag], [{ ttl_ms: 5000, version: 1 }, '"1"']);
    const changed = await call('PUT', '/ttl/a%2Fb', '9000');
    assert.equal([changed.status, changed.headers.etag], [200, '"2"']);
    assert.is((await call('PUT', '/ttl/a%2Fb', '0')).status, 200);
    assert.equal((await call('GET', '/ttl/a%2Fb')).lines[0], { ttl_ms: 0, version: 3 });
    for (const text of ['', 'x', '-1', String(TTL_MS_MAX + 1)]) {
      assert.is((await call('PUT', '/ttl/a%2Fb', text)).status, 400, text);
    }
    assert.is((await call('GET', '/ttl/none')).status, 404);
    assert.is((await call('PUT', '/ttl/none', '1')).status, 404);
    assert.is((await call('DELETE', '/ttl/none')).status, 405);
    for (const shard of cluster.shards) shard.nowMs += 10_000;
    assert.is((await call('GET', '/kv/a%2Fb')).status, 200);
  }));

test('lists keys as lines, in order, page by page', () =>
  withDoor(async ({ call }) => {
    const keys = ['p/a', 'p/b b', 'p/é', 'q'];
    for (const key of keys) await call('PUT', `/kv/${encodeURIComponent(key)}`, `of ${key}`);
    const first = await call('GET', '/kv?prefix=p/&limit=2&encoding=utf8');
    assert.is(first.headers['content-type'], 'application/x-ndjson');
    const [a, b, last] = first.lines;
    assert.equal([a?.['key'], a?.['value']], ['p/a', 'of p/a']);
    assert.equal([b?.['key'], typeof b?.['version']], ['p/b b', 'number']);
    assert.is(typeof last?.['cursor'], 'string');
    const rest = await call('GET', `/kv?prefix=p%2f&cursor=${last?.['cursor']}`);
    assert.equal(rest.lines.length, 1);
    const value = Buffer.from(String(rest.lines[0]?.['value']), 'base64').toString();
    assert.equal([rest.lines[0]?.['key'], value], ['p/é', 'of p/é']);
    const reverse = await call('GET', '/kv?reverse&keys_only=true&to=q&from=p/b+b');
    assert.equal(
      reverse.lines.map(({ key, value }) => [key, value]),
      [
        ['p/é', undefined],
        ['p/b b', undefined],
      ],
    );
    const none = await call('GET', '/kv?prefix=nothing');
    assert.equal([none.status, none.text], [200, '']);
  }));

test('values that are no text are told apart from text', () =>
  withDoor(async ({ call, cluster }) => {
    cluster.shard(0).data.set('b', { value: Buffer.from([255, 0]), sequence: 1 });
    const [line] = (await call('GET', '/kv?encoding=utf8')).lines;
    assert.equal(line, { key: 'b', valueBase64: '/wA=', version: 1 });
  }));

test('several keys can be asked for at once', () =>
  withDoor(async ({ call }) => {
    await call('PUT', '/kv/a', '1');
    await call('PUT', '/kv/b', '2');
    const { lines } = await call('GET', '/kv?key=b&key=none&key=a&encoding=utf8');
    assert.equal(
      lines.map(({ key, value, found }) => [key, value, found]),
      [
        ['b', '2', undefined],
        ['none', undefined, false],
        ['a', '1', undefined],
      ],
    );
    assert.is((await call('GET', '/kv?key=')).status, 400);
  }));

test('queries that are wrong are 400 and name what is', () =>
  withDoor(async ({ call }) => {
    const wrong: [string, RegExp][] = [
      ['/kv?limits=1', /no parameter \\"limits\\"/],
      ['/kv?limit=1&limit=2', /given twice/],
      ['/kv?limit=-1', /limit/],
      ['/kv?limit=x', /limit/],
      ['/kv?reverse=maybe', /reverse/],
      ['/kv?encoding=hex', /encoding/],
      ['/kv?cursor=zzz', /cursor/],
      ['/kv?prefix=%zz', /percent/],
      [`/kv?prefix=${'p'.repeat(TEST_LIMITS.keyBytesMax + 1)}`, /prefix/],
    ];
    for (const [path, pattern] of wrong) {
      const reply = await call('GET', path);
      assert.is(reply.status, 400, path);
      assert.match(reply.text, pattern);
    }
    assert.is((await call('DELETE', '/kv')).status, 400);
    assert.is((await call('PUT', '/kv')).status, 405);
  }));

test('a failing shard is told with its status, or in the last line when lines were sent', () =>
  withDoor(async ({ call, cluster, open }) => {
    cluster.shard(1).failWith = new StormError('UNAVAILABLE', 'away', { retryAfterMs: 2000 });
    const early = await call('GET', '/kv');
    assert.equal([early.status, early.headers['retry-after']], [503, '2']);
    cluster.shard(1).failWith = undefined;
    for (let i = 0; i < 2000; i++) {
      const entry = { value: Buffer.alloc(400), sequence: 1 };
      cluster.shard(1).data.set(`key-${String(i).padStart(5, '0')}`, entry);
    }
    const late = await new Promise<string>((resolve) => {
      const request = open('GET', '/kv?limit=0');
      let text = '';
      request.on('response', (response) => {
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
          cluster.shard(1).failWith = new StormError('DATA_CORRUPTION', 'a block is damaged');
        });
        response.on('end', () => resolve(text));
      });
      request.end();
    });
    const last = parse(late.trim().split('\n').at(-1) ?? '');
    assert.equal((last['error'] as { code: string }).code, 'DATA_CORRUPTION');
  }));

test('a reader that goes away ends its scan', () =>
  withDoor(async ({ cluster, open }) => {
    for (let i = 0; i < 4000; i++) {
      const entry = { value: Buffer.alloc(400), sequence: 1 };
      cluster.shard(0).data.set(`key-${String(i).padStart(5, '0')}`, entry);
    }
    // More than may be in progress at once, each given up at another moment.
    for (let i = 0; i < 3 * TEST_LIMITS.scansMax; i++) {
      await new Promise<void>((resolve) => {
        const request = open('GET', '/kv?limit=0');
        request.on('error', () => resolve());
        request.on('close', () => resolve());
        if (i % 2 === 0) request.on('response', () => request.destroy());
        else request.on('socket', (socket) => socket.on('connect', () => request.destroy()));
        request.end();
      });
    }
    while (cluster.shard(0).snapshots.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const scans = Array.from({ length: TEST_LIMITS.scansMax }, () => cluster.router.scan({}));
    for (const scan of scans) scan.close();
  }));

test('loads lines in batches and answers for each line that failed', () =>
  withDoor(
    async ({ call }) => {
      const lines = Array.from({ length: 1300 }, (_, i) =>
        JSON.stringify({ key: `k${i}`, value: `v${i}` }),
      );
      lines[3] = 'no json';
      lines[700] = JSON.stringify({ key: '', value: 'x' });
      lines[701] = JSON.stringify({ key: 'big', value: 'x'.repeat(TEST_LIMITS.valueBytesMax + 1) });
      lines[1299] = JSON.stringify({ cursor: 'of a scan' });
      const reply = await call('POST', '/kv?encoding=utf8', lines.join('\n'));
      assert.is(reply.status, 200);
      const summary = reply.lines.pop();
      assert.equal(summary, { written: 1296, failed: 3 });
      assert.equal(
        reply.lines.map(({ line, outcome }) => [line, outcome]),
        [
          [4, 'not-applied'],
          [701, 'not-applied'],
          [702, 'not-applied'],
        ],
      );
      const all = await call('GET', '/kv?limit=0&encoding=utf8');
      assert.is(all.lines.length, 1296);
      const copy = await call('POST', '/kv?encoding=utf8', all.text);
      assert.equal(copy.lines, [{ written: 1296, failed: 0 }]);
    },
    { limits: { batchEntriesMax: 100 } },
  ));

test('lines may have a time to live, delete, and be of bytes', () =>
  withDoor(async ({ call }) => {
    await call('PUT', '/kv/gone', 'x');
    const body = [
      { key: 'bytes', value: '/wA=' },
      { key: 'short', value: 'djE=', ttl_ms: 9000 },
      { key: 'gone', value: null },
    ];
    const text = body.map((line) => JSON.stringify(line)).join('\r\n');
    assert.equal((await call('POST', '/kv', `${text}\n\n`)).lines, [{ written: 3, failed: 0 }]);
    assert.equal((await call('GET', '/ttl/short')).lines[0]?.['ttl_ms'], 9000);
    assert.is((await call('GET', '/kv/gone')).status, 404);
    assert.is((await call('GET', '/kv?key=bytes')).lines[0]?.['value'], '/wA=');
    assert.equal((await call('POST', '/kv', '')).lines, [{ written: 0, failed: 0 }]);
    assert.is((await call('POST', '/kv?encoding=x', '')).status, 400);
  }));

test('a prefix is counted or removed', () =>
  withDoor(async ({ call }) => {
    for (const key of ['a/1', 'a/2', 'b']) await call('PUT', `/kv/${key}`, 'v');
    assert.equal((await call('DELETE', '/kv?prefix=a/&dry_run=true')).lines, [{ count: 2 }]);
    assert.equal((await call('DELETE', '/kv?prefix=a/')).lines, [{ count: 2 }]);
    assert.equal((await call('DELETE', '/kv?prefix=a/')).lines, [{ count: 0 }]);
    assert.is((await call('GET', '/kv/b')).status, 200);
    assert.is((await call('DELETE', '/kv?prefix=')).status, 400);
  }));

run();
