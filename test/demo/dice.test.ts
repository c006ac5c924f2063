import * as assert from 'uvu/assert';
import { Dice } from '../../src/demo/dice.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Dice');
const throws = (dice: Dice) => Array.from({ length: 20 }, () => dice.between(1, 6));

test('repeats itself for the same seed and name only', () => {
  assert.equal(throws(new Dice(1, 'a')), throws(new Dice(1, 'a')));
  assert.not.equal(throws(new Dice(1, 'a')), throws(new Dice(2, 'a')));
  assert.not.equal(throws(new Dice(1, 'a')), throws(new Dice(1, 'b')));
});

test('is fair enough', () => {
  const dice = new Dice(5, 'fair');
  const counts = new Map<number, number>();
  for (let i = 0; i < 6000; i++) {
    const face = dice.between(1, 6);
    counts.set(face, (counts.get(face) ?? 0) + 1);
  }
  assert.is(counts.size, 6);
  for (const count of counts.values()) assert.ok(count > 850 && count < 1150, String(count));
  assert.is(dice.pick(['only']), 'only');
  assert.not.ok(dice.chance(0));
  assert.ok(dice.chance(1));
});

run();
