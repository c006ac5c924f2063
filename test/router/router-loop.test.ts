import { EventEmitter } from 'node:events';
import * as assert from 'uvu/assert';
import { RouterLoop, type WakeSource } from '../../src/router/router-loop.js';
import { PortDoorbell } from '../../src/rpc/doorbell.js';
import { suite } from '../harness/suite.js';
import { FakeCluster } from './fake-cluster.js';

const { test, run } = suite('RouterLoop');

class FakePort extends EventEmitter implements WakeSource {
  isClosed = false;
  close(): void {
    this.isClosed = true;
  }
}

function started() {
  const cluster = new FakeCluster({ mode: 'manual' });
  const bell = new PortDoorbell(cluster.routerBell);
  const loop = new RouterLoop(cluster.router, bell);
  loop.start();
  return { cluster, bell, loop };
}

function setAndStep(cluster: FakeCluster): { isDone: boolean } {
  const call = { isDone: false };
  cluster.router.set(Buffer.from('k'), Buffer.from('v'), Infinity, () => {
    call.isDone = true;
  });
  for (const task of cluster.tasks.splice(0)) task();
  for (const shard of cluster.shards) shard.step();
  return call;
}

test('answers when its port wakes it, and arms the bell again', () => {
  const { cluster, bell, loop } = started();
  const port = new FakePort();
  loop.setWakePort(0, port);
  for (let i = 0; i < 3; i++) {
    const call = setAndStep(cluster);
    assert.not(call.isDone);
    port.emit('message');
    assert.ok(call.isDone);
    let posted = 0;
    bell.ring({ postMessage: () => posted++ });
    assert.is(posted, 1, 'armed');
    port.emit('message');
  }
  loop.stop();
});

test('answers soon although a wake-up was lost', async () => {
  const { cluster, loop } = started();
  const call = setAndStep(cluster);
  const begun = performance.now();
  while (!call.isDone) await new Promise(setImmediate);
  assert.ok(performance.now() - begun < 5000);
  loop.stop();
});

test('closes the port of a former life, and all of them in the end', () => {
  const { cluster, loop } = started();
  const ports = [new FakePort(), new FakePort(), new FakePort()] as const;
  loop.setWakePort(0, ports[0]);
  loop.setWakePort(1, ports[1]);
  loop.setWakePort(0, ports[2]);
  assert.equal(
    ports.map(({ isClosed }) => isClosed),
    [true, false, false],
  );
  const call = setAndStep(cluster);
  ports[0].emit('message');
  assert.not(call.isDone, 'a former life wakes nobody');
  loop.stop();
  assert.ok(ports.every(({ isClosed }) => isClosed));
});

run();
