import * as assert from 'uvu/assert';
import { History, OPEN } from '../../src/chaos/history.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('History');

function unknownSet(history: History, key: string, life: number): void {
  const base = { kind: 'set', key, value: 1, expected: undefined, version: undefined } as const;
  history.add({ ...base, outcome: 'unknown', invoked: history.next(), returned: OPEN, life });
}

test('gives operations out once, by key', () => {
  const history = new History();
  for (const key of ['a', 'b', 'a']) unknownSet(history, key, 1);
  assert.is(history.size, 3);
  const window = history.take();
  assert.equal([window.get('a')?.length, window.get('b')?.length], [2, 1]);
  assert.is(history.size, 0);
  assert.is(history.take().size, 0);
});

test('ends unknown calls when their life is over, also those heard of later', () => {
  const history = new History();
  unknownSet(history, 'early', 1);
  history.lapse(1);
  unknownSet(history, 'late', 1);
  unknownSet(history, 'next', 2);
  const window = history.take();
  const lapses = (key: string) => window.get(key)?.[0]?.lapses;
  assert.equal([lapses('early'), lapses('late'), lapses('next')], [2, 2, OPEN]);
});

run();
