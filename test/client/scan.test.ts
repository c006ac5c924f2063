import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import type { Channel } from '../../src/client/channel.js';
import { scanPages } from '../../src/client/scan.js';
import { decodeScanRequest, encodeScanResponse } from '../../src/rpc/batch-codec.js';
import type { ScanRequest } from '../../src/rpc/kv-operations.js';
import { suite } from '../harness/suite.js';
import { FakeChannel, ManualTimers } from './client-rig.js';

const { test, run } = suite("The client's scan");
const lost = new StormError('UNAVAILABLE', 'lost');

/** Each stream is a list of pages, given by their keys, or an error. */
function scripted(streams: (string[] | StormError)[][]) {
  const requests: ScanRequest[] = [];
  const channel: Channel = Object.assign(new FakeChannel(), {
    async *stream(_path: string, message: Buffer): AsyncIterable<Buffer> {
      requests.push(decodeScanRequest(message));
      const script = streams.shift() ?? [];
      for (const [i, page] of script.entries()) {
        if (page instanceof StormError) throw page;
        const entries = page.map((key) => ({
          key: Buffer.from(key),
          value: Buffer.from('v'),
          version: 1,
        }));
        const isLast = i === script.length - 1;
        const cursor = isLast ? undefined : `behind ${page.at(-1)}`;
        yield Buffer.from(
          encodeScanResponse({ entries, cursor, freshSnapshot: requests.length > 1, isLast }),
        );
      }
    },
  });
  return { channel, requests };
}

/** Timers whose pauses are over at once. */
class HurriedTimers extends ManualTimers {
  override after(ms: number, task: () => void): () => void {
    const cancel = super.after(ms, task);
    queueMicrotask(() => this.pass(ms));
    return cancel;
  }
}

async function keysOf(channel: Channel, options: Parameters<typeof scanPages>[1] = {}) {
  const keys: string[] = [];
  const fresh = new Set<boolean>();
  for await (const entry of scanPages(() => channel, options, 1000, new HurriedTimers())) {
    keys.push(entry.key);
    fresh.add(entry.freshSnapshot);
  }
  return { keys, fresh: [...fresh] };
}

test('goes on behind the last page when the connection fails, and says so', async () => {
  const { channel, requests } = scripted([[['a', 'b'], ['c'], lost], [lost], [['d'], ['e']]]);
  const { keys, fresh } = await keysOf(channel, { prefix: '', limit: 10 });
  assert.equal(keys, ['a', 'b', 'c', 'd', 'e']);
  assert.equal(fresh, [false, true]);
  assert.equal(
    requests.map(({ cursor, limit }) => [cursor, limit]),
    [
      [undefined, 10],
      ['behind c', 7],
      ['behind c', 7],
    ],
  );
});

test('gives up when no page comes within the deadline', async () => {
  const { channel } = scripted(Array.from({ length: 100 }, () => [lost]));
  let error: unknown;
  await keysOf(channel).catch((thrown) => {
    error = thrown;
  });
  assert.is(error, lost);
});

test('does not repeat what will never pass', async () => {
  const wrong = new StormError('INVALID_ARGUMENT', 'wrong');
  const { channel, requests } = scripted([[wrong], [['a']]]);
  let error: unknown;
  await keysOf(channel).catch((thrown) => {
    error = thrown;
  });
  assert.equal([error, requests.length], [wrong, 1]);
});

run();
