import { readFileSync } from 'node:fs';
import {
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import * as assert from 'uvu/assert';
import { TTL_MS_MAX } from '../../src/base/entry-run.js';
import { RunBuilder } from '../../src/base/run-builder.js';
import { systemClock } from '../../src/base/system-clock.js';
import { openAccess } from '../../src/rpc/access.js';
import { GRPC_LIMITS_DEFAULT, startGrpcServer } from '../../src/rpc/grpc-server.js';
import { FakeAdmin } from '../harness/fake-admin.js';
import { suite } from '../harness/suite.js';
import { FakeCluster, TEST_LIMITS } from '../router/fake-cluster.js';
import { keyOn } from '../router/operations-rig.js';

const { test, run } = suite('kv.Kv on many keys');
const root = protobuf.parse(readFileSync('proto/kv.proto', 'utf8')).root;
const A = keyOn(0, 1);
const B = keyOn(1, 2);

interface Answer {
  code: number;
  details: string;
  metadata: Metadata;
  bytes: Buffer | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the message has
  response: any;
}

interface House {
  cluster: FakeCluster;
  call(name: string, request: object): Promise<Answer>;
  stream(request: object): ClientReadableStream<Buffer>;
}

const asIs = (bytes: Buffer) => bytes;
const encode = (name: string, request: object) =>
  Buffer.from(root.lookupType(`kv.${name}Request`).encode(request).finish());
const decode = (name: string, bytes: Buffer) => {
  const type = root.lookupType(`kv.${name}Response`);
  return type.toObject(type.decode(bytes), { longs: Number, bytes: Buffer, defaults: true });
};

async function withServer(body: (house: House) => Promise<void>): Promise<void> {
  const cluster = new FakeCluster({ mode: 'loop' });
  const server = await startGrpcServer({
    address: '127.0.0.1:0',
    access: openAccess(cluster.router, new FakeAdmin()),
    limits: { ...GRPC_LIMITS_DEFAULT, ...TEST_LIMITS },
    clock: systemClock,
  });
  const client = new Client(server.address, credentials.createInsecure());
  const call: House['call'] = (name, request) =>
    new Promise((resolve) => {
      const done = (error: ServiceError | null, bytes?: Buffer) => {
        resolve({
          code: error?.code ?? status.OK,
          details: error?.details ?? '',
          metadata: error?.metadata ?? new Metadata(),
          bytes,
          response: bytes === undefined ? undefined : decode(name, bytes),
        });
      };
      const path = `/kv.Kv/${name}`;
      const options = { deadline: Date.now() + 20_000 };
      client.makeUnaryRequest(path, asIs, asIs, encode(name, request), options, done);
    });
  const stream: House['stream'] = (request) =>
    client.makeServerStreamRequest('/kv.Kv/Scan', asIs, asIs, encode('Scan', request));
  try {
    await body({ cluster, call, stream });
  } finally {
    client.close();
    server.close();
    cluster.close();
  }
}

interface Scanned {
  code: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the message has
  pages: any[];
}

function readAll(stream: ClientReadableStream<Buffer>): Promise<Scanned> {
  return new Promise((resolve) => {
    const pages: Scanned['pages'] = [];
    stream.on('data', (bytes: Buffer) => pages.push(decode('Scan', bytes)));
    stream.on('error', (error: ServiceError) => resolve({ code: error.code, pages }));
    stream.on('end', () => resolve({ code: status.OK, pages }));
  });
}

const scannedKeys = ({ pages }: Scanned) =>
  pages.flatMap(({ entries }) => entries.map(({ key }: { key: string }) => key));

test('old requests get the bytes that they always got; versions come when asked for', () =>
  withServer(async ({ call }) => {
    const plain = await call('Set', { key: A, value: Buffer.from('v') });
    assert.equal([plain.code, plain.bytes?.length], [status.OK, 0]);
    const read = await call('Get', { key: A });
    assert.is(read.bytes?.toString('hex'), '0a0176');
    const versioned = await call('Set', { key: A, value: Buffer.from('w'), wantVersion: true });
    assert.is(versioned.response.version, 2);
    const got = await call('Get', { key: A, wantVersion: true });
    assert.equal([got.response.value.toString(), got.response.version], ['w', 2]);
  }));

test('conditions are ABORTED with the version now', () =>
  withServer(async ({ call }) => {
    const value = Buffer.from('v');
    assert.is((await call('Set', { key: A, value, ifAbsent: true })).code, status.OK);
    const conflict = await call('Set', { key: A, value, ifAbsent: true });
    assert.is(conflict.code, status.ABORTED);
    assert.equal(conflict.metadata.get('stormkv-version'), ['1']);
    assert.equal(conflict.metadata.get('stormkv-outcome'), ['not-applied']);
    assert.is((await call('Set', { key: A, value, ifVersion: 1 })).code, status.OK);
    const stale = await call('Delete', { key: A, ifVersion: 1 });
    assert.equal([stale.code, stale.metadata.get('stormkv-version')], [status.ABORTED, ['2']]);
    assert.is((await call('Delete', { key: A, ifVersion: 2 })).code, status.OK);
    const none = await call('Delete', { key: A, ifVersion: 2 });
    assert.equal(none.metadata.get('stormkv-version'), ['0']);
    const both = await call('Set', { key: A, value, ifAbsent: true, ifVersion: 1 });
    assert.is(both.code, status.INVALID_ARGUMENT);
  }));

test('a value with a time to live can be asked when it expires', () =>
  withServer(async ({ call }) => {
    await call('Set', { key: A, value: Buffer.from('v'), ttlMs: 5000 });
    assert.equal((await call('Ttl', { key: A })).response, { ttlMs: 5000, version: 1 });
    assert.is((await call('Expire', { key: A, ttlMs: 0 })).response.version, 2);
    assert.equal((await call('Ttl', { key: A })).response, { ttlMs: 0, version: 2 });
    assert.is((await call('Ttl', { key: B })).code, status.NOT_FOUND);
    assert.is((await call('Expire', { key: B, ttlMs: 1 })).code, status.NOT_FOUND);
    const tooLong = await call('Expire', { key: A, ttlMs: TTL_MS_MAX + 1 });
    assert.is(tooLong.code, status.INVALID_ARGUMENT);
    const negative = await call('Set', { key: A, value: Buffer.from('v'), ttlMs: -1 });
    assert.is(negative.code, status.INVALID_ARGUMENT);
  }));

test('batches come as entries or packed, and errors are told per entry', () =>
  withServer(async ({ call, cluster }) => {
    const value = Buffer.from('v');
    const entries = [
      { key: A, value },
      { key: B, value, ttlMs: 1000 },
    ];
    const first = await call('BatchSet', { entries });
    assert.equal(first.response, { written: 2, errors: [] });
    const run = new RunBuilder();
    run.put(Buffer.from(A), Buffer.from('packed'));
    run.delete(Buffer.from(B));
    const second = await call('BatchSet', { packed: run.runView() });
    assert.is(second.response.written, 2);
    const got = await call('BatchGet', { keys: [B, A] });
    assert.equal(got.response.results, [
      { value: Buffer.alloc(0), found: false, version: 0 },
      { value: Buffer.from('packed'), found: true, version: 2 },
    ]);
    cluster.shard(1).failWith = undefined;
    const third = await call('BatchSet', {
      entries: [
        { key: A, value, ifVersion: 1 },
        { key: B, value, ifAbsent: true },
      ],
    });
    assert.is(third.response.written, 1);
    const [error] = third.response.errors;
    assert.equal([error.index, error.code, error.unknown], [0, status.ABORTED, false]);
    assert.is(error.version, 2);
    assert.match(error.message, /version 2 now/);
    const last = await call('BatchGet', { keys: [] });
    assert.equal(last.response.results, []);
  }));

test('batches that are wrong as a whole are INVALID_ARGUMENT', () =>
  withServer(async ({ call }) => {
    const value = Buffer.from('v');
    const packed = Buffer.from([0]);
    for (const request of [
      { entries: [{ key: A, value }], packed },
      { packed: Buffer.from([7]) },
      { packed: Buffer.from([0, 1]) },
      { entries: [{ key: A, value, ttlMs: TTL_MS_MAX + 1 }] },
      { entries: [{ key: A, value, ifAbsent: true, ifVersion: 3 }] },
    ]) {
      const answer = await call('BatchSet', request);
      assert.is(answer.code, status.INVALID_ARGUMENT, JSON.stringify(request));
      assert.equal(answer.metadata.get('stormkv-outcome'), ['not-applied']);
    }
    assert.is((await call('BatchGet', { keys: [''] })).code, status.INVALID_ARGUMENT);
  }));

test('scans stream pages in order, with cursors, forward and reverse', () =>
  withServer(async ({ call, stream }) => {
    const keys = Array.from({ length: 50 }, (_, i) => `key-${i + 10}`);
    for (const key of keys) await call('Set', { key, value: Buffer.from(`of ${key}`) });
    const all = await readAll(stream({ prefix: Buffer.from('key-'), pageBytesMax: 100 }));
    assert.is(all.code, status.OK);
    assert.ok(all.pages.length > 3);
    assert.equal(scannedKeys(all), keys);
    assert.is(all.pages.at(-1).cursor, '');
    assert.equal(all.pages[0].entries[0].value.toString(), 'of key-10');
    const some = await readAll(stream({ reverse: true, limit: 20, keysOnly: true }));
    assert.equal(scannedKeys(some), [...keys].reverse().slice(0, 20));
    assert.is(some.pages[0].entries[0].value.length, 0);
    const { cursor } = some.pages.at(-1);
    const rest = await readAll(stream({ cursor }));
    assert.equal(scannedKeys(rest), [...keys].reverse().slice(20));
    const wrong = await readAll(stream({ cursor: 'nonsense' }));
    assert.equal([wrong.code, wrong.pages.length], [status.INVALID_ARGUMENT, 0]);
  }));

test('a reader that stops holds one page back, and its cancel ends the snapshots', () =>
  withServer(async ({ cluster, stream }) => {
    const shard = cluster.shard(0);
    const value = Buffer.alloc(400, 7);
    for (let i = 0; i < 3000; i++) {
      for (const { data } of cluster.shards) {
        data.set(`key-${String(i).padStart(5, '0')}`, { value, sequence: i + 1 });
      }
    }
    const reader = stream({});
    await new Promise<void>((resolve) => reader.once('data', () => resolve()));
    reader.pause();
    // Flow control holds the server; far fewer pages are fetched than there are.
    for (let before = -1; before !== shard.pagesServed; ) {
      before = shard.pagesServed;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(shard.pagesServed < 700, `${shard.pagesServed} pages of some 750`);
    assert.is(shard.snapshots.size, 1);
    reader.on('error', () => {});
    reader.cancel();
    const isBusy = () => shard.snapshots.size > 0 || cluster.router.status().inFlight > 0;
    while (isBusy()) await new Promise((resolve) => setTimeout(resolve, 5));
  }));

test('a prefix is counted or removed', () =>
  withServer(async ({ call }) => {
    for (const key of ['a/1', 'a/2', 'a/3', 'b'])
      await call('Set', { key, value: Buffer.alloc(1) });
    const prefix = Buffer.from('a/');
    assert.is((await call('DeletePrefix', { prefix, dryRun: true })).response.count, 3);
    assert.is((await call('DeletePrefix', { prefix })).response.count, 3);
    assert.is((await call('DeletePrefix', { prefix })).response.count, 0);
    assert.is((await call('Get', { key: 'b' })).code, status.OK);
    const all = await call('DeletePrefix', { prefix: Buffer.alloc(0) });
    assert.is(all.code, status.INVALID_ARGUMENT);
  }));

run();
