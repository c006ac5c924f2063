import * as assert from 'uvu/assert';
import { FAULT_KINDS, FaultDeck } from '../../src/chaos/faults.js';
import { Dice } from '../../src/demo/dice.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('FaultDeck');

test('deals every possible fault, in an order that the seed repeats', () => {
  const deal = (seed: number) => {
    const deck = new FaultDeck(FAULT_KINDS, new Dice(seed, 'deck'));
    return Array.from({ length: 60 }, () => deck.draw());
  };
  assert.equal(deal(3), deal(3));
  assert.not.equal(deal(3), deal(4));
  assert.equal(new Set(deal(3).slice(0, 15)), new Set(FAULT_KINDS));
});

test('deals only what is possible, and nothing where nothing is', () => {
  const deck = new FaultDeck(['pause'], new Dice(1, 'deck'));
  assert.equal([deck.draw(), deck.draw()], ['pause', 'pause']);
  assert.is(new FaultDeck([], new Dice(1, 'deck')).draw(), undefined);
});

run();
