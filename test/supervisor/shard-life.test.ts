import * as assert from 'uvu/assert';
import type { FromShard } from '../../src/rpc/control.js';
import { PortDoorbell } from '../../src/rpc/doorbell.js';
import { ShardStats } from '../../src/rpc/shard-stats.js';
import { SyncAlarm } from '../../src/rpc/sync-alarm.js';
import { ShardLife } from '../../src/supervisor/shard-life.js';
import { suite } from '../harness/suite.js';
import { delivered, ENGINE, FakeShard, LINK_SIZES } from './fake-shard.js';

const { test, run } = suite('ShardLife');

function makeLife(routers = 2) {
  const life = new ShardLife({
    engine: ENGINE,
    epoch: 5,
    slotMapEpoch: 2,
    linkSizes: LINK_SIZES,
    routerBells: Array.from({ length: routers }, () => PortDoorbell.allocate()),
    stats: ShardStats.allocate(),
    distrustPageCache: true,
    syncAlarm: SyncAlarm.allocate(),
    syncFailuresKnown: 0,
  });
  const diary: string[] = [];
  const listener = {
    message: ({ kind }: FromShard) => diary.push(kind),
    error: (error: unknown) => diary.push(String(error)),
    exit: (exitCode: number) => diary.push(`exit ${exitCode}`),
  };
  return { life, diary, listener };
}

function started(routers = 2) {
  const { life, diary, listener } = makeLife(routers);
  const shards: FakeShard[] = [];
  const spawn = (boot: FakeShard['boot']) => {
    const shard = new FakeShard(boot);
    shards.push(shard);
    return shard;
  };
  life.start(spawn, [new SharedArrayBuffer(8)], listener);
  const [shard] = shards;
  assert.ok(shard !== undefined);
  return { life, diary, shard };
}

test('boots its shard with one link and wake port per router, of its epoch', () => {
  const { life, shard } = started();
  const { boot } = shard;
  assert.equal(
    boot.links.map(({ router, epoch, slotMapEpoch }) => [router, epoch, slotMapEpoch]),
    [
      [0, 5, 2],
      [1, 5, 2],
    ],
  );
  assert.is(boot.links[0]?.shardBell, boot.links[1]?.shardBell, 'one bell for all');
  assert.is(boot.routerPorts.length, 2);
  assert.ok(boot.distrustPageCache);
  const ends = life.takeRouterLinks();
  assert.is(ends[1]?.link, boot.links[1]);
  assert.equal(life.takeRouterLinks(), [], 'a wake port is handed out once');
  for (const { wake } of ends) wake.close();
  shard.exit(0);
});

test('wakes the router through the port that belongs to its link', async () => {
  const { life, shard } = started(1);
  const [end] = life.takeRouterLinks();
  assert.ok(end !== undefined);
  const woken = new Promise((resolve) => end.wake.once('message', resolve));
  shard.boot.routerPorts[0]?.postMessage(1);
  assert.is(await woken, 1);
  end.wake.close();
  shard.exit(0);
});

test('delivers what the thread said before it reports the exit', () => {
  const { diary, shard } = started();
  shard.say({ kind: 'poisoned', message: 'EIO' });
  shard.say({ kind: 'arena-wanted' });
  shard.exit(3);
  assert.equal(diary, ['poisoned', 'arena-wanted', 'exit 3']);
});

test('says nothing to a thread that is gone', async () => {
  const { life, shard } = started();
  shard.exit(0);
  life.stop();
  life.grantArena(new SharedArrayBuffer(8));
  life.jobDone(1, { ok: false, code: 'X', message: '' });
  await delivered();
  assert.equal(shard.heard(), []);
});

test('throws when no thread can be started', () => {
  const { life, diary, listener } = makeLife();
  const spawn = () => {
    throw new Error('EAGAIN');
  };
  assert.throws(() => life.start(spawn, [], listener), /EAGAIN/);
  assert.equal(diary, []);
  life.stop();
});

run();
