import * as assert from 'uvu/assert';
import { PortDoorbell, ThreadDoorbell } from '../../src/rpc/doorbell.js';
import { allocateLink, RouterEnd, ShardEnd } from '../../src/rpc/link.js';
import { tryWriteMissing, tryWriteWritten } from '../../src/rpc/messages.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Link');

test('joins the lanes of both ends, each way and each kind apart', () => {
  const routerBell = PortDoorbell.allocate();
  const shardBell = ThreadDoorbell.allocate();
  const identity = { shard: 3, router: 1, epoch: 7, slotMapEpoch: 2, shardBell, routerBell };
  const memory = allocateLink(
    {
      writeRequestBytes: 1024,
      readRequestBytes: 2048,
      writeReplyBytes: 4096,
      readReplyBytes: 8192,
    },
    identity,
  );
  let woken = 0;
  const shard = new ShardEnd(memory, { postMessage: () => woken++ });
  const router = new RouterEnd(memory);
  assert.equal([router.shard, router.epoch, router.slotMapEpoch], [3, 7, 2]);
  assert.equal([shard.router, shard.slotMapEpoch], [1, 2]);
  const lanes = [shard.writeRequests, shard.readRequests, shard.writeReplies, shard.readReplies];
  assert.equal(
    lanes.map(({ bytes }) => bytes.length),
    [1024, 2048, 4096, 8192],
  );

  const pairs = [
    [router.writeRequests, shard.writeRequests],
    [router.readRequests, shard.readRequests],
    [shard.writeReplies, router.writeReplies],
    [shard.readReplies, router.readReplies],
  ] as const;
  for (const [producer, consumer] of pairs) {
    assert.ok(tryWriteMissing(producer, 1));
    assert.ok(tryWriteWritten(producer, 2, 1, 1));
    for (const [, other] of pairs) assert.is(other.hasFrames(), other === consumer);
    while (consumer.tryRead()) consumer.release();
  }

  const bell = new ThreadDoorbell(shardBell);
  const seen = bell.prepare();
  router.ringShard();
  assert.not.equal(bell.prepare(), seen);
  new PortDoorbell(routerBell).arm();
  shard.ringRouter();
  shard.ringRouter();
  assert.is(woken, 1);
});

run();
