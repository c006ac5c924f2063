import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { suite } from '../harness/suite.js';
import { TEST_LIMITS } from './fake-cluster.js';
import {
  keysOf,
  nextPage,
  pagesOf,
  type Rig,
  rig,
  set,
  settleAll,
  startScan,
} from './operations-rig.js';

const { test, run } = suite('Scan');

function filled(count: number, shardCount = 3): { house: Rig; keys: string[] } {
  const house = rig({ shardCount });
  const keys = Array.from({ length: count }, (_, i) => `key-${String(i).padStart(3, '0')}`);
  for (const key of [...keys].reverse()) set(house, key, `of ${key}`);
  return { house, keys };
}

const snapshotsOpen = ({ cluster }: Rig) =>
  cluster.shards.reduce((sum, { snapshots }) => sum + snapshots.size, 0);

test('merges all shards in the order of keys, forward and reverse, with values and versions', () => {
  const { house, keys } = filled(60);
  for (const shard of house.cluster.shards) shard.pageEntriesMax = 4;
  assert.equal(keysOf(pagesOf(house, {})), keys);
  assert.equal(keysOf(pagesOf(house, {}, { reverse: true })), [...keys].reverse());
  const [page] = pagesOf(house, { prefix: 'key-007' });
  assert.is(page?.entries[0]?.value?.toString(), 'of key-007');
  assert.ok((page?.entries[0]?.version ?? 0) > 0);
  assert.equal([page?.cursor, page?.isLast, page?.freshSnapshot], [undefined, true, false]);
  assert.is(pagesOf(house, {}, { keysOnly: true })[0]?.entries[0]?.value, undefined);
});

test('finds exactly what a sorted list has, whatever bounds, pages and limits', () => {
  const { house, keys } = filled(40);
  const bound = fc.option(
    fc.integer({ min: -1, max: 41 }).map((i) => `key-${String(i).padStart(3, '0')}`),
    { nil: undefined },
  );
  const shape = fc.record({
    from: bound,
    to: bound,
    prefix: fc.constantFrom(undefined, '', 'key-', 'key-01', 'x'),
    reverse: fc.boolean(),
    keysOnly: fc.boolean(),
    limit: fc.nat(12),
    bytesMax: fc.constantFrom(0, 1, 60),
    pageEntriesMax: fc.integer({ min: 1, max: 8 }),
    usesMarks: fc.boolean(),
  });
  fc.assert(
    fc.property(shape, ({ from, to, prefix, pageEntriesMax, usesMarks, ...rest }) => {
      for (const shard of house.cluster.shards) Object.assign(shard, { pageEntriesMax, usesMarks });
      const bounds = {
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
        ...(prefix === undefined ? {} : { prefix }),
      };
      const expected = keys.filter(
        (key) => key >= (from ?? '') && key < (to ?? '~') && key.startsWith(prefix ?? ''),
      );
      if (rest.reverse) expected.reverse();
      // The whole range in scans of `limit`, each from the cursor of the one before.
      const found: string[] = [];
      for (let cursor: string | undefined = ''; cursor !== undefined; ) {
        const pages = pagesOf(house, bounds, { ...rest, cursor });
        const keysNow = keysOf(pages);
        assert.ok(rest.limit === 0 || keysNow.length <= rest.limit);
        found.push(...keysNow);
        cursor = pages.at(-1)?.cursor;
        assert.ok(pages.every(({ freshSnapshot }) => !freshSnapshot));
      }
      assert.equal(found, expected);
      house.cluster.settle();
      assert.is(snapshotsOpen(house), 0, 'every snapshot was ended');
    }),
    { numRuns: 150 },
  );
});

test('sees one moment of each shard, also behind a cursor', () => {
  const { house, keys } = filled(20);
  const [page] = pagesOf(house, {}, { limit: 5 });
  set(house, 'key-010x', 'new');
  set(house, 'key-011', 'changed');
  const rest = pagesOf(house, {}, { cursor: page?.cursor });
  assert.equal(keysOf(rest), keys.slice(5));
  assert.is(
    rest[0]?.entries.find(({ key }) => `${key}` === 'key-011')?.value?.toString(),
    'of key-011',
  );
  assert.ok(rest.every(({ freshSnapshot }) => !freshSnapshot));
});

test('a cursor outlives shards and snapshots: the scan goes on on new ones and says so', () => {
  const { house, keys } = filled(20);
  const [page] = pagesOf(house, {}, { limit: 5 });
  for (let shard = 0; shard < 3; shard++) house.cluster.start(shard);
  set(house, 'key-010x', 'new');
  const rest = pagesOf(house, {}, { cursor: page?.cursor });
  assert.equal(keysOf(rest), [...keys.slice(5, 11), 'key-010x', ...keys.slice(11)]);
  assert.ok(rest.every(({ freshSnapshot }) => freshSnapshot));
});

test('a scan of a whole hash tag asks one shard only', () => {
  const house = rig({ shardCount: 3 });
  for (let i = 0; i < 5; i++) set(house, `{patient-17}/q${i}`, `${i}`);
  assert.is(keysOf(pagesOf(house, { prefix: '{patient-17}' })).length, 5);
  assert.is(house.cluster.shards.filter(({ pagesServed }) => pagesServed > 0).length, 1);
  assert.is(keysOf(pagesOf(house, { prefix: '{patient' })).length, 5);
});

test('fetches nothing ahead beyond one page per shard', () => {
  const { house } = filled(60);
  for (const shard of house.cluster.shards) shard.pageEntriesMax = 2;
  const served = () => house.cluster.shards.reduce((sum, { pagesServed }) => sum + pagesServed, 0);
  const scan = startScan(house, {}, { bytesMax: 1 });
  assert.is(served(), 0, 'nothing before it is asked');
  nextPage(house, scan);
  assert.is(served(), 3);
  nextPage(house, scan);
  assert.ok(served() <= 4);
  scan.close();
});

test('closing ends the snapshots, at once or when the page under way comes', () => {
  const { house } = filled(20);
  const idle = startScan(house, {}, { bytesMax: 1 });
  nextPage(house, idle);
  assert.is(snapshotsOpen(house), 3);
  idle.close();
  idle.close();
  house.cluster.settle();
  assert.is(snapshotsOpen(house), 0);
  const busy = startScan(house, {});
  let answers = 0;
  busy.nextPage(Infinity, () => answers++);
  busy.close();
  house.cluster.settle();
  assert.equal([answers, snapshotsOpen(house)], [0, 0]);
  assert.is(house.cluster.router.status().inFlight, 0);
});

test('bounds the scans in progress; those that ended or failed do not count', () => {
  const { house } = filled(5);
  const scans = Array.from({ length: TEST_LIMITS.scansMax }, () => startScan(house, {}));
  assert.throws(
    () => startScan(house, {}),
    (error: StormError) => {
      return (
        error.code === 'RESOURCE_EXHAUSTED' && error.retryAfterMs === TEST_LIMITS.busyRetryAfterMs
      );
    },
  );
  house.cluster.shard(1).failWith = new StormError('DATA_CORRUPTION', 'a block is damaged');
  for (const scan of scans) {
    assert.throws(
      () => nextPage(house, scan),
      (error: StormError) => error.code === 'DATA_CORRUPTION',
    );
  }
  house.cluster.shard(1).failWith = undefined;
  for (let i = 0; i < 5; i++) assert.is(keysOf(pagesOf(house, {})).length, 5);
});

test('a shard that is down or dies fails the scan, and its cursor goes on later', () => {
  const { house, keys } = filled(20);
  const scan = startScan(house, {}, { bytesMax: 40 });
  const first = nextPage(house, scan);
  for (const shard of house.cluster.shards) shard.isHeld = true;
  let error: StormError | undefined;
  const fetching = startScan(house, {});
  fetching.nextPage(Infinity, (failure) => {
    error = failure;
  });
  house.cluster.router.shardDown(1, 'it died');
  for (const shard of house.cluster.shards) shard.isHeld = false;
  house.cluster.settle();
  assert.is(error?.code, 'UNAVAILABLE');
  assert.throws(
    () => pagesOf(house, {}),
    (failure: StormError) => failure.code === 'UNAVAILABLE',
  );
  house.cluster.start(1);
  const rest = pagesOf(house, {}, { cursor: first.cursor });
  assert.equal([...keysOf([first]), ...keysOf(rest)], keys);
  assert.ok(rest.every(({ freshSnapshot }) => freshSnapshot));
  scan.close();
});

test('refuses bounds, limits and cursors that cannot be', () => {
  const { house } = filled(10);
  const long = 'k'.repeat(TEST_LIMITS.keyBytesMax + 1);
  const wrong = (texts: Record<string, string>, rest: object, pattern: RegExp) => {
    assert.throws(
      () => startScan(house, texts, rest),
      (error: StormError) => {
        return error.code === 'INVALID_ARGUMENT' && pattern.test(error.message);
      },
    );
  };
  for (const name of ['from', 'to', 'prefix']) wrong({ [name]: long }, {}, new RegExp(`"${name}"`));
  for (const limit of [-1, 0.5, Number.NaN]) wrong({}, { limit }, /"limit"/);
  wrong({}, { bytesMax: -1 }, /"bytesMax"/);
  const cursor = pagesOf(house, { prefix: 'key' }, { limit: 3 })[0]?.cursor ?? '';
  assert.is(keysOf(pagesOf(house, { prefix: 'key' }, { cursor })).length, 7);
  wrong({ prefix: 'kez' }, { cursor }, /other bounds/);
  wrong({}, { cursor, reverse: true }, /other bounds or direction/);
  wrong({}, { cursor: `${cursor}A` }, /cursor cannot be used/);
});

test('an inverted range is empty, without asking a shard', () => {
  const { house } = filled(3);
  assert.equal(keysOf(pagesOf(house, { from: 'z', to: 'a' })), []);
  assert.equal(keysOf(pagesOf(house, { from: 'key-001', prefix: 'a' })), []);
});

test('items that are none make the scan INTERNAL', async () => {
  const { house } = filled(3, 1);
  house.cluster.shard(0).failWith = new StormError('INTERNAL', 'nonsense');
  assert.throws(
    () => pagesOf(house, {}),
    (error: StormError) => error.code === 'INTERNAL',
  );
  await settleAll(house);
});

run();
