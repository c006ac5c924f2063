import * as assert from 'uvu/assert';
import { fileNumber } from '../../src/base/ids.js';
import { checkRuns } from '../../src/storage/check-runs.js';
import type { PlacedTable } from '../../src/storage/manifest-format.js';
import { EMPTY_STATE, type ManifestState } from '../../src/storage/manifest-state.js';
import { bytesOf } from '../harness/entries.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('checkRuns');

/** `a-m:5-9` is a table with keys a to m and sequences 5 to 9; numbers count up from 1. */
function stateOf(...runs: string[][]): ManifestState {
  let number = 0;
  const tables = runs.map((tables, i) =>
    tables.map((text): PlacedTable => {
      const [keys = '', sequences = ''] = text.split(':');
      const [minKey = '', maxKey = ''] = keys.split('-');
      const [minSequence, maxSequence] = sequences.split('-').map(Number);
      return {
        number: fileNumber(++number),
        run: i,
        sizeBytes: 1,
        crc32: 0,
        entryCount: 1,
        tombstoneCount: 0,
        immortalCount: 1,
        minKey: bytesOf(minKey),
        maxKey: bytesOf(maxKey),
        minSequence: minSequence ?? 0,
        maxSequence: maxSequence ?? 0,
        minExpiresAtMs: 0,
        maxExpiresAtMs: 0,
      };
    }),
  );
  return {
    ...EMPTY_STATE,
    nextNumber: number + 1,
    flushedSequence: 100,
    runs: tables.map((list, id) => ({ id, tables: list })),
  };
}

test('has nothing to say of a sound state', () => {
  assert.equal(checkRuns(EMPTY_STATE), []);
  assert.equal(checkRuns(stateOf(['a-c:50-60', 'd-f:51-61'], ['b-e:10-49'], ['a-z:1-9'])), []);
  // Merges of a part of the key space may leave older and newer sequences side by side.
  assert.equal(checkRuns(stateOf(['a-c:5-9'], ['d-f:50-60'])), []);
});

test('names tables that overlap within a run or end before they begin', () => {
  assert.match(
    checkRuns(stateOf(['a-c:1-2', 'c-d:1-2'])).join(),
    'Tables 1 and 2 of run 0 overlap',
  );
  assert.match(checkRuns(stateOf(['c-a:1-2'])).join(), 'Table 1 ends before it begins');
});

test('names runs in which an older table would be found first', () => {
  const wrong = checkRuns(stateOf(['a-c:5-9', 'm-p:50-60'], ['n-z:1-50', 'zz-zzz:1-99']));
  assert.is(wrong.length, 1);
  assert.match(wrong[0] ?? '', 'Table 2 of run 0 is not newer than table 3 of the older run 1');
  assert.is(checkRuns(stateOf(['a-z:5-9'], ['b-c:4-6'], ['d-e:9-9'])).length, 2);
});

test('names numbers and sequences that the state denies', () => {
  const state = stateOf(['a-b:1-2']);
  assert.match(checkRuns({ ...state, nextNumber: 1 }).join(), 'never reserved');
  assert.match(checkRuns({ ...state, flushedSequence: 1 }).join(), 'sequences 1 to 2');
  assert.match(checkRuns(stateOf(['a-b:3-2'])).join(), 'sequences 3 to 2');
});

run();
