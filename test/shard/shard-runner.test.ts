import * as assert from 'uvu/assert';
import { systemChannels } from '../../src/rpc/channels.js';
import type { FromShard, ShardBoot, ToShard } from '../../src/rpc/control.js';
import { PortDoorbell, ThreadDoorbell } from '../../src/rpc/doorbell.js';
import { allocateLink } from '../../src/rpc/link.js';
import { ShardStats } from '../../src/rpc/shard-stats.js';
import { SyncAlarm } from '../../src/rpc/sync-alarm.js';
import { ShardRunner } from '../../src/shard/shard-runner.js';
import { RIG_DIR, smallOptions } from '../harness/engine-rig.js';
import { ManualClock } from '../harness/manual-clock.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('ShardRunner');

const RING_BYTES = 64 * 1024;
const SIZES = {
  writeRequestBytes: RING_BYTES,
  readRequestBytes: RING_BYTES,
  writeReplyBytes: RING_BYTES,
  readReplyBytes: RING_BYTES,
};

function makeRunner(disk = new SimulatedDisk()) {
  disk.makeDir(RIG_DIR);
  const control = systemChannels.open();
  const wake = systemChannels.open();
  const engine = smallOptions();
  const identity = {
    shard: 0,
    router: 0,
    epoch: 1,
    slotMapEpoch: 1,
    shardBell: ThreadDoorbell.allocate(),
    routerBell: PortDoorbell.allocate(),
  };
  const boot: ShardBoot = {
    engine,
    slotMapEpoch: 1,
    links: [allocateLink(SIZES, identity)],
    routerPorts: [wake.port1],
    control: control.port2,
    stats: ShardStats.allocate(),
    arenas: [new SharedArrayBuffer(engine.arenaBytes)],
    distrustPageCache: false,
    syncAlarm: SyncAlarm.allocate(),
    syncFailuresKnown: 0,
  };
  const clock = new ManualClock();
  const random = new SeededRandom(1);
  const runner = new ShardRunner(boot, { fs: disk, clock, random, channels: systemChannels });
  const heard = () => {
    const messages: FromShard[] = [];
    for (;;) {
      const received = systemChannels.receive(control.port1);
      if (received === undefined) return messages;
      messages.push(received.message as FromShard);
    }
  };
  const say = (message: ToShard) => control.port1.postMessage(message);
  return { runner, heard, say, stats: new ShardStats(boot.stats), disk };
}

test('a new shard says that it is ready with its first turn', () => {
  const { runner, heard } = makeRunner();
  assert.ok(runner.open());
  const readies = () => heard().filter(({ kind }) => kind === 'ready').length;
  assert.is(readies(), 0);
  runner.step();
  assert.is(readies(), 1);
  runner.step();
  assert.is(readies(), 0);
});

test('told to stop, it seals its log, says so, and takes no turn any more', () => {
  const { runner, heard, say, disk } = makeRunner();
  runner.open();
  runner.step();
  heard();
  say({ kind: 'stop' });
  assert.is(runner.step().kind, 'ended');
  assert.is(heard().at(-1)?.kind, 'stopped');
  assert.is(disk.openFileCount, 0);
  assert.is(runner.step().kind, 'ended');
});

test('a shard that cannot open its data says why and is over', () => {
  const { runner, heard, disk } = makeRunner();
  disk.fail({ kind: 'list', code: 'EIO', sticky: true });
  assert.not(runner.open());
  const [refusal] = heard();
  assert.is(refusal?.kind, 'refused');
  assert.is(refusal?.kind === 'refused' && refusal.code, 'UNAVAILABLE');
  assert.is(runner.step().kind, 'ended');
});

test('figures are copied at its first turn and then every 100 ms', () => {
  const { runner, stats } = makeRunner();
  runner.open();
  runner.step();
  stats.set('memTableBytes', 12_345);
  runner.publishFigures();
  assert.is.not(stats.all().memTableBytes, 12_345);
  stats.set('memTableBytes', 12_345);
  runner.publishFigures();
  assert.is(stats.all().memTableBytes, 12_345);
});

run();
