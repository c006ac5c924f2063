import * as assert from 'uvu/assert';
import { RunReader } from '../../src/base/entry-run.js';
import { RunBuilder } from '../../src/base/run-builder.js';
import { KeyLedger } from '../../src/storm/key-ledger.js';
import { makeWork } from '../../src/storm/make-work.js';
import { verify } from '../../src/storm/verify.js';
import type { Profile } from '../../src/storm/workload.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('What a storm remembers');

const PROFILES: Profile[] = [
  { name: 'uniform', entries: 5, valueBytes: 40 },
  { name: 'hotkeys', keys: 50, skew: 0.99, readShare: 0, entries: 5, valueBytes: 40 },
  { name: 'overwrite', keys: 10, skew: 0, readShare: 0, entries: 3, valueBytes: 40 },
];

/** Writes 40 submissions of the profile, and reads them back from what `spoil` leaves. */
async function written(profile: Profile, spoil: (store: Map<string, Buffer>) => void) {
  const share = { profile, seed: 3, run: 77, thread: 1, threads: 2, submissions: 100 };
  const work = makeWork(share);
  const store = new Map<string, Buffer>();
  const builder = new RunBuilder();
  const reader = new RunReader();
  for (let index = 0; index < 40; index++) {
    const submission = work.begin(index);
    if (submission.kind === 'read') continue;
    builder.clear();
    submission.fill(builder);
    const bytes = Buffer.from(builder.runView());
    reader.reset(bytes, 0, bytes.length);
    for (let position = 0; reader.next(); position++) {
      const { keyStart, keyLength, valueStart, valueLength } = reader;
      const key = bytes.subarray(keyStart, keyStart + keyLength).toString('utf8');
      store.set(key, bytes.subarray(valueStart, valueStart + valueLength));
      submission.end(position, 'acknowledged', true);
    }
  }
  spoil(store);
  const getMany = async (keys: readonly (string | Uint8Array)[]) =>
    keys.map((key) => store.get(Buffer.from(key).toString('utf8')));
  return (await verify({ getMany }, work.checks(1), () => {})).counts;
}

for (const profile of PROFILES) {
  test(`finds all that ${profile.name} wrote, and one that is lost or damaged`, async () => {
    const whole = await written(profile, () => {});
    assert.ok(whole.found > 0);
    assert.equal([whole.lost, whole.wrong], [0, 0]);
    const less = await written(profile, (store) => {
      store.delete([...store.keys()][0] ?? '');
    });
    assert.equal([less.lost, less.wrong], [1, 0]);
    const damaged = await written(profile, (store) => {
      const [key = '', value = Buffer.alloc(40)] = [...store][0] ?? [];
      const changed = Buffer.from(value);
      changed[39] = (changed[39] ?? 0) ^ 1;
      store.set(key, changed);
    });
    assert.equal([damaged.lost, damaged.wrong], [0, 1]);
  });
}

test('a write that is over is superseded by one that began after it', () => {
  const ledger = new KeyLedger(1);
  const first = ledger.begin(0);
  ledger.end(0, first, true, true);
  const second = ledger.begin(0);
  ledger.end(0, second, true, true);
  assert.not.ok(ledger.mayShow(first.number, ledger.floorOf(0)));
  assert.ok(ledger.mayShow(second.number, ledger.floorOf(0)));
});

test('of writes that overlap either may stay, whichever was answered last', () => {
  const ledger = new KeyLedger(1);
  const [first, second] = [ledger.begin(0), ledger.begin(0)];
  ledger.end(0, second, true, true);
  ledger.end(0, first, true, true);
  for (const { number } of [first, second]) assert.ok(ledger.mayShow(number, ledger.floorOf(0)));
  const third = ledger.begin(0);
  ledger.end(0, third, true, true);
  for (const { number } of [first, second]) {
    assert.not.ok(ledger.mayShow(number, ledger.floorOf(0)));
  }
});

test('a write whose outcome is not known may show at any time, a write to come never', () => {
  const ledger = new KeyLedger(2);
  const lost = ledger.begin(0);
  ledger.end(0, lost, false, false);
  assert.is(ledger.floorOf(0), 0);
  const next = ledger.begin(0);
  ledger.end(0, next, true, true);
  assert.ok(ledger.mayShow(lost.number, ledger.floorOf(0)));
  assert.not.ok(ledger.mayShow(next.number + 1, ledger.floorOf(0)));
  assert.is(ledger.floorOf(1), 0);
});

run();
