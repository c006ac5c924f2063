import * as assert from 'uvu/assert';
import { PortDoorbell, ThreadDoorbell } from '../../src/rpc/doorbell.js';
import { allocateLink, ShardEnd } from '../../src/rpc/link.js';
import { shardLink } from '../../src/shard/shard-link.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('A shard link');

function shardEnd(router: number): ShardEnd {
  const bytes = 4096;
  const sizes = {
    writeRequestBytes: bytes,
    readRequestBytes: bytes,
    writeReplyBytes: bytes,
    readReplyBytes: bytes,
  };
  const bells = { shardBell: ThreadDoorbell.allocate(), routerBell: PortDoorbell.allocate() };
  const memory = allocateLink(sizes, { shard: 0, router, epoch: 1, slotMapEpoch: 1, ...bells });
  return new ShardEnd(memory, { postMessage: () => {} });
}

test('begins with nothing held, nothing under way and nobody to wake', () => {
  const end = shardEnd(3);
  const link = shardLink(end);
  assert.is(link.end, end);
  assert.not(link.heldWrite || link.heldRead || link.replied);
  assert.equal(link.longReads, []);
});

test('shares its long reads with no other link', () => {
  const [one, two] = [shardLink(shardEnd(0)), shardLink(shardEnd(1))];
  one.longReads.push({ callId: 1, step: () => 'finished' });
  assert.is(two.longReads.length, 0);
});

run();
