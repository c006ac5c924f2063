import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { fileNumber } from '../../src/base/ids.js';
import type { ManifestEdit } from '../../src/storage/manifest-format.js';
import {
  applyEdit,
  EMPTY_STATE,
  type ManifestState,
  snapshotEdit,
  tablesOf,
} from '../../src/storage/manifest-state.js';
import { placed } from '../harness/manifest-cases.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('manifest state');
const RISING = ['nextNumber', 'flushedSequence', 'durableSequence', 'minSegment'] as const;
const IDENTITY = { shard: 0, storeUuid: 'aa', version: 0 };

/** Two runs: the newer one of one table, the older one of two. */
const TWO_RUNS = applyEdit(EMPTY_STATE, {
  nextNumber: 20,
  flushedSequence: 9,
  durableSequence: 9,
  minSegment: 3,
  add: [placed(12, 10, 'm', 'z'), placed(11, 10, 'a', 'f'), placed(15, 14, 'b', 'y')],
  runs: [14, 10],
});

const shape = ({ runs }: ManifestState) =>
  runs.map(({ id, tables }) => [id, ...tables.map(({ number }) => number as number)]);

const refuses = (edit: ManifestEdit, why: RegExp, state = TWO_RUNS) => {
  const before = JSON.stringify(state);
  assert.throws(
    () => applyEdit(state, edit),
    (error: unknown) =>
      error instanceof StormError && error.code === 'DATA_CORRUPTION' && why.test(error.message),
    `${why}`,
  );
  assert.is(JSON.stringify(state), before, 'the state before is unharmed');
};

test('an edit changes what it names and keeps the rest', () => {
  assert.equal(applyEdit(TWO_RUNS, {}), TWO_RUNS);
  assert.equal(applyEdit(TWO_RUNS, { nextNumber: 84 }), { ...TWO_RUNS, nextNumber: 84 });
  assert.equal(applyEdit(TWO_RUNS, { minSegment: 4, flushedSequence: 10, durableSequence: 10 }), {
    ...TWO_RUNS,
    minSegment: 4,
    flushedSequence: 10,
    durableSequence: 10,
  });
});

test('tables of a run are in the order of their keys, whatever the order of the edit', () => {
  assert.equal(shape(TWO_RUNS), [
    [14, 15],
    [10, 11, 12],
  ]);
  assert.equal(
    tablesOf(TWO_RUNS).map(({ number }) => number as number),
    [15, 11, 12],
  );
});

test('a flush adds a run in front, a merge replaces the runs that it read', () => {
  const flushed = applyEdit(TWO_RUNS, { add: [placed(17, 16, 'c', 'd')], runs: [16, 14, 10] });
  assert.equal(shape(flushed), [
    [16, 17],
    [14, 15],
    [10, 11, 12],
  ]);
  const merged = applyEdit(flushed, {
    add: [placed(19, 18, 'a', 'z')],
    remove: [11, 12, 15],
    runs: [16, 18],
  });
  assert.equal(shape(merged), [
    [16, 17],
    [18, 19],
  ]);
  assert.equal(shape(TWO_RUNS).length, 2, 'states before are values of their own');
});

test('a merge that leaves nothing ends the runs that it read', () => {
  assert.equal(shape(applyEdit(TWO_RUNS, { remove: [15], runs: [10] })), [[10, 11, 12]]);
  assert.equal(shape(applyEdit(TWO_RUNS, { remove: [15] })), [[10, 11, 12]]);
  assert.equal(shape(applyEdit(TWO_RUNS, { remove: [11, 12, 15], runs: [] })), []);
});

test('numbers that must rise may stay and never fall', () => {
  for (const name of RISING) {
    assert.equal(applyEdit(TWO_RUNS, { [name]: TWO_RUNS[name] }), TWO_RUNS);
    refuses({ [name]: TWO_RUNS[name] - 1 }, new RegExp(`${name} falls`));
  }
});

test('an edit that contradicts the state is refused', () => {
  refuses({ remove: [99] }, /table 99 is removed but not there/);
  refuses({ remove: [15, 15], runs: [10] }, /table 15 is removed but not there/);
  refuses({ add: [placed(11, 14, 'z', 'zz')] }, /table 11 is added twice/);
  const twins = [placed(17, 16, 'a', 'b'), placed(17, 16, 'c', 'd')];
  refuses({ add: twins, runs: [16, 14, 10] }, /table 17 is added twice/);
  refuses({ add: [placed(17, 16, 'a', 'b')], runs: [14, 10] }, /not those listed/);
  refuses({ add: [placed(17, 16, 'a', 'b')] }, /not those listed/);
  refuses({ runs: [10] }, /not those listed/);
  refuses({ runs: [14, 10, 10] }, /not those listed/);
  refuses({ runs: [14, 14] }, /not those listed/);
  refuses({ runs: [14, 10, 7] }, /run 7 has no table/);
  refuses({ remove: [15], runs: [14, 10] }, /run 14 has no table/);
});

test('tables of one run may not share a key', () => {
  refuses({ add: [placed(17, 10, 'f', 'g')] }, /tables 11 and 17 of run 10 overlap/);
  refuses({ add: [placed(17, 10, 'b', 'c')] }, /overlap/);
  refuses({ add: [placed(17, 10, '0', 'zz')] }, /overlap/);
  assert.equal(
    shape(applyEdit(TWO_RUNS, { add: [placed(17, 10, 'g', 'l')] }))[1],
    [10, 11, 17, 12],
  );
});

test('a snapshot describes a state whole, whatever state was before', () => {
  const state = { ...TWO_RUNS, ownerEpoch: 5 };
  const edit = snapshotEdit(state, IDENTITY);
  assert.equal(applyEdit(EMPTY_STATE, edit), state);
  assert.equal(applyEdit(applyEdit(TWO_RUNS, { nextNumber: 500 }), edit), state);
  assert.equal(applyEdit(EMPTY_STATE, snapshotEdit(EMPTY_STATE, IDENTITY)), EMPTY_STATE);
});

test('after any flushes and merges a snapshot gives the same state', () => {
  const steps = fc.array(fc.record({ merge: fc.nat(3), keys: fc.nat(200) }), { maxLength: 30 });
  fc.assert(
    fc.property(steps, (list) => {
      let state = EMPTY_STATE;
      for (const { merge, keys } of list) {
        const inputs = state.runs.slice(0, merge);
        const id = state.nextNumber;
        const key = String(keys).padStart(4, '0');
        state = applyEdit(state, {
          nextNumber: id + 2,
          flushedSequence: state.flushedSequence + 1,
          add: [placed(id + 1, id, key, `${key}x`)],
          remove: inputs.flatMap(({ tables }) => tables.map(({ number }) => number as number)),
          runs: [id, ...state.runs.slice(inputs.length).map((each) => each.id)],
        });
      }
      assert.equal(applyEdit(EMPTY_STATE, snapshotEdit(state, IDENTITY)), state);
      const numbers = tablesOf(state).map(({ number }) => number);
      assert.ok(!numbers.includes(fileNumber(state.nextNumber)));
    }),
    { numRuns: 50 },
  );
});

run();
