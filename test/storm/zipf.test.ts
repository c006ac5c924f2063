import * as assert from 'uvu/assert';
import { Dice } from '../../src/demo/dice.js';
import { Zipf } from '../../src/storm/zipf.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Zipf');

test('draws each rank in proportion to its power, within what chance allows', () => {
  for (const skew of [0.5, 1, 1.3]) {
    const [zipf, dice, counts] = [new Zipf(20, skew), new Dice(1, 'zipf'), new Array(20).fill(0)];
    for (let i = 0; i < 100_000; i++) counts[zipf.draw(dice)]++;
    const weights = counts.map((_, rank) => (rank + 1) ** -skew);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    counts.forEach((count, rank) => {
      const expected = ((weights[rank] ?? 0) / total) * 100_000;
      assert.ok(Math.abs(count - expected) < 6 * Math.sqrt(expected), `${skew}, rank ${rank}`);
    });
  }
});

run();
