import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { Gates } from '../../src/router/gates.js';
import { GovernedOperations } from '../../src/router/governed-operations.js';
import { suite } from '../harness/suite.js';
import { NotingGate, PlainStore, pageOf } from './governed-rig.js';
import { runOf } from './operations-rig.js';

const { test, run } = suite('GovernedOperations');
const KEY = Buffer.from('key');
const BUSY = new StormError('RESOURCE_EXHAUSTED', 'later', { retryAfterMs: 7 });

function makeRig() {
  const store = new PlainStore();
  const gate = new NotingGate('a');
  const inner = new NotingGate('b');
  const waits: { ms: number; task: () => void; isCancelled: boolean }[] = [];
  const after = (ms: number, task: () => void) => {
    const wait = { ms, task, isCancelled: false };
    waits.push(wait);
    return () => {
      wait.isCancelled = true;
    };
  };
  const kv = new GovernedOperations(store, new Gates([gate, inner]), { name: 'ada' }, after);
  return { store, gate, inner, kv, waits };
}

/** Every operation but the scan, and what its gate is told. */
type Rig = ReturnType<typeof makeRig>;
type Note = (error: StormError | undefined) => void;
const CALLS: [expected: string, start: (rig: Rig, note: Note) => void][] = [
  ['Set write 1', ({ kv }, note) => kv.set(KEY, KEY, 1, note)],
  ['Delete write 1', ({ kv }, note) => kv.delete(KEY, 1, note)],
  ['Get read 1', ({ kv }, note) => kv.get(KEY, 1, note)],
  ['BatchGet read 3', ({ kv }, note) => kv.batchGet([KEY, KEY, KEY], 1, note)],
  ['Expire write 1', ({ kv }, note) => kv.expire(KEY, 1, 1, note)],
  ['Ttl read 1', ({ kv }, note) => kv.ttl(KEY, 1, note)],
  ['DeletePrefix write 0', ({ kv }, note) => kv.deletePrefix(KEY, { dryRun: false }, 1, note)],
  ['DeletePrefix scan 0', ({ kv }, note) => kv.deletePrefix(KEY, { dryRun: true }, 1, note)],
  ['BatchSet write 2', ({ kv }, note) => kv.batchSet({ run: TWO }, 1, note)],
];
const TWO = runOf([
  ['a', '1'],
  ['b', undefined],
]);

test('every operation enters once and leaves once, with its error', () => {
  for (const [expected, start] of CALLS) {
    for (const error of [undefined, new StormError('UNAVAILABLE', 'down')]) {
      const rig = makeRig();
      rig.store.error = error;
      const outcomes: unknown[] = [];
      start(rig, (found) => outcomes.push(found));
      assert.equal(outcomes, [error], expected);
      assert.is(rig.gate.seen[0], `a enter ${expected} ada`);
      const leaves = rig.gate.seen.filter((line) => line.includes('leave'));
      assert.is(leaves.length, 1, expected);
      assert.match(leaves[0] ?? '', error === undefined ? / ok$/ : / UNAVAILABLE$/);
    }
  }
});

test('a refused call costs the store nothing, and earlier gates hear of it', () => {
  for (const [expected, start] of CALLS) {
    const rig = makeRig();
    rig.inner.refusal = BUSY;
    const outcomes: unknown[] = [];
    start(rig, (found) => outcomes.push(found));
    assert.equal(outcomes, [BUSY]);
    assert.is(rig.store.calls, 0, expected);
    assert.is(rig.gate.seen.length, 2);
    assert.match(rig.gate.seen[1] ?? '', /^a leave \d RESOURCE_EXHAUSTED$/);
    assert.is(rig.inner.seen.length, 1, 'who refused is not told again');
  }
});

test("a batch's faults are those of its entries, and a failed condition is the least of them", () => {
  const rig = makeRig();
  rig.store.batchErrors.push(new StormError('ABORTED', 'condition'));
  rig.kv.batchSet({ run: TWO }, 1, () => {});
  assert.is(rig.gate.seen.at(-1), 'a leave 2 ABORTED');
  rig.store.batchErrors.push(new StormError('UNAVAILABLE', 'down'));
  rig.kv.batchSet({ run: TWO }, 1, () => {});
  assert.is(rig.gate.seen.at(-1), 'a leave 2 UNAVAILABLE');
});

test('a malformed batch is counted as far as it can be read and judged by the store', () => {
  const rig = makeRig();
  rig.kv.batchSet({ run: Buffer.from([9, 9]) }, 1, () => {});
  assert.is(rig.gate.seen[0], 'a enter BatchSet write 1 ada');
  assert.is(rig.store.calls, 1);
});

test('a scan is one call that ends with its last page and pays for what it delivered', () => {
  const rig = makeRig();
  rig.store.pages = [pageOf(2, false), pageOf(1, true)];
  const scan = rig.kv.scan({});
  scan.nextPage(1, () => {});
  scan.nextPage(1, () => {});
  scan.close();
  const expected = ['enter Scan scan 0 ada', 'charge 2', 'charge 1', 'leave 3 ok'];
  assert.equal(
    rig.gate.seen,
    expected.map((line) => `a ${line}`),
  );
});

test('a scan whose caller has had enough waits with its next page', () => {
  const rig = makeRig();
  rig.gate.restMs = 40;
  rig.store.pages = [pageOf(2, false), pageOf(1, true)];
  const pages: number[] = [];
  const scan = rig.kv.scan({});
  scan.nextPage(100, (_, page) => pages.push(page?.entries.length ?? -1));
  scan.nextPage(100, (_, page) => pages.push(page?.entries.length ?? -1));
  assert.equal(pages, [2]);
  assert.is(rig.waits[0]?.ms, 40);
  rig.waits[0]?.task();
  assert.equal(pages, [2, 1]);
});

test('a scan whose deadline is nearer than its turn is refused with the hint, and closed', () => {
  const rig = makeRig();
  rig.inner.restMs = 40;
  rig.store.pages = [pageOf(2, false), pageOf(1, true)];
  const scan = rig.kv.scan({});
  scan.nextPage(100, () => {});
  let refusal: StormError | undefined;
  scan.nextPage(39, (error) => {
    refusal = error;
  });
  assert.is(refusal?.code, 'RESOURCE_EXHAUSTED');
  assert.is(refusal?.retryAfterMs, 40);
  assert.is(rig.store.closedScans, 1);
  assert.is(rig.gate.seen.at(-1), 'a leave 2 RESOURCE_EXHAUSTED');
});

test('a scan that is closed while it waits does not go on', () => {
  const rig = makeRig();
  rig.gate.restMs = 40;
  rig.store.pages = [pageOf(2, false), pageOf(1, true)];
  const scan = rig.kv.scan({});
  scan.nextPage(100, () => {});
  scan.nextPage(100, () => assert.unreachable());
  scan.close();
  assert.is(rig.waits[0]?.isCancelled, true);
  assert.is(rig.gate.seen.at(-1), 'a leave 2 ok');
});

test('a scan that cannot start is over at once', () => {
  const rig = makeRig();
  rig.store.error = new StormError('INVALID_ARGUMENT', 'what bounds are those');
  assert.throws(() => rig.kv.scan({}), /what bounds/);
  assert.is(rig.gate.seen.at(-1), 'a leave 0 INVALID_ARGUMENT');
  rig.gate.refusal = BUSY;
  assert.throws(() => rig.kv.scan({}), /later/);
});

run();
