import * as assert from 'uvu/assert';
import type { ShardBoot } from '../../src/rpc/control.js';
import { PortDoorbell, ThreadDoorbell } from '../../src/rpc/doorbell.js';
import type { Job, JobResult } from '../../src/rpc/jobs.js';
import { ShardStats } from '../../src/rpc/shard-stats.js';
import { SyncAlarm } from '../../src/rpc/sync-alarm.js';
import { ArenaPool } from '../../src/supervisor/arena-pool.js';
import { CompactionDesk } from '../../src/supervisor/compaction-desk.js';
import { type RouterBoard, ShardKeeper } from '../../src/supervisor/shard-keeper.js';
import { type RouterLink, ShardLife } from '../../src/supervisor/shard-life.js';
import { ManualClock } from '../harness/manual-clock.js';
import { suite } from '../harness/suite.js';
import { delivered, ENGINE, FakeShard, LINK_SIZES } from './fake-shard.js';
import { ManualTimers } from './manual-timers.js';

const { test, run } = suite('ShardKeeper');
const DONE: JobResult = { ok: true, output: { tables: [], bytesRead: 0, bytesWritten: 0 } };

class Rig implements RouterBoard {
  readonly shards: FakeShard[] = [];
  readonly diary: string[] = [];
  readonly links: RouterLink[] = [];
  readonly jobs: { job: Job; end: () => void }[] = [];
  readonly timers = new ManualTimers();
  readonly clock = new ManualClock();
  readonly arenas = new ArenaPool({
    count: 2,
    arenaBytes: 4096,
    shardCount: 1,
    touch: () => Promise.resolve(),
  });
  readonly keeper: ShardKeeper;
  spawnFailure: Error | undefined;

  constructor() {
    const desk = new CompactionDesk({
      pool: {
        threads: () => 1,
        run: (_, job) =>
          new Promise((resolve) => this.jobs.push({ job, end: () => resolve(DONE) })),
      },
      queueMax: 8,
      pinArena: (client, arena) =>
        client instanceof ShardLife ? this.arenas.pin(client, arena) : undefined,
    });
    this.keeper = new ShardKeeper({
      engine: ENGINE,
      slotMapEpoch: 1,
      linkSizes: LINK_SIZES,
      routerBells: [PortDoorbell.allocate()],
      policy: { restartBackoffMsMax: 1000, heartbeatMsMax: 4000 },
      routers: this,
      arenas: this.arenas,
      desk,
      spawn: (boot) => this.#spawn(boot),
      clock: this.clock,
      timers: this.timers,
      log: { write: () => {} },
      onChange: (_, state) => this.diary.push(state.phase),
    });
    this.keeper.start();
  }

  get shard(): FakeShard {
    const last = this.shards.at(-1);
    assert.ok(last !== undefined);
    return last;
  }

  /** The current life is ready. */
  async ready(): Promise<void> {
    this.shard.say({ kind: 'ready', recoveredRecords: 7, recoveryMs: 1, lastSequence: 7 });
    await delivered();
  }

  async end(): Promise<void> {
    this.keeper.stop(100);
    if (this.keeper.state.phase !== 'stopped') this.shard.exit(0);
    for (const { wake } of this.links) wake.close();
    assert.is(this.timers.count, 0, 'no timer is left');
  }

  shardUp(shard: number, links: RouterLink[]): void {
    this.links.push(...links);
    this.diary.push(`up ${shard} by link ${links[0]?.link.epoch}`);
  }
  shardDown(shard: number, reason: string): void {
    this.diary.push(`down ${shard}: ${reason}`);
  }
  shardRefused(shard: number, reason: string): void {
    this.diary.push(`refused ${shard}: ${reason}`);
  }

  #spawn(boot: ShardBoot): FakeShard {
    if (this.spawnFailure !== undefined) throw this.spawnFailure;
    this.diary.push(`spawn ${boot.links[0]?.epoch}`);
    const shard = new FakeShard(boot);
    this.shards.push(shard);
    return shard;
  }
}

test('announces a shard when it is ready, on the links of its life', async () => {
  const rig = new Rig();
  assert.is(rig.shard.boot.arenas.length, 2);
  assert.equal(rig.diary, ['spawn 1', 'recovering']);
  await rig.ready();
  assert.equal(rig.diary.slice(2), ['up 0 by link 1', 'serving']);
  assert.is(rig.keeper.recoveredRecords, 7);
  await rig.end();
});

test('replaces a dead thread by a new life with new links and all its arenas', async () => {
  const rig = new Rig();
  await rig.ready();
  const old = rig.shard;
  old.exit(1);
  assert.equal(rig.diary.slice(4, 7), [
    'down 0: its thread exited (code 1)',
    'spawn 2',
    'recovering',
  ]);
  const { boot } = rig.shard;
  assert.is(boot.arenas.length, 2);
  assert.is.not(boot.links[0]?.writeRequests.data, old.boot.links[0]?.writeRequests.data);
  assert.is(boot.stats, old.boot.stats, 'counters go on');
  await rig.ready();
  assert.equal(rig.diary.slice(-2), ['up 0 by link 2', 'serving']);
  await rig.end();
});

test('hears what a thread said just before its exit', async () => {
  const rig = new Rig();
  rig.shard.say({ kind: 'refused', code: 'DATA_CORRUPTION', message: 'bad' });
  rig.shard.exit(0);
  assert.is(rig.keeper.state.phase, 'refused');
  assert.ok(rig.diary.includes('refused 0: DATA_CORRUPTION: bad'));
  assert.is(rig.shards.length, 1);
  await rig.end();
});

test('ignores a life that is over', async () => {
  const rig = new Rig();
  await rig.ready();
  const old = rig.shard;
  old.exit(1);
  old.say({ kind: 'ready', recoveredRecords: 99, recoveryMs: 1, lastSequence: 1 });
  await delivered();
  assert.is(rig.keeper.state.phase, 'recovering');
  rig.keeper.reportDamage(1, 'ring of the old life');
  assert.is(rig.keeper.state.phase, 'recovering');
  await rig.end();
});

test('restarts a shard whose channel is damaged', async () => {
  const rig = new Rig();
  await rig.ready();
  rig.keeper.reportDamage(1, 'frame 9');
  assert.ok(rig.shard.isTerminated);
  assert.is(rig.keeper.state.phase, 'ending');
  rig.shard.exit(1);
  assert.is(rig.shards.length, 2);
  await rig.end();
});

test('terminates a shard that takes no turns, but not one that recovers', async () => {
  const rig = new Rig();
  rig.timers.advance(60_000);
  assert.not(rig.shard.isTerminated);
  await rig.ready();
  const stats = new ShardStats(rig.shard.boot.stats);
  for (let i = 0; i < 10; i++) {
    stats.add('turns', 1);
    rig.timers.advance(1000);
  }
  assert.not(rig.shard.isTerminated);
  rig.timers.advance(5000);
  assert.ok(rig.shard.isTerminated);
  rig.shard.exit(1);
  await rig.end();
});

test('brings results and arenas to the shard and rings its bell', async () => {
  const rig = new Rig();
  await rig.ready();
  const { boot } = rig.shard;
  const [arena] = boot.arenas;
  const bellMemory = boot.links[0]?.shardBell;
  assert.ok(arena !== undefined && bellMemory !== undefined);
  const bell = new ThreadDoorbell(bellMemory);
  const rung = bell.prepare();
  rig.shard.say({ kind: 'job', id: 3, job: { kind: 'touch-arena', arena } });
  rig.shard.say({ kind: 'arena-wanted' });
  rig.shard.say({ kind: 'arena-back', arena });
  await delivered();
  rig.jobs[0]?.end();
  await delivered();
  const heard = rig.shard.heard();
  assert.equal(heard.map(({ kind }) => kind).sort(), ['arena', 'job-done']);
  assert.is.not(bell.prepare(), rung);
  await rig.end();
});

test('keeps an arena that a job of a dead life still reads until the job ends', async () => {
  const rig = new Rig();
  await rig.ready();
  const [arena] = rig.shard.boot.arenas;
  assert.ok(arena !== undefined);
  const { table } = ENGINE;
  const job: Job = { kind: 'flush', dir: '/', arena, snapshots: [], outputs: [], table };
  rig.shard.say({ kind: 'job', id: 1, job });
  await delivered();
  rig.shard.exit(1);
  assert.is(rig.shard.boot.arenas.length, 1, 'the new life begins with the other one');
  assert.not(rig.shard.boot.arenas.includes(arena));
  rig.shard.say({ kind: 'arena-wanted' });
  await delivered();
  assert.equal(rig.shard.heard(), []);
  rig.jobs[0]?.end();
  await delivered();
  assert.equal(
    rig.shard.heard().map(({ kind }) => kind),
    ['arena'],
    'and no result of a job that it never asked for',
  );
  await rig.end();
});

test('treats a thread that cannot be started like one that died', async () => {
  const rig = new Rig();
  await rig.ready();
  rig.spawnFailure = new Error('no memory for a thread');
  rig.shard.exit(1);
  assert.is(rig.keeper.state.phase, 'waiting');
  assert.match(rig.keeper.state.reason, /no memory/);
  assert.is(rig.arenas.freeCount, 2);
  rig.spawnFailure = undefined;
  rig.timers.advance(50);
  assert.is(rig.keeper.state.phase, 'recovering');
  await rig.end();
});

test('asks a shard to stop, and terminates it when it is late', async () => {
  const rig = new Rig();
  await rig.ready();
  rig.keeper.stop(100);
  assert.equal(rig.shard.heard(), [{ kind: 'stop' }]);
  rig.timers.advance(99);
  assert.not(rig.shard.isTerminated);
  rig.timers.advance(1);
  assert.ok(rig.shard.isTerminated);
  rig.shard.exit(1);
  assert.is(rig.keeper.state.phase, 'stopped');
  await rig.end();
});

test('distrusts the page cache when a life dies before its word of a failed sync', async () => {
  const rig = new Rig();
  await rig.ready();
  assert.not(rig.shard.boot.distrustPageCache);
  new SyncAlarm(rig.shard.boot.syncAlarm).raise();
  rig.shard.exit(1);
  const { syncAlarm, syncFailuresKnown, distrustPageCache } = rig.shard.boot;
  assert.ok(distrustPageCache);
  assert.not(new SyncAlarm(syncAlarm, syncFailuresKnown).isRaised, 'it has been told');
  rig.shard.exit(1);
  rig.timers.advance(50);
  assert.ok(rig.shard.boot.distrustPageCache, 'until a life has served');
  await rig.ready();
  rig.shard.exit(1);
  rig.timers.advance(1000);
  assert.not(rig.shard.boot.distrustPageCache);
  await rig.end();
});

run();
