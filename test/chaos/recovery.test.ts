import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { SLOT_COUNT, slotOfKey } from '../../src/base/slot.js';
import type { Door } from '../../src/chaos/door.js';
import { probeKeys, untilAllServe } from '../../src/chaos/recovery.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Probes');

test('have a key for each shard', () => {
  for (const shards of [1, 3, 64]) {
    const keys = probeKeys('p/', shards);
    const parts = keys.map((key) => {
      const bytes = Buffer.from(key);
      return Math.floor((slotOfKey(bytes, 0, bytes.length) * shards) / SLOT_COUNT);
    });
    assert.equal(
      parts,
      Array.from({ length: shards }, (_, i) => i),
    );
  }
});

function probe(failures: number, patienceMs: number) {
  let [nowMs, left] = [0, failures];
  const waiting: number[] = [];
  const set = async () => {
    if (left-- > 0) throw new StormError('UNAVAILABLE', 'recovering');
    return 1;
  };
  const served = untilAllServe({
    doors: { door: async () => ({ life: 1, set }) as unknown as Door },
    keys: ['a', 'b'],
    patienceMs,
    monotonicMs: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
    },
    onWaiting: (count) => waiting.push(count),
  });
  return served.then((isServed) => ({ isServed, waiting }));
}

test('wait until every shard acknowledges, and count those that do not yet', async () => {
  const { isServed, waiting } = await probe(20, 1000);
  assert.is(isServed, true);
  assert.equal(waiting, [2, 1, 0, 0]);
});

test('give up when one never does', async () => {
  assert.is((await probe(1e9, 100)).isServed, false);
});

run();
