import * as assert from 'uvu/assert';
import type { StormError } from '../../src/base/errors.js';
import type { KvOperations, KvScan, ScanRequest } from '../../src/rpc/kv-operations.js';
import { suite } from '../harness/suite.js';
import { runOf, set, settleAll, value } from './operations-rig.js';
import { as, principal, type SecureRig, secureRig } from './secure-rig.js';

const { test, run } = suite('AuthorizedOperations');
const WARD = { rights: ['read', 'write', 'scan'], prefix: 'ward/' } as const;
const key = (text: string) => Buffer.from(text);

interface Outcome {
  error: StormError | undefined;
  isDone: boolean;
}

/** Starts a call and lets everything settle. */
async function outcome(
  { store }: SecureRig,
  start: (done: (error: StormError | undefined) => void) => void,
): Promise<string> {
  const found: Outcome = { error: undefined, isDone: false };
  start((error) => {
    found.error = error;
    found.isDone = true;
  });
  await settleAll(store);
  assert.ok(found.isDone);
  return found.error?.code ?? 'ok';
}

async function pageCodes(rig: SecureRig, scan: KvScan, pages: number): Promise<string[]> {
  const codes: string[] = [];
  for (let i = 0; i < pages; i++) {
    codes.push(await outcome(rig, (done) => scan.nextPage(Infinity, (error) => done(error))));
  }
  return codes;
}

type Start = (kv: KvOperations, at: string, done: (error: StormError | undefined) => void) => void;
const WRITES: Record<string, Start> = {
  Set: (kv, at, done) => kv.set(key(at), key('v'), Infinity, done),
  Delete: (kv, at, done) => kv.delete(key(at), Infinity, done),
  Expire: (kv, at, done) => kv.expire(key(at), 1000, Infinity, done),
  BatchSet: (kv, at, done) => {
    const run = runOf([
      ['ward/first', 'v'],
      [at, 'v'],
    ]);
    kv.batchSet({ run }, Infinity, done);
  },
  DeletePrefix: (kv, at, done) => kv.deletePrefix(key(at), { dryRun: false }, Infinity, done),
};
const READS: Record<string, Start> = {
  Get: (kv, at, done) => kv.get(key(at), Infinity, done),
  Ttl: (kv, at, done) => kv.ttl(key(at), Infinity, done),
  BatchGet: (kv, at, done) => kv.batchGet([key('ward/first'), key(at)], Infinity, done),
};

test('each operation needs its right over the key, and is refused without a trace in the store', async () => {
  const rig = secureRig([
    principal('all', WARD),
    principal('reader', { rights: ['read'], prefix: 'ward/' }),
    principal('writer', { rights: ['write'], prefix: 'ward/' }),
  ]);
  set(rig.store, 'other/1', 'old');
  for (const [starts, able, unable] of [
    [WRITES, 'writer', 'reader'],
    [READS, 'reader', 'writer'],
  ] as const) {
    for (const [name, start] of Object.entries(starts)) {
      const under = (who: string, at: string) =>
        outcome(rig, (done) => start(rig.access.kv(as(who)), at, done));
      assert.is(await under('all', 'ward/1'), 'ok', name);
      assert.is(await under(able, 'ward/1'), 'ok', name);
      assert.is(await under(unable, 'ward/1'), 'PERMISSION_DENIED', name);
      assert.is(await under('all', 'other/1'), 'PERMISSION_DENIED', name);
      assert.is(await under('all', 'ward'), 'PERMISSION_DENIED', name);
    }
  }
  assert.is(value(rig.store, 'other/1'), 'old');
  assert.is(value(rig.store, 'ward'), undefined);
  assert.equal([...new Set(rig.callers)], ['all', 'writer', 'reader']);
});

test('a batch whose run is malformed is told so, not let through', async () => {
  const rig = secureRig([principal('all', WARD)]);
  const run = runOf([['ward/1', 'v']]).slice(0, -1);
  const kv = rig.access.kv(as('all'));
  assert.is(await outcome(rig, (done) => kv.batchSet({ run }, 1e6, done)), 'INVALID_ARGUMENT');
});

test('a scan is begun only within a prefix that may be scanned, and read if values are wanted', () => {
  const rig = secureRig([
    principal('all', WARD),
    principal('lister', { rights: ['scan'], prefix: 'ward/' }),
    principal('every', { rights: ['scan', 'read'], prefix: '' }),
  ]);
  const begin = (who: string, request: ScanRequest): string => {
    try {
      rig.access.kv(as(who)).scan(request).close();
      return 'ok';
    } catch (error) {
      return (error as StormError).code;
    }
  };
  const denied = 'PERMISSION_DENIED';
  assert.is(begin('all', { prefix: key('ward/') }), 'ok');
  assert.is(begin('all', { prefix: key('ward/7') }), 'ok');
  assert.is(begin('all', { from: key('ward/a'), to: key('ward/b') }), 'ok');
  for (const request of [
    {},
    { prefix: key('') },
    { prefix: key('ward') },
    { prefix: key('other/') },
    { from: key('ward/a') },
    { to: key('ward/a') },
    { from: key('ward/a'), to: key('x') },
    { from: key('a'), to: key('ward/b') },
  ]) {
    assert.is(begin('all', request), denied, JSON.stringify(request));
  }
  assert.is(begin('lister', { prefix: key('ward/') }), denied);
  assert.is(begin('lister', { prefix: key('ward/'), keysOnly: true }), 'ok');
  assert.is(begin('every', {}), 'ok');
});

test('a cursor of somebody else opens nothing, and a revoked principal gets no further page', async () => {
  const rig = secureRig([
    principal('all', WARD),
    principal('every', { rights: ['scan', 'read'], prefix: '' }),
  ]);
  for (let i = 0; i < 30; i++) {
    set(rig.store, `ward/${i}`, 'v');
    set(rig.store, `zoo/${i}`, 'v');
  }
  const foreign = rig.access.kv(as('every')).scan({ prefix: key('zoo/'), bytesMax: 1 });
  let cursor: string | undefined;
  await outcome(rig, (done) =>
    foreign.nextPage(Infinity, (error, page) => {
      cursor = page?.cursor;
      done(error);
    }),
  );
  foreign.close();
  assert.type(cursor, 'string');
  const stolen = rig.access.kv(as('all')).scan({ cursor });
  assert.equal(await pageCodes(rig, stolen, 1), ['PERMISSION_DENIED']);

  const own = rig.access.kv(as('all')).scan({ prefix: key('ward/'), bytesMax: 1 });
  assert.equal(await pageCodes(rig, own, 2), ['ok', 'ok']);
  rig.access.update([{ ...principal('all', WARD), disabled: true }]);
  assert.equal(await pageCodes(rig, own, 1), ['UNAUTHENTICATED']);
});

test('who held operations when a right was taken does not keep it', async () => {
  const rig = secureRig([principal('all', WARD)]);
  const kv = rig.access.kv(as('all'));
  const write = () => outcome(rig, (done) => kv.set(key('ward/1'), key('v'), 1e6, done));
  assert.is(await write(), 'ok');
  rig.access.update([principal('all', { rights: ['read'], prefix: 'ward/' })]);
  assert.is(await write(), 'PERMISSION_DENIED');
  rig.access.update([]);
  assert.is(await write(), 'UNAUTHENTICATED');
  rig.access.update([principal('all', WARD)]);
  assert.is(await write(), 'UNAUTHENTICATED', 'a namesake is somebody else');
});

test('writes have audit lines where that is asked for, with keys only where asked, never values', async () => {
  for (const keys of [false, true]) {
    const rig = secureRig([principal('all', WARD)], { writes: true, keys });
    for (const start of Object.values(WRITES)) {
      await outcome(rig, (done) => start(rig.access.kv(as('all')), 'ward/1', done));
    }
    await outcome(rig, (done) => READS['Get']?.(rig.access.kv(as('all')), 'ward/1', done));
    assert.equal(
      rig.lines.map(({ operation, outcome, principal }) => [operation, outcome, principal]),
      Object.keys(WRITES).map((name) => [name, 'ok', 'all']),
    );
    const named = rig.lines.map((line) => line.key);
    assert.is(named[0], keys ? 'ward/1' : undefined);
    assert.is(named[3], keys ? 'ward/first' : undefined);
    assert.is(rig.lines[3]?.entries, 2);
  }
});

run();
