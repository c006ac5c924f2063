import * as assert from 'uvu/assert';
import { RunReader } from '../../src/base/entry-run.js';
import { StormError } from '../../src/base/errors.js';
import { BatchLoader, type LoadEntry } from '../../src/cli/batch-loader.js';
import type { BatchAnswer } from '../../src/cli/kv-client.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('BatchLoader');

/** A store in memory whose answers a test may replace. */
function rigOf(answer: (keys: string[], call: number) => BatchAnswer | Error | undefined) {
  const store = new Map<string, { value: string; ttlMs: number }>();
  const wrong: string[] = [];
  const waits: number[] = [];
  let calls = 0;
  const loader = new BatchLoader({
    wallMs: () => 1000,
    patienceMs: 1000,
    sleep: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
    wrong: (line, why) => void wrong.push(`${line}: ${why}`),
    async send(bytes) {
      const run = Buffer.from(bytes);
      await Promise.resolve();
      const found: [string, string, number][] = [];
      const reader = new RunReader();
      reader.reset(run, 0, run.length);
      while (reader.next()) {
        const { keyStart, keyLength, valueStart, valueLength, ttlMs } = reader;
        const text = (at: number, length: number) => run.toString('utf8', at, at + length);
        found.push([text(keyStart, keyLength), text(valueStart, valueLength), ttlMs]);
      }
      const special = answer(
        found.map(([key]) => key),
        ++calls,
      );
      if (special instanceof Error) throw special;
      const failed = new Set(special?.errors.map(({ index }) => index));
      found.forEach(([key, value, ttlMs], i) => {
        if (!failed.has(i)) store.set(key, { value, ttlMs });
      });
      return special ?? { written: found.length, errors: [] };
    },
  });
  return { loader, store, wrong, waits, calls: () => calls };
}

const entry = (line: number, key: string, value = 'v', change: Partial<LoadEntry> = {}) => {
  const content = { key: Buffer.from(key), value: Buffer.from(value) };
  return { line, ...content, ttlMs: 0, expiresAtMs: 0, ...change };
};

test('writes everything and knows through which line', async () => {
  const { loader, store } = rigOf(() => undefined);
  for (let i = 1; i <= 2500; i++) await loader.add(entry(i, `k${i}`));
  await loader.finish();
  assert.equal([store.size, loader.written, loader.through], [2500, 2500, 2500]);
});

test('of a key that comes several times the last value stays', async () => {
  const { loader, store } = rigOf(() => undefined);
  for (let i = 1; i <= 4000; i++) await loader.add(entry(i, `k${i % 7}`, `${i}`));
  await loader.finish();
  const values = [...store.values()].map(({ value }) => Number(value));
  assert.equal(
    values.sort((a, b) => a - b),
    [3994, 3995, 3996, 3997, 3998, 3999, 4000],
  );
});

test('an expiry becomes what is left of it; what has expired is passed over', async () => {
  const { loader, store } = rigOf(() => undefined);
  await loader.add(entry(1, 'later', 'v', { expiresAtMs: 1250 }));
  await loader.add(entry(2, 'gone', 'v', { expiresAtMs: 1000 }));
  await loader.add(entry(3, 'given', 'v', { ttlMs: 7 }));
  await loader.finish();
  assert.equal([store.get('later')?.ttlMs, store.get('given')?.ttlMs], [250, 7]);
  assert.equal([store.has('gone'), loader.expired, loader.through], [false, 1, 3]);
});

test('what found no room is sent again, and later writes of its keys behind it', async () => {
  const { loader, store, waits } = rigOf((keys, call) => {
    if (call > 1) return undefined;
    const refused = { index: 0, code: 14, message: 'busy', unknown: false };
    return { written: keys.length - 1, errors: [refused] };
  });
  await loader.add(entry(1, 'a', 'old'));
  await loader.add(entry(2, 'b'));
  await loader.add(entry(3, 'a', 'new'));
  await loader.finish();
  assert.is(store.get('a')?.value, 'new');
  assert.is(waits.length, 1);
});

test('a batch that is too large is cut; a wrong entry is told with its line', async () => {
  const { loader, store, wrong } = rigOf((keys) => {
    const text = keys.includes('bad') ? 'the key is bad' : 'too many';
    if (keys.length > 3 || keys.includes('bad')) return new StormError('INVALID_ARGUMENT', text);
    return undefined;
  });
  for (let i = 1; i <= 20; i++) await loader.add(entry(i, i === 9 ? 'bad' : `k${i}`));
  await loader.add(entry(21, ''));
  await loader.finish();
  assert.is(store.size, 19);
  assert.equal(wrong, ['21: The key must not be empty', '9: the key is bad']);
  assert.is(loader.through, 21);
});

test('a server that stays away ends the load, which says how far it came', async () => {
  const { loader, waits } = rigOf((keys) =>
    keys.includes('k2500') ? new StormError('UNAVAILABLE', 'away') : undefined,
  );
  for (let i = 1; i <= 2500; i++) await loader.add(entry(i, `k${i}`));
  try {
    await loader.finish();
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), 'away');
  }
  assert.is(loader.through, 2000);
  assert.equal(waits, [100, 200, 400, 300]);
});

run();
