import { EventEmitter } from 'node:events';
import * as assert from 'uvu/assert';
import { slotOfKey } from '../../src/base/slot.js';
import type { RouterBoot, ToRouter } from '../../src/rpc/control.js';
import { equalSlotRanges } from '../../src/storage/root-manifest.js';
import { RunningCluster } from '../../src/supervisor/cluster.js';
import type { RouterThread } from '../../src/supervisor/router-keeper.js';
import { ManualClock } from '../harness/manual-clock.js';
import { OPEN_DOOR_BOOT } from '../harness/open-doors.js';
import { suite } from '../harness/suite.js';
import { delivered, ENGINE, FakeShard, LINK_SIZES } from './fake-shard.js';
import { ManualTimers } from './manual-timers.js';

const { test, run } = suite('RunningCluster');
const DRAIN_MS = 500;
const { shard: _shard, dir: _dir, storeUuid: _uuid, ...SHARED_ENGINE } = ENGINE;

/** A router without a thread that ends in order when it is told to. */
class FakeRouter extends EventEmitter implements RouterThread {
  readonly heard: ToRouter[] = [];
  constructor(
    readonly boot: RouterBoot,
    diary: string[],
  ) {
    super();
    boot.control.on('message', (message: ToRouter) => {
      this.heard.push(message);
      if (message.kind !== 'drain') return;
      diary.push('drained');
      boot.control.postMessage({ kind: 'drained' });
      this.exit(0);
    });
  }
  listen(): void {
    this.boot.control.postMessage({ kind: 'listening', grpcAddress: 'g:1', httpAddress: 'h:1' });
  }
  exit(code: number): void {
    this.emit('exit', code);
    this.boot.control.close();
  }
  unref(): void {}
}

/** A shard that ends when it is told to, unless it is deaf. */
class ObedientShard extends FakeShard {
  isDeaf = false;
  isImmortal = false;

  obey(): void {
    if (this.isDeaf || !this.heard().some(({ kind }) => kind === 'stop')) return;
    this.say({ kind: 'stopped' });
    this.exit(0);
  }
  override async terminate(): Promise<void> {
    if (!this.isImmortal && !this.isTerminated) this.exit(1);
    this.isTerminated = true;
  }
}

class Rig {
  readonly diary: string[] = [];
  readonly shards: ObedientShard[] = [];
  readonly routers: FakeRouter[] = [];
  readonly timers = new ManualTimers();
  readonly started: Promise<RunningCluster>;

  constructor() {
    this.started = RunningCluster.start({
      plan: {
        dataDir: '/data',
        shardCount: 2,
        doors: [{ grpcAddress: '127.0.0.1:0', httpAddress: '127.0.0.1:0', sharesPorts: false }],
        router: {
          ...OPEN_DOOR_BOOT,
          keyBytesMax: 64,
          valueBytesMax: 256,
          inFlightMax: 16,
          deadlineMsDefault: 1000,
          batchBytesMax: 65_536,
          batchEntriesMax: 100,
        },
        engine: SHARED_ENGINE,
        linkSizes: LINK_SIZES,
        arenaCount: 4,
        compaction: { quickThreads: 1, mergeThreads: 1, queueMax: 8, niceIncrement: 0 },
        supervision: {
          restartBackoffMsMax: 1000,
          heartbeatMsMax: 4000,
          drainMsMax: DRAIN_MS,
          drainDelayMs: 0,
        },
        isChaosAllowed: false,
      },
      root: {
        storeUuid: 'ab'.repeat(16),
        shardCount: 2,
        slotMapEpoch: 1,
        slotRanges: equalSlotRanges(2),
      },
      pool: {
        threads: () => 1,
        run: () => new Promise(() => {}),
        killThread: async () => {},
        close: async () => void this.diary.push('pool closed'),
      },
      host: {
        version: '1.2.3',
        pid: 4711,
        rssBytes: () => 1000,
        space: () => ({ freeBytes: 1, totalBytes: 2 }),
      },
      releaseLock: async () => void this.diary.push('lock released'),
      spawnShard: (boot) => {
        const shard = new ObedientShard(boot);
        this.shards.push(shard);
        return shard;
      },
      spawnRouter: (boot) => {
        const router = new FakeRouter(boot, this.diary);
        this.routers.push(router);
        return router;
      },
      clock: new ManualClock(),
      timers: this.timers,
      log: { write: () => {} },
      onFatal: (message) => this.diary.push(`fatal: ${message}`),
      onShardChange: ({ shard, phase }) => {
        if (phase === 'stopped') this.diary.push(`shard ${shard} stopped`);
      },
    });
  }

  /** Both shards serve and the doors listen. */
  async ready(): Promise<RunningCluster> {
    for (const shard of this.shards) {
      shard.say({ kind: 'ready', recoveredRecords: 3, recoveryMs: 1, lastSequence: 3 });
    }
    this.routers[0]?.listen();
    return this.started;
  }

  async close(cluster: RunningCluster): Promise<void> {
    const closed = cluster.close();
    await delivered();
    for (const shard of this.shards) shard.obey();
    await closed;
    assert.is(this.timers.count, 0, 'no timer is left');
  }
}

test('is ready when all shards serve and the doors listen, not before', async () => {
  const rig = new Rig();
  let isStarted = false;
  void rig.started.then(() => {
    isStarted = true;
  });
  rig.routers[0]?.listen();
  rig.shards[0]?.say({ kind: 'ready', recoveredRecords: 3, recoveryMs: 1, lastSequence: 3 });
  await delivered();
  assert.not(isStarted);
  rig.shards[1]?.say({ kind: 'ready', recoveredRecords: 4, recoveryMs: 1, lastSequence: 4 });
  const cluster = await rig.started;
  assert.is(cluster.recoveredRecords, 7);
  assert.is(cluster.grpcAddress, 'g:1');
  assert.equal(cluster.shardState(1), { shard: 1, phase: 'serving', epoch: 1, reason: '' });
  assert.throws(() => cluster.shardState(2), /no shard 2/);
  await rig.close(cluster);
});

test('gives the router the owner of every slot', async () => {
  const rig = new Rig();
  const boot = rig.routers[0]?.boot;
  assert.ok(boot !== undefined);
  const owners = new Uint16Array(boot.slotOwner);
  assert.is(owners.length, 16_384);
  const key = Buffer.from('patient-17');
  const slot = slotOfKey(key, 0, key.length);
  assert.is(owners[slot], slot < 8192 ? 0 : 1);
  assert.equal([owners[0], owners[8191], owners[8192], owners[16_383]], [0, 0, 1, 1]);
  await rig.close(await rig.ready());
});

test('answers an operator with the state of the process, the bounds and every shard', async () => {
  const rig = new Rig();
  const cluster = await rig.ready();
  rig.routers[0]?.boot.control.postMessage({ kind: 'ask', id: 5, question: { kind: 'stats' } });
  await delivered();
  const answer = rig.routers[0]?.heard.find((message) => message.kind === 'answer');
  assert.ok(answer?.kind === 'answer' && answer.answer.kind === 'stats');
  assert.is(answer.id, 5);
  const { process, bounds, routers, shards } = answer.answer.stats;
  assert.equal(routers, [{ router: 0, draining: false, inFlight: 0 }]);
  assert.equal(process, { version: '1.2.3', pid: 4711, uptimeMs: 0, rssBytes: 1000 });
  assert.equal(bounds, {
    memTableBytesMax: 4096,
    walLiveBytesMax: 262_144,
    diskFreeBytes: 1,
    diskTotalBytes: 2,
  });
  assert.equal(
    shards.map(({ state, epoch, recoveries, recoveredRecords }) => {
      return [state, epoch, recoveries, recoveredRecords];
    }),
    [
      ['serving', 1, 1, 3],
      ['serving', 1, 1, 3],
    ],
  );
  assert.is(shards[0]?.counters.walLiveBytes, 0);
  await cluster.killShard(1);
  assert.equal(cluster.adminStats().shards[1]?.state, 'recovering');
  assert.match(cluster.adminStats().shards[1]?.reason ?? '', /exited/);
  await rig.close(cluster);
});

test('stops in order: doors, shards, pool, lock', async () => {
  const rig = new Rig();
  const cluster = await rig.ready();
  await rig.close(cluster);
  assert.equal(rig.diary, [
    'drained',
    'shard 0 stopped',
    'shard 1 stopped',
    'pool closed',
    'lock released',
  ]);
  await cluster.close();
  await cluster.closed;
  assert.is(rig.diary.length, 5);
});

test('ends a shard by force that does not stop in time', async () => {
  const rig = new Rig();
  const cluster = await rig.ready();
  const [deaf] = rig.shards;
  assert.ok(deaf !== undefined);
  deaf.isDeaf = true;
  const closed = cluster.close();
  await delivered();
  for (const shard of rig.shards) shard.obey();
  assert.not(deaf.isTerminated);
  rig.timers.advance(1000);
  assert.ok(deaf.isTerminated);
  await closed;
  assert.is(rig.diary.at(-1), 'lock released');
});

test('keeps the lock while a thread that cannot be ended may still write', async () => {
  const rig = new Rig();
  const cluster = await rig.ready();
  const [stuck] = rig.shards;
  assert.ok(stuck !== undefined);
  stuck.isDeaf = true;
  stuck.isImmortal = true;
  const closed = cluster.close();
  await delivered();
  for (const shard of rig.shards) shard.obey();
  rig.timers.advance(60_000);
  await closed;
  assert.is(rig.diary.at(-1), 'pool closed');
  stuck.exit(1);
});

test('leaves nothing running when the doors cannot listen', async () => {
  const rig = new Rig();
  rig.routers[0]?.boot.control.postMessage({ kind: 'failed', message: 'port taken' });
  await delivered();
  for (const shard of rig.shards) shard.obey();
  const error: unknown = await rig.started.catch((e) => e);
  assert.match(String(error), /port taken/);
  assert.is(rig.diary.at(-1), 'lock released');
  assert.is(rig.timers.count, 0);
});

test('starts although a shard keeps dying, and says so', async () => {
  const rig = new Rig();
  const [first, second] = rig.shards;
  assert.ok(first !== undefined && second !== undefined);
  rig.routers[0]?.listen();
  second.say({ kind: 'ready', recoveredRecords: 1, recoveryMs: 1, lastSequence: 1 });
  first.emit('error', new Error('bug in recovery'));
  first.exit(1);
  const third = rig.shards[2];
  assert.ok(third !== undefined, 'the first death is answered at once');
  third.emit('error', new Error('bug in recovery'));
  third.exit(1);
  const cluster = await rig.started;
  assert.equal(cluster.refusedShards, [{ shard: 0, reason: 'bug in recovery' }]);
  await rig.close(cluster);
});

test('is fatal when a router dies', async () => {
  const rig = new Rig();
  const cluster = await rig.ready();
  rig.routers[0]?.exit(7);
  assert.equal(rig.diary, ['fatal: Router 0 died: its thread exited (code 7)']);
  await rig.close(cluster);
});

test('killShard resolves when the thread is gone', async () => {
  const rig = new Rig();
  const cluster = await rig.ready();
  await cluster.killShard(1);
  assert.is(cluster.shardState(1).epoch, 2);
  await rig.close(cluster);
});

run();
