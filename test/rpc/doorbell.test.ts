import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import { PortDoorbell, ThreadDoorbell } from '../../src/rpc/doorbell.js';
import { allocateLink, type LinkMemory, RouterEnd } from '../../src/rpc/link.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Doorbells');
const module = (path: string) => new URL(path, import.meta.url).href;

function startWorker(source: string, workerData: unknown, transfer: MessagePort[] = []): Worker {
  const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  return new Worker(url, { workerData, transferList: transfer });
}

function exitOf(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.once('exit', resolve);
    worker.once('error', reject);
  });
}

test('ThreadDoorbell does not sleep when it rang after prepare, else until the time is up', () => {
  const bell = new ThreadDoorbell(ThreadDoorbell.allocate());
  const seen = bell.prepare();
  bell.ring();
  bell.wait(seen, 20_000);
  const started = performance.now();
  bell.wait(bell.prepare(), 30);
  assert.ok(performance.now() - started >= 25);
});

test('PortDoorbell posts one message per sleep, whoever rings', () => {
  const memory = PortDoorbell.allocate();
  const owner = new PortDoorbell(memory);
  const ringers = [new PortDoorbell(memory), new PortDoorbell(memory)];
  let posted = 0;
  const port = { postMessage: () => posted++ };
  const ringAll = () => {
    for (const ringer of ringers) ringer.ring(port);
  };
  ringAll();
  assert.is(posted, 0, 'an owner that is awake needs no message');
  owner.arm();
  ringAll();
  ringAll();
  assert.is(posted, 1);
  owner.arm();
  owner.disarm();
  ringAll();
  assert.is(posted, 1);
});

// The shard's side of a real link: parks on its bell, echoes each request's first byte.
const ECHO = `
  import { workerData } from 'node:worker_threads';
  import { ShardEnd } from '${module('../../src/rpc/link.js')}';
  import { ThreadDoorbell } from '${module('../../src/rpc/doorbell.js')}';
  const end = new ShardEnd(workerData.link, workerData.port);
  const bell = new ThreadDoorbell(workerData.link.shardBell);
  let left = workerData.count;
  while (left > 0) {
    const seen = bell.prepare();
    let replied = false;
    while (end.writeRequests.tryRead()) {
      const at = end.writeReplies.tryReserve(4);
      const { view, frameStart } = end.writeRequests;
      end.writeReplies.view.setUint32(at, view.getUint32(frameStart));
      end.writeReplies.commit(4);
      replied = true;
      left--;
    }
    end.writeRequests.release();
    if (replied) end.ringRouter();
    else bell.wait(seen, 60_000);
  }
  workerData.port.close();`;

test('no wake-up is lost between two threads that sleep whenever they can', async () => {
  const count = 3000;
  const routerBell = PortDoorbell.allocate();
  const size = 4096;
  const link: LinkMemory = allocateLink(
    {
      writeRequestBytes: size,
      readRequestBytes: size,
      writeReplyBytes: size,
      readReplyBytes: size,
    },
    {
      shard: 0,
      router: 0,
      epoch: 1,
      slotMapEpoch: 1,
      shardBell: ThreadDoorbell.allocate(),
      routerBell,
    },
  );
  const { port1, port2 } = new MessageChannel();
  const worker = startWorker(ECHO, { link, port: port2, count }, [port2]);
  // Listened for at once: the worker may be gone before the last reply is taken up here.
  const exited = exitOf(worker);
  const end = new RouterEnd(link);
  const bell = new PortDoorbell(routerBell);
  let sent = 0;
  let received = 0;
  const send = () => {
    const at = end.writeRequests.tryReserve(4);
    end.writeRequests.view.setUint32(at, sent++);
    end.writeRequests.commit(4);
    end.ringShard();
  };
  // No timer anywhere: one lost wake-up would hang this test (both waits are longer than it).
  await new Promise<void>((resolve) => {
    const pump = () => {
      do {
        bell.disarm();
        while (end.writeReplies.tryRead()) {
          assert.is(end.writeReplies.view.getUint32(end.writeReplies.frameStart), received++);
          end.writeReplies.release();
          if (sent < count) send();
        }
        bell.arm();
      } while (end.writeReplies.hasFrames());
      if (received === count) resolve();
    };
    port1.on('message', pump);
    bell.arm();
    send();
  });
  port1.close();
  assert.is(await exited, 0);
});

run();
