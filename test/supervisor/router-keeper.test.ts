import { EventEmitter } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import type { RouterBoot, ToRouter } from '../../src/rpc/control.js';
import { OPEN_DOORS } from '../../src/rpc/door-security.js';
import { PortDoorbell } from '../../src/rpc/doorbell.js';
import { allocateLink } from '../../src/rpc/link.js';
import { TrafficMemory } from '../../src/rpc/traffic.js';
import {
  RouterGroup,
  RouterKeeper,
  type RouterThread,
} from '../../src/supervisor/router-keeper.js';
import { OPEN_DOOR_BOOT } from '../harness/open-doors.js';
import { suite } from '../harness/suite.js';
import { delivered, LINK_SIZES, readAll } from './fake-shard.js';

const { test, run } = suite('RouterKeeper');
const BOOT: Omit<RouterBoot, 'control' | 'stats'> = {
  router: 0,
  grpcAddress: '127.0.0.1:0',
  httpAddress: '127.0.0.1:0',
  sharesPorts: false,
  ...OPEN_DOOR_BOOT,
  shardStats: [],
  keyBytesMax: 64,
  valueBytesMax: 256,
  inFlightMax: 16,
  deadlineMsDefault: 1000,
  trafficMemory: TrafficMemory.allocate(),
  trafficSeed: 1,
  batchBytesMax: 65_536,
  batchEntriesMax: 100,
  shardCount: 1,
  slotOwner: new SharedArrayBuffer(2),
  slotMapEpoch: 1,
  routerBell: PortDoorbell.allocate(),
  security: OPEN_DOORS,
};
const LISTENING = { kind: 'listening', grpcAddress: 'a:1', httpAddress: 'a:2' } as const;
const NEVER = new Promise<void>(() => {});

class FakeRouter extends EventEmitter implements RouterThread {
  isUnreferenced = false;
  constructor(readonly control: MessagePort) {
    super();
  }
  unref(): void {
    this.isUnreferenced = true;
  }
  exit(): void {
    this.emit('exit', 1);
    this.control.close();
  }
}

function makeRig() {
  const diary: string[] = [];
  const routers: FakeRouter[] = [];
  const keeper = new RouterKeeper({
    boot: BOOT,
    spawn: ({ control }) => {
      const router = new FakeRouter(control);
      routers.push(router);
      return router;
    },
    log: { write: (level, message) => diary.push(`${level} ${message}`) },
    onFatal: (message) => diary.push(`fatal ${message}`),
    onAudit: ({ event }, router) => diary.push(`audit ${event} of ${router}`),
    onAsk: async ({ kind }) => ({ kind: 'failed', code: 'UNIMPLEMENTED', message: `no ${kind}` }),
    onDamage: (shard, epoch) => diary.push(`damage ${shard} ${epoch}`),
  });
  const started = keeper.start();
  // Some tests end while it is starting and do not look.
  started.catch(() => {});
  const [router] = routers;
  assert.ok(router !== undefined);
  return { keeper, started, router, diary };
}

test('resolves with the real addresses once the doors listen', async () => {
  const { started, router } = makeRig();
  router.control.postMessage(LISTENING);
  const { grpcAddress, httpAddress } = await started;
  assert.equal([grpcAddress, httpAddress], ['a:1', 'a:2']);
  router.exit();
});

test('rejects the start with why the doors cannot listen; that is not fatal', async () => {
  const { started, router, diary } = makeRig();
  router.control.postMessage({ kind: 'failed', message: 'port taken' });
  router.emit('exit', 0);
  const error: unknown = await started.catch((e) => e);
  assert.match(String(error), /port taken/);
  assert.equal(diary, []);
});

test('rejects the start of a thread that dies, with what it threw', async () => {
  const { started, router, diary } = makeRig();
  router.emit('error', new Error('no such module'));
  router.exit();
  const error: unknown = await started.catch((e) => e);
  assert.match(String(error), /no such module/);
  assert.equal(diary, []);
});

test('is fatal when the thread dies unasked', async () => {
  const { started, router, diary } = makeRig();
  router.control.postMessage(LISTENING);
  await started;
  router.emit('error', new Error('boom'));
  router.exit();
  assert.equal(diary, ['fatal Router 0 died: boom']);
});

test('passes damage and log lines on', async () => {
  const { router, diary } = makeRig();
  router.control.postMessage({ kind: 'damaged', shard: 3, epoch: 2, message: 'frame 9' });
  router.control.postMessage({ kind: 'log', level: 'warn', message: 'slow', fields: {} });
  await delivered();
  assert.equal(diary, ['error frame 9', 'damage 3 2', 'warn slow']);
  router.exit();
});

test('answers what the router asks, under its id', async () => {
  const { started, router } = makeRig();
  router.control.postMessage(LISTENING);
  await started;
  router.control.postMessage({ kind: 'ask', id: 7, question: { kind: 'stats' } });
  await delivered();
  const answer = { kind: 'failed', code: 'UNIMPLEMENTED', message: 'no stats' };
  assert.equal(readAll<ToRouter>(router.control), [{ kind: 'answer', id: 7, answer }]);
  router.exit();
});

test('drains: done when the thread is gone, and nothing is fatal any more', async () => {
  const { keeper, started, router, diary } = makeRig();
  router.control.postMessage(LISTENING);
  await started;
  const drained = keeper.drain(0, 500, NEVER);
  await delivered();
  assert.equal(readAll<ToRouter>(router.control), [{ kind: 'drain', delayMs: 0, deadlineMs: 500 }]);
  router.control.postMessage({ kind: 'drained' });
  router.exit();
  assert.is(await drained, true);
  assert.equal(diary, []);
  assert.is(await keeper.drain(0, 500, NEVER), true);
});

test('gives a router up that does not end, without terminating it', async () => {
  const { keeper, router } = makeRig();
  assert.is(await keeper.drain(0, 500, Promise.resolve()), false);
  assert.ok(router.isUnreferenced);
  router.control.close();
});

test('RouterGroup gives each router its own link and wake port', async () => {
  const { keeper, started, router } = makeRig();
  router.control.postMessage(LISTENING);
  await started;
  const wake = new MessageChannel();
  const shardBell = new SharedArrayBuffer(256);
  const identity = { shard: 0, router: 0, epoch: 4, slotMapEpoch: 1, shardBell };
  const link = allocateLink(LINK_SIZES, { ...identity, routerBell: BOOT.routerBell });
  const group = new RouterGroup([keeper]);
  group.shardUp(0, [{ link, wake: wake.port2 }]);
  group.shardDown(0, 'gone');
  group.shardRefused(0, 'damaged');
  await delivered();
  const heard = readAll<ToRouter>(router.control);
  assert.equal(
    heard.map(({ kind }) => kind),
    ['shard-up', 'shard-down', 'shard-refused'],
  );
  const [up] = heard;
  assert.ok(up?.kind === 'shard-up' && up.link.epoch === 4);
  up.wake.close();
  router.exit();
});

run();
