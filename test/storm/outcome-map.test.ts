import * as assert from 'uvu/assert';
import { Dice } from '../../src/demo/dice.js';
import { OUTCOMES, OutcomeMap, type WriteOutcome } from '../../src/storm/outcome-map.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Outcomes of writes');

test('holds what a map holds, over the ends of its pieces', () => {
  const [packed, plain] = [new OutcomeMap(), new Map<number, WriteOutcome>()];
  const dice = new Dice(1, 'outcomes');
  for (let i = 0; i < 20_000; i++) {
    const write = dice.between(2 ** 20 - 2000, 2 ** 20 + 2000);
    const outcome = OUTCOMES[dice.between(0, 3)] ?? 'open';
    packed.set(write, outcome);
    plain.set(write, outcome);
  }
  for (let write = 2 ** 20 - 2100; write < 2 ** 20 + 2100; write++) {
    assert.is(packed.get(write), plain.get(write) ?? 'open', `${write}`);
  }
  assert.is(packed.get(2 ** 40), 'open');
});

run();
