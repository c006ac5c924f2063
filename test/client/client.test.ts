import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { RunBuilder } from '../../src/base/run-builder.js';
import { VersionConflict } from '../../src/base/version-conflict.js';
import { connect } from '../../src/client/client.js';
import { suite } from '../harness/suite.js';
import { keyOn } from '../router/operations-rig.js';
import { withClient } from './client-rig.js';

const { test, run } = suite('StormClient');

async function rejection(work: Promise<unknown>): Promise<StormError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof StormError) return error;
    throw error;
  }
  throw new Error('it did not reject');
}

test('a thousand concurrent callers share batches; each finds what it wrote', () =>
  withClient(async ({ kv, cluster }) => {
    const keys = Array.from({ length: 1000 }, (_, i) => `key-${i}`);
    await Promise.all(keys.map((key) => kv.set(key, `of ${key}`)));
    const frames = cluster.shards.reduce((sum, { writesServed }) => sum + writesServed, 0);
    assert.ok(frames < 300, `${frames} frames for 1000 writes`);
    const values = await Promise.all(keys.map((key) => kv.get(key)));
    assert.equal(
      values.map(String),
      keys.map((key) => `of ${key}`),
    );
    assert.is(kv.backlog.writes, 0);
  }));

test('many keys are read at once, in their order; a key that may not be is a failure', () =>
  withClient(async ({ kv }) => {
    await Promise.all([kv.set('a', '1'), kv.set('b', ''), kv.set('c', '3')]);
    const values = await kv.getMany(['c', 'absent', 'a', 'b', 'c']);
    assert.equal(
      values.map((value) => value?.toString()),
      ['3', undefined, '1', '', '3'],
    );
    assert.equal(await kv.getMany([]), []);
    assert.is((await rejection(kv.getMany(['a', '']))).code, 'INVALID_ARGUMENT');
  }));

test('deletes, absent keys, versions and conditions', () =>
  withClient(async ({ kv }) => {
    assert.is(await kv.get('k'), undefined);
    const version = await kv.setIf('k', '1', { ifAbsent: true });
    assert.equal(await kv.getVersioned('k'), { value: Buffer.from('1'), version });
    const conflict = await rejection(kv.setIf('k', '2', { ifAbsent: true }));
    assert.ok(conflict instanceof VersionConflict && conflict.version === version);
    assert.ok((await kv.setIf('k', '2', { ifVersion: version })) > version);
    await kv.delete('k');
    assert.is(await kv.get('k'), undefined);
  }));

test('a batch tells what was written and which entries were refused', () =>
  withClient(async ({ kv, cluster }) => {
    const a = keyOn(0, 1);
    const b = keyOn(1, 2);
    assert.equal(
      await kv.batch([
        { key: a, value: '1' },
        { key: b, value: '2' },
      ]),
      {
        written: 2,
        errors: [],
      },
    );
    const { written, errors } = await kv.batch([
      { key: a, value: 'x'.repeat(600) },
      { key: b },
      { key: '', value: 'no key' },
    ]);
    assert.is(written + errors.length, 3);
    assert.ok(errors.some(({ index, error }) => index === 0 && error.code === 'INVALID_ARGUMENT'));
    assert.equal(cluster.shard(0).data.get(a)?.value.toString(), '1');
  }));

test('a packed batch goes as it is; a broken one is refused before it is sent', () =>
  withClient(async ({ kv }) => {
    const builder = new RunBuilder();
    for (let i = 0; i < 30; i++) builder.put(Buffer.from(`p${i}`), Buffer.from(`${i}`), 60_000);
    assert.equal(await kv.batchPacked(builder.runView()), { written: 30, errors: [] });
    assert.is(String(await kv.get('p7')), '7');
    assert.throws(() => kv.batchPacked(Uint8Array.of(0, 0xc4, 9)), /run/i);
  }));

test('scans in order, also when pages are many, with limits and backward', () =>
  withClient(async ({ kv }) => {
    const keys = Array.from({ length: 300 }, (_, i) => `scan-${100 + i}`);
    await Promise.all(keys.map((key) => kv.set(key, key)));
    const forward: string[] = [];
    for await (const { key, value } of kv.scan({ prefix: 'scan-' })) {
      assert.is(value.toString(), key);
      forward.push(key);
    }
    assert.equal(forward, keys);
    const backward: string[] = [];
    for await (const { key } of kv.scan({ prefix: 'scan-', reverse: true, limit: 5 })) {
      backward.push(key);
    }
    assert.equal(backward, keys.reverse().slice(0, 5));
  }));

test('a stream of writes keeps to the backlog and finishes when all is durable', () =>
  withClient(
    async ({ kv, cluster }) => {
      const stream = kv.writable();
      let highest = 0;
      for (let i = 0; i < 3000; i++) {
        const entry = { key: `w${i}`, value: `${i}` };
        if (!stream.write(entry)) await new Promise((resolve) => stream.once('drain', resolve));
        highest = Math.max(highest, kv.backlog.writes);
      }
      const finished = new Promise((resolve, reject) => {
        stream.once('finish', resolve);
        stream.once('error', reject);
      });
      stream.end();
      await finished;
      assert.ok(highest <= 100, `${highest} writes were on their way`);
      const stored = cluster.shards.reduce((sum, { data }) => sum + data.size, 0);
      assert.is(stored, 3000);
    },
    { backlogEntriesMax: 100 },
  ));

test('a write that can never pass destroys the stream with its error', () =>
  withClient(async ({ kv }) => {
    const stream = kv.writable();
    const failed = new Promise<Error>((resolve) => stream.once('error', resolve));
    stream.write({ key: 'k', value: 'x'.repeat(600) });
    assert.match((await failed).message, /value/i);
  }));

test('a shard that is down for a while costs its callers only time', () =>
  withClient(async ({ kv, cluster }) => {
    await kv.set(keyOn(0, 1), 'before');
    cluster.router.shardDown(0, 'killed');
    const write = kv.set(keyOn(0, 2), 'meanwhile');
    const read = kv.get(keyOn(0, 1));
    const elsewhere = await Promise.all([kv.set(keyOn(1, 3), 'x'), kv.get(keyOn(1, 3))]);
    assert.is(elsewhere.length, 2);
    cluster.start(0);
    await write;
    assert.is(String(await read), 'before');
    assert.is(String(await kv.get(keyOn(0, 2))), 'meanwhile');
  }));

test('nobody is told that a write was not applied which was on its way to a shard that died', () =>
  withClient(async ({ kv, cluster }) => {
    await kv.set(keyOn(0, 1), 'connected');
    cluster.shard(0).isHeld = true;
    const write = rejection(kv.set(keyOn(0, 2), 'maybe'));
    while (cluster.router.status().inFlight === 0) await new Promise((go) => setTimeout(go, 2));
    cluster.router.shardDown(0, 'killed');
    const error = await write;
    assert.equal([error.code, error.outcome], ['UNAVAILABLE', 'unknown']);
  }));

test('without a server every call fails at its deadline, and says why', async () => {
  const kv = connect({ endpoints: ['127.0.0.1:1'], deadlineMs: 300, connections: 1 });
  const [write, read] = await Promise.all([rejection(kv.set('k', 'v')), rejection(kv.get('k'))]);
  assert.equal(write.outcome, 'not-applied');
  assert.ok(['UNAVAILABLE', 'DEADLINE_EXCEEDED'].includes(write.code), write.code);
  assert.ok(['UNAVAILABLE', 'DEADLINE_EXCEEDED'].includes(read.code), read.code);
  await kv.close();
  assert.is((await rejection(kv.set('k', 'v'))).code, 'FAILED_PRECONDITION');
});

test('options that make no sense are refused by name', () => {
  const refused = (options: object) => () => connect(options as { endpoints: string[] });
  assert.throws(refused({ endpoints: [] }), /endpoints must name/);
  assert.throws(refused({ endpoints: ['nowhere'] }), /HOST:PORT/);
  assert.throws(refused({ endpoints: ['a:1'], connections: 0 }), /connections must be/);
  assert.throws(refused({ endpoints: ['a:1'], deadline: 5 }), /no option deadline/);
});

run();
